/* SPDX-License-Identifier: MIT
 * The one kind of wildcard that the language has: `*` for any characters, also none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"

/* Matches the whole of text. Takes time in proportion to the sum of the lengths. */
bool glob_matches(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
    NONNULL(1, 3);
