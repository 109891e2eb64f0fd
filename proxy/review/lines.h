/* SPDX-License-Identifier: MIT
 * A file or a stream, line by line, in bounded memory. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"

/* Takes a line without its newline; number counts from 1. len is SIZE_MAX, and line NULL, for one
 * that is longer than any record. Returns 0 to go on; anything else ends the reading. */
typedef int lines_take(void *context, const char *line, size_t len, size_t number);

/* path "-" is standard input. wait, which may be NULL, is called before more is read. Returns what
 * take returned last, or a negative errno: the file cannot be read. */
int lines_read(const char *path, lines_take *take, void (*wait)(void *context),
               void *context) NODISCARD NONNULL(1, 2);
