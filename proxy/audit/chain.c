/* SPDX-License-Identifier: MIT
 * One link of the chain. */
#include "audit/chain.h"

void chain_hash(struct digest *d, const uint8_t prev[SHA256_LEN], const void *line, size_t len,
                uint8_t out[SHA256_LEN])
{
    digest_add(d, prev, SHA256_LEN);
    digest_add(d, line, len);
    digest_end(d, out);
}
