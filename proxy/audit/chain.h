/* SPDX-License-Identifier: MIT
 * The chain of the log: each record's hash covers the hash before it and the bytes of its own
 * line. One definition for the writer and for who verifies. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "tls/digest.h"

/* SHA-256 over the 32 bytes of prev (zeros before the first record), then the line up to, and
 * without, `,"hash"`. out may be prev. */
void chain_hash(struct digest *d, const uint8_t prev[SHA256_LEN], const void *line, size_t len,
                uint8_t out[SHA256_LEN]) NONNULL(1, 2, 3, 5);
