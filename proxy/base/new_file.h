/* SPDX-License-Identifier: MIT
 * A file that is written once, as a whole, and never over another: whoever finds it has all of it,
 * and what was there stays. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"
#include "base/error.h"

struct new_file {
    int directory; /* where it will be, held open; -1: none */
    char *path;    /* owned, for sentences */
    const char *name;
};
#define NEW_FILE_INIT                                                                              \
    {                                                                                              \
        .directory = -1                                                                            \
    }

/* Finds the directory, and out whether a file can be made there that is not there yet. 0, or a
 * negative errno with a sentence; released in any case. */
int new_file_prepare(const char *path, struct new_file *out, struct error *error) NODISCARD
    NONNULL(1, 2, 3);
/* Writes it beside, mode 0644 less the umask, and gives it its name. 0, or a negative errno with a
 * sentence, and nothing is left there. -EEXIST: somebody else was quicker. */
int new_file_write(const struct new_file *f, const void *data, size_t len,
                   struct error *error) NODISCARD NONNULL(1, 4);
void new_file_release(struct new_file *f) NONNULL(1);
