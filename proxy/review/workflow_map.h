/* SPDX-License-Identifier: MIT
 * Where the text of a YAML scalar stood in its file, byte by byte, so that what is wrong in a
 * policy is told by the line and column of the workflow that holds it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct scalar_map {
    uint32_t *at; /* for each byte of the text, and its end, the offset in the file; owned */
    size_t len;
};

enum scalar_style { SCALAR_PLAIN, SCALAR_SINGLE, SCALAR_DOUBLE, SCALAR_BLOCK };

/* file[start, end) is the scalar as YAML's parser marked it, anchor and tag included; text is what
 * it means. Whatever cannot be followed gets the last place that could. 0 or -ENOMEM. */
int scalar_map_init(struct scalar_map *m, const char *file, size_t start, size_t end,
                    enum scalar_style style, const char *text, size_t len) NODISCARD
    NONNULL(1, 2, 6);
void scalar_map_release(struct scalar_map *m) NONNULL(1);
