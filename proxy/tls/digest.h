/* SPDX-License-Identifier: MIT
 * SHA-256, by OpenSSL (which is included below tls/ only). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

#define SHA256_LEN 32
#define SHA256_HEX 64

struct digest;
struct digest *digest_new(void) NODISCARD; /* NULL when memory ran out */
void digest_free(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t len) NONNULL(1);
/* Gives the digest and starts afresh. */
void digest_end(struct digest *d, uint8_t out[SHA256_LEN]) NONNULL(1, 2);
void digest_hex(const uint8_t digest[SHA256_LEN], char hex[SHA256_HEX + 1]) NONNULL(1, 2);
