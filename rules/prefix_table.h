/* SPDX-License-Identifier: MIT
 * Blocks of addresses, and the ones that an address lies in: one search finds the smallest, and
 * each block knows the one around it. Blocks never overlap in part, so there is nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* What all rules about one block have in common. */
struct prefix_node {
    uint32_t parent; /* counts from 1; 0: none */
    uint32_t lists;  /* the first of its lists, as in matcher.h */
    uint16_t has;    /* which lists: a bit each */
    uint8_t bits;
    uint8_t few; /* it has one list, of this many entries, and `lists` is the first of these */
};

/* From here to the next start, the smallest block is this one. */
struct prefix_start {
    uint32_t ip;
    uint32_t node; /* counts from 1; 0: none */
};

struct prefix_table {
    struct prefix_node *nodes;
    struct prefix_start *starts; /* by address; the first is 0.0.0.0 */
    uint32_t *tops;              /* by the top bits of an address, where to begin among starts */
    size_t n, n_starts;
    unsigned shift;
};

/* One rule's block. */
struct prefix_key {
    uint32_t ip;
    uint8_t bits;
};

/* Builds it from n keys, fewer than 2^25, and writes for each the number of its node. -ENOMEM. */
int prefix_table_build(struct prefix_table *t, const struct prefix_key *keys, size_t n,
                       uint32_t *nodes) NODISCARD NONNULL(1);
/* Accepts a half-built one. */
void prefix_table_release(struct prefix_table *t) NONNULL(1);
/* The smallest block around an address, or NULL. */
const struct prefix_node *prefix_table_find(const struct prefix_table *t, uint32_t ip) NONNULL(1);
/* The next larger one, or NULL. */
const struct prefix_node *prefix_table_up(const struct prefix_table *t,
                                          const struct prefix_node *node) NONNULL(1, 2);
