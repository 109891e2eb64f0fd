/* SPDX-License-Identifier: MIT
 * From the words of a line and the header above it to a rule. */
#pragma once

#include "rules/context.h"
#include "rules/rule.h"

/* words are the line's, without `deny`. Fills in everything but file, line and text. False when
 * there was an error; it was said unless memory ran out. */
bool rule_compose(struct reporter *r, struct arena *arena, struct context *context,
                  enum rule_action action, const struct words *words, size_t first,
                  struct rule *out) NODISCARD NONNULL(1, 2, 3, 5, 7);
