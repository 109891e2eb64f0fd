/* SPDX-License-Identifier: MIT
 * A ring of what was digested last. A policy that asks for digests names few programs, so a walk
 * of it costs less than the question that brought us here. */
#include "attribution/digest_cache.h"

#include <string.h>

const char *digest_cache_find(const struct digest_cache *c, const struct exe_file *file)
{
    for (size_t i = 0; i < DIGEST_CACHE_MAX; i++)
        if (c->list[i].sha256[0] && memcmp(&c->list[i].file, file, sizeof *file) == 0)
            return c->list[i].sha256;
    return NULL;
}

void digest_cache_add(struct digest_cache *c, const struct exe_file *file,
                      const char sha256[DIGEST_HEX + 1])
{
    if (digest_cache_find(c, file))
        return;
    c->list[c->next].file = *file;
    memcpy(c->list[c->next].sha256, sha256, DIGEST_HEX + 1);
    c->next = (c->next + 1) % DIGEST_CACHE_MAX;
}
