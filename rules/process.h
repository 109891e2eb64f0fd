/* SPDX-License-Identifier: MIT
 * Whether a rule is about a process: its selectors against what is known. */
#pragma once

#include "rules/event.h"
#include "rules/rule.h"

enum truth { TRUTH_NO, TRUTH_UNKNOWN, TRUTH_YES };

/* A process while one event is judged; holds what was worked out for an earlier rule. */
struct subject {
    const struct event_process *process; /* or NULL */
    unsigned classes;                    /* enum cgroup_class; 0: not worked out yet */
};

/* The fact that it asks for (enum process_fact). */
unsigned selector_fact(const struct selector *s) NONNULL(1);
enum truth rule_suits(const struct rule *r, struct subject *s) NONNULL(1, 2);
