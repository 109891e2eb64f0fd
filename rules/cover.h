/* SPDX-License-Identifier: MIT
 * Whether one rule makes another one superfluous. */
#pragma once

#include "rules/rule.h"

/* Whether every event that b matches is matched by a, whatever the two do with it, and a has every
 * keyword of b and no other class. May say no where it is hard to tell. A veto covers an allow rule
 * by what it matches alone. */
bool rule_covers(const struct rule *a, const struct rule *b) NONNULL(1, 2);
