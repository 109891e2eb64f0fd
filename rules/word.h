/* SPDX-License-Identifier: MIT
 * The words that headers, rules and includes share: keywords and selectors, in any order. */
#pragma once

#include "rules/line.h"
#include "rules/rule.h"

struct extras {
    unsigned keywords;
    size_t keyword_at[8]; /* where each stood, by bit number */
    struct selector *selectors;
    size_t n_selectors;
};

/* 0 where it is no keyword. */
unsigned keyword_find(struct span word);
const char *keyword_name(unsigned keyword) NODISCARD;
/* Whether the keyword may stand over such a rule; hint is NULL where it may. */
const char *keyword_misplaced(unsigned keyword, enum rule_action action, enum target_type type);

/* Makes room for as many selectors as there can be. */
bool extras_init(struct extras *e, struct arena *arena, const struct words *words) NODISCARD
    NONNULL(1, 2, 3);
/* Takes one word in. False when it is bad, after saying why. */
bool extras_add(struct extras *e, struct reporter *r, struct arena *arena,
                struct span word) NODISCARD NONNULL(1, 2, 3);
