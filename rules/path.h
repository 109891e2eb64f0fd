/* SPDX-License-Identifier: MIT
 * Paths of URLs: the one normal form in which rules and requests are compared, and which a request
 * is forwarded in, so that the server reads what was judged. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"

enum { RULE_PATH_MAX = 32 * 1024 }; /* of a normal form */

/* Writes the normal form, NUL-terminated, and its length. -EINVAL where there is none: the path
 * climbs out, hides a dot segment behind an escape, or has an invalid escape or a control
 * character. -ENAMETOOLONG where it does not fit. Anything from a `?` on is left away. */
int rule_path_normalize(const char *path, size_t len, char *out, size_t size,
                        size_t *out_len) NODISCARD NONNULL(1, 3, 5);

/* The pattern of a rule, with the base URL's path (normal form, or NULL) in front of it; NULL
 * after saying why. */
const char *path_pattern_parse(struct reporter *r, struct arena *arena, const char *base,
                               struct span s) NODISCARD NONNULL(1, 2);
/* Both in normal form. */
bool path_pattern_matches(const char *pattern, const char *path, size_t len) NONNULL(1, 2);
