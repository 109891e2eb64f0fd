/* SPDX-License-Identifier: MIT
 * One way to write a policy down, so that a diff shows what changed and nothing else. Blanks,
 * columns, empty lines and the case of methods are made uniform; comments, order and every word
 * stay. Pure. */
#pragma once

#include "base/buffer.h"

/* What became of one line of the input. */
struct format_line {
    const char *in; /* borrowed from the input; without its end, but with a \r if it has one */
    size_t in_len;
    size_t out, out_len; /* in the output, without its newline */
    bool dropped;        /* an empty line too many */
    bool unended;        /* the last one, and no newline behind it */
};

struct format_map {
    struct format_line *lines; /* owned */
    size_t n;
};

/* Appends the policy in its one form. The input is one that policy_parse takes; of any other bytes
 * the outcome is harmless, and not worth writing. 0 or -ENOMEM; the caller releases map. */
int policy_format(const void *data, size_t len, struct buffer *out,
                  struct format_map *map) NODISCARD NONNULL(3, 4);
void format_map_release(struct format_map *map) NONNULL(1);
