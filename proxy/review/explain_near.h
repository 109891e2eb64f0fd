/* SPDX-License-Identifier: MIT
 * Which allow rules come nearest to an event that none allows, and what each lacks.
 *
 * Nearer is, first, whose destination misses less: the name (of one domain: above, below, beside),
 * the address (within 256), port, protocol, method, path, kind of traffic, in that order of
 * weight; a rule about another domain or block is not near at all, but for other resolvers where
 * one was asked that is not allowed. Then, whose selectors miss less. Then, who stands first. So
 * rules that are about this destination and miss by who asks come before all others. */
#pragma once

#include "review/explain_rule.h"

enum { EXPLAIN_NEAR_MAX = 5 };

struct explain_near {
    struct explain_rule list[EXPLAIN_NEAR_MAX];
    size_t n;
};

/* Goes once through the rules of p. half: of a look-up, the half to be explained, or EXPLAIN_WHOLE
 * for both. 0 or -ENOMEM. */
int explain_near_find(const struct policy *p, const struct event *e, enum explain_half half,
                      struct arena *arena, struct explain_near *out) NODISCARD NONNULL(1, 2, 4, 5);
