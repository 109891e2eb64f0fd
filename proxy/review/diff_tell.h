/* SPDX-License-Identifier: MIT
 * A change between two policies, for people and for programs. */
#pragma once

#include "base/buffer.h"
#include "review/diff_find.h"

/* Appends some lines of words. */
void diff_tell_words(const struct diff_change *change, struct buffer *out) NONNULL(1, 2);
/* Appends one JSON object. */
void diff_tell_json(const struct diff_change *change, struct buffer *out) NONNULL(1, 2);
