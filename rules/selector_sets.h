/* SPDX-License-Identifier: MIT
 * Rules that are about the same processes share one set of selectors, which is asked once. */
#pragma once

#include "rules/matcher.h"

/* Fills in m->sets, and for each rule the number of its set. -ENOMEM. */
int selector_sets_make(struct matcher *m, const struct rule *rules, size_t n,
                       uint32_t *sets) NODISCARD NONNULL(1, 4);
