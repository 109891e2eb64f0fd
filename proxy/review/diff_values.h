/* SPDX-License-Identifier: MIT
 * Values of facts that stand for all which some selectors tell apart from the others. */
#pragma once

#include "review/diff_cells.h"

/* Each returns a text of the arena's or a selector's; NULL without memory. *exact becomes false
 * where none was found that stands for all. */

/* One that the selector asks for. */
const char *diff_value_of(struct arena *arena, const struct diff_rules *rules,
                          const struct selector *s, bool *exact) NODISCARD NONNULL(1, 2, 3, 4);
/* One that two wildcards both ask for; NULL where there is none, too. */
const char *diff_value_of_both(struct arena *arena, const struct diff_rules *rules,
                               const struct selector *a, const struct selector *b,
                               bool *exact) NODISCARD NONNULL(1, 2, 3, 4, 5);
/* One that no selector names. */
const char *diff_value_other(struct arena *arena, const struct diff_rules *rules,
                             enum selector_kind kind, bool *exact) NODISCARD NONNULL(1, 2, 4);
