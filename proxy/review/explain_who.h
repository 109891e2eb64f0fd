/* SPDX-License-Identifier: MIT
 * The process of an event, fact by fact: as a rule's selectors want it, and back. */
#pragma once

#include "review/explain_rule.h"

/* Makes *out what the rule's selectors ask for; what they do not ask for is as in p. False without
 * memory. */
bool explain_who_suit(const struct rule *r, const struct event_process *p, struct arena *arena,
                      struct event_process *out) NODISCARD NONNULL(1, 2, 3, 4);
/* One fact of *from into *to; of the lacks from LACK_EXE on. */
void explain_who_copy(enum lack lack, const struct event_process *from, struct event_process *to)
    NONNULL(2, 3);
/* The lack that a selector's fact is. */
enum lack explain_who_lack(enum selector_kind kind);
/* The facts (enum process_fact) that a lack is about; 0 for LACK_FOREIGN. */
unsigned explain_who_facts(enum lack lack);
