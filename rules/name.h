/* SPDX-License-Identifier: MIT
 * Labels of host names: what is allowed in one, and its compared form. name_normalize, in
 * policy.h, is made of these. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"

enum { LABEL_MAX_LEN = 63 };

enum label_problem {
    LABEL_GOOD,
    LABEL_EMPTY,
    LABEL_LONG,
    LABEL_CHARACTER,
    LABEL_HYPHEN,     /* at an end */
    LABEL_LAST,       /* the last label does not begin with a letter */
    LABEL_UNDERSCORE, /* in the last label */
};

/* Checks an ASCII label; where is the offset of what is wrong. */
enum label_problem label_check(const char *label, size_t len, bool wildcards, size_t *where)
    NONNULL(4);
/* What is asked of the last label on top of that. */
enum label_problem label_check_last(const char *label, size_t len, size_t *where) NONNULL(3);
bool label_is_ascii(const char *label, size_t len);
/* Lower case, A-label. out holds LABEL_MAX_LEN bytes and gets no NUL. 0 or -EINVAL. */
int label_normalize(const char *label, size_t len, char *out, size_t *out_len) NODISCARD
    NONNULL(3, 4);
