/* SPDX-License-Identifier: MIT
 * The processes that some rules can tell apart: one for each combination of what their selectors
 * ask for, one that is none of these, and one of which nothing is known. */
#pragma once

#include "review/diff_cells.h"
#include "rules/event.h"

struct diff_fact {
    enum selector_kind kind;
    unsigned index;      /* of arg[N] */
    const char **values; /* the first is none of those that selectors name */
    const char **texts;  /* as the policy writes them */
    size_t n;
};

struct diff_who {
    const char *others[SELECTOR_ACTION + 1]; /* of each kind, what no selector names */
    struct diff_fact *facts;
    size_t n_facts;
    uint8_t *choices;         /* n rows: a value for each fact */
    size_t n;                 /* without the last one, of which nothing is known */
    bool classes, path_globs; /* of cgroups: asked for by group, by a path with * */
    bool exact; /* false: there were too many combinations, and these are some of them */
};

bool diff_who_make(struct arena *arena, const struct diff_rules *rules,
                   struct diff_who *out) NODISCARD NONNULL(1, 2, 3);
/* The i-th process, i up to and with w->n; NULL in *out: nothing is known. */
bool diff_who_process(struct arena *arena, const struct diff_who *w, size_t i,
                      const struct event_process **out) NODISCARD NONNULL(1, 2, 4);

/* A group of processes within those that are marked, in words; marks it off. NULL when there is
 * nothing left, "" for everybody. *of is one of the group. Without memory false. */
bool diff_who_tell(struct arena *arena, const struct diff_who *w, uint8_t *marked, size_t *of,
                   const char **out) NODISCARD NONNULL(1, 2, 3, 4, 5);
