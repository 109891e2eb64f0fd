/* SPDX-License-Identifier: MIT
 * The fixed parts of names, found by hash: a name asks once for each of its suffixes, whatever the
 * number of rules. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* What all rules with one suffix have in common. */
struct name_node {
    const char *suffix; /* borrowed, not NUL-terminated */
    uint32_t lists;     /* the first of its lists, as in matcher.h */
    uint16_t has;       /* which lists: a bit each */
    uint8_t len;
    uint8_t few; /* it has one list, of this many entries, and `lists` is the first of these */
};

struct name_slot {
    uint32_t tag, node; /* node counts from 1; 0: empty */
};

struct name_table {
    struct name_slot *slots;
    struct name_node *nodes; /* in the order in which they came */
    size_t mask, n;
    uint64_t depths; /* which numbers of labels there are suffixes of; the last bit: 64 and more */
};

/* Makes room for n suffixes. -ENOMEM. */
int name_table_init(struct name_table *t, size_t n) NODISCARD NONNULL(1);
/* Accepts a half-built one. */
void name_table_release(struct name_table *t) NONNULL(1);
/* The number of a suffix, which it takes in if it is new. */
uint32_t name_table_add(struct name_table *t, const char *suffix, size_t len) NONNULL(1, 2);

/* A name while its suffixes are looked up, the shortest first. */
struct name_walk {
    const struct name_table *table;
    const char *name;
    size_t len, at; /* the suffix looked up last begins at `at` */
    size_t depth;
    uint64_t hash;
    bool over;
};

void name_walk_init(struct name_walk *w, const struct name_table *t, const char *name, size_t len)
    NONNULL(1, 2, 3);
/* The next suffix that is there, beginning at w->at; NULL at the end. */
const struct name_node *name_walk_next(struct name_walk *w) NODISCARD NONNULL(1);
