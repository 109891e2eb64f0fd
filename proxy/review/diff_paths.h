/* SPDX-License-Identifier: MIT
 * The requests that URL rules can tell apart: methods and paths. */
#pragma once

#include "base/buffer.h"
#include "review/diff_cells.h"

struct diff_path {
    const char *path;     /* of a request */
    const char *text;     /* the rule's pattern, or words */
    const uint8_t *marks; /* for each pattern whether it matches */
};

struct diff_method {
    const char *method; /* one of them */
    unsigned set;       /* enum rule_method; all that are judged alike */
};

struct diff_requests {
    const char **patterns; /* of the rules, each once */
    size_t n_patterns;
    struct diff_path *paths;
    size_t n_paths;
    struct diff_method methods[8];
    size_t n_methods;
    bool exact;
};

/* Of the rules those count that are for this scheme and port. */
bool diff_requests_make(struct arena *arena, const struct diff_rules *rules, bool https,
                        uint16_t port, struct diff_requests *out) NODISCARD NONNULL(1, 2, 5);
/* "GET|HEAD", "every method". */
void diff_methods_write(unsigned set, struct buffer *out) NONNULL(2);
