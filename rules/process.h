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

/* Whether all selectors of a list match. */
enum truth selectors_suit(const struct selector *list, size_t n, struct subject *s) NONNULL(3);

/* The kinds of selectors of which it is known whether they match, a bit for each. NULL: none. */
unsigned process_certain(const struct event_process *p);

/* False ends the visits. */
typedef bool text_visit(void *context, const char *text, size_t len);
/* Visits at least every text that a selector of these kinds could be compared with. */
void process_texts(const struct event_process *p, unsigned kinds, text_visit *visit, void *context)
    NONNULL(1, 3);
