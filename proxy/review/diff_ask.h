/* SPDX-License-Identifier: MIT
 * The questions about one target (a name, a block of addresses, or a name at an address) and their
 * answers by both policies. */
#pragma once

#include "review/diff_find.h"
#include "review/diff_who.h"

struct diff_question {
    enum diff_kind kind;
    struct event event; /* without a process */
    size_t port;        /* number of its cell; n_ports for none */
    bool https;
    unsigned methods;
    const char *path;
    size_t base; /* a question that says the same more simply, plus 1; 0: none */
};

struct diff_answer {
    struct verdict before, after;
    bool differs;
};

struct diff_target {
    struct arena arena; /* of everything below */
    const struct policy *before, *after;
    const struct diff_name *name;   /* NULL: an address alone */
    const struct diff_block *block; /* NULL: a name, wherever it lies */
    const char *place;              /* what the block is called, or NULL: by its addresses */
    struct diff_rules rules;        /* those about it */
    struct diff_ports ports;
    struct diff_who who;
    struct diff_question *questions;
    size_t n, size;
    struct diff_answer *answers; /* a row of who.n + 1 for each question */
    bool exact;
};

/* Asks everything. The caller sets what is above rules, and releases the arena in any
 * case. False without memory. */
bool diff_ask(struct diff_target *t, const struct diff_rules *all, const struct diff_cells *cells,
              size_t *budget) NODISCARD NONNULL(1, 2, 3, 4);
/* Whether two answers are the same change. */
bool diff_same_change(const struct diff_answer *a, const struct diff_answer *b) NONNULL(1, 2);
