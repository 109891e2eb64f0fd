/* SPDX-License-Identifier: MIT
 * Selectors, the `name=value` words of a line: who may. How they are compared with a process is
 * in process.h. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"
#include "rules/rule.h"

/* Whether a word has the shape NAME= or NAME[N]=, known or not. */
bool selector_is(struct span s);
bool selector_parse(struct reporter *r, struct arena *arena, struct span s,
                    struct selector *out) NODISCARD NONNULL(1, 2, 4);
/* Same name, so that one overrides the other or stands twice. */
bool selector_same(const struct selector *a, const struct selector *b) NONNULL(1, 2);
/* Same name and value. */
bool selector_equal(const struct selector *a, const struct selector *b) NONNULL(1, 2);
/* "exe", "arg", …; that of arg[N] is "arg". */
const char *selector_name(enum selector_kind kind);
