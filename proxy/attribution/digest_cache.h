/* SPDX-License-Identifier: MIT
 * Digests of files that do not change without a new change time: what was read once speaks for
 * every later exec of the same inode, size and change time. Bounded; the oldest gives way. */
#pragma once

#include "attribution/process.h"
#include "base/attrib.h"

#define DIGEST_CACHE_MAX 256
#define DIGEST_HEX       64

struct digest_cache {
    struct {
        struct exe_file file;
        char sha256[DIGEST_HEX + 1]; /* "": none here */
    } list[DIGEST_CACHE_MAX];
    size_t next; /* to be overwritten */
};

/* NULL: not there. Valid until the next digest_cache_add. */
const char *digest_cache_find(const struct digest_cache *c, const struct exe_file *file)
    NONNULL(1, 2);
/* Only of a file that was proven by EXE_BY_CTIME. */
void digest_cache_add(struct digest_cache *c, const struct exe_file *file,
                      const char sha256[DIGEST_HEX + 1]) NONNULL(1, 2, 3);
