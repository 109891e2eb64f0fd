/* SPDX-License-Identifier: MIT
 * Sorted by where they begin and, there, by size, blocks come like brackets: one pass with a stack
 * finds what surrounds each, and cuts the addresses into pieces with one smallest block each. */
#include "rules/prefix_table.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/address.h"
#include "rules/sort.h"

enum { TOP_BITS_MAX = 16, KEY_BITS = 25 };

struct sweep {
    struct prefix_table *table;
    uint32_t open[33], ends[33]; /* nodes, from the outermost; each is smaller than the last */
    size_t depth;
};

static void put_start(struct prefix_table *t, uint32_t ip, uint32_t node)
{
    if (t->n_starts > 0 && t->starts[t->n_starts - 1].ip == ip)
        t->n_starts--;
    t->starts[t->n_starts++] = (struct prefix_start){ip, node};
}

static uint32_t innermost(const struct sweep *s)
{
    return s->depth > 0 ? s->open[s->depth - 1] : 0;
}

static void close_before(struct sweep *s, uint64_t ip)
{
    while (s->depth > 0 && s->ends[s->depth - 1] < ip) {
        uint32_t end = s->ends[--s->depth];
        if (end < UINT32_MAX)
            put_start(s->table, end + 1, innermost(s));
    }
}

static void open_block(struct sweep *s, uint32_t ip, unsigned bits)
{
    struct prefix_table *t = s->table;
    t->nodes[t->n++] = (struct prefix_node){.parent = innermost(s), .bits = (uint8_t)bits};
    s->open[s->depth] = (uint32_t)t->n;
    s->ends[s->depth++] = ip | ~address_mask(bits);
    put_start(t, ip, (uint32_t)t->n);
}

static int make_tops(struct prefix_table *t)
{
    unsigned bits = 1;
    while (bits < TOP_BITS_MAX && (size_t)1 << bits < t->n_starts)
        bits++;
    size_t n = (size_t)1 << bits, at = 0;
    t->shift = 32 - bits;
    t->tops = calloc(n + 1, sizeof(*t->tops));
    if (!t->tops)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        while (at + 1 < t->n_starts && t->starts[at + 1].ip <= (uint32_t)(i << t->shift))
            at++;
        t->tops[i] = (uint32_t)at;
    }
    t->tops[n] = (uint32_t)(t->n_starts - 1);
    return 0;
}

static void sweep_all(struct prefix_table *t, const uint64_t *sorted, size_t n, uint32_t *nodes)
{
    struct sweep s = {.table = t};
    put_start(t, 0, 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t block = sorted[i] >> KEY_BITS;
        uint32_t ip = (uint32_t)(block >> 6);
        if (i == 0 || sorted[i - 1] >> KEY_BITS != block) {
            close_before(&s, ip);
            open_block(&s, ip, (unsigned)(block & 63));
        }
        nodes[sorted[i] & ((1u << KEY_BITS) - 1)] = (uint32_t)t->n - 1;
    }
    close_before(&s, (uint64_t)UINT32_MAX + 1);
}

int prefix_table_build(struct prefix_table *t, const struct prefix_key *keys, size_t n,
                       uint32_t *nodes)
{
    *t = (struct prefix_table){0};
    if (n == 0)
        return 0;
    uint64_t *sorted = reallocarray(NULL, n * 2, sizeof(*sorted));
    t->nodes = calloc(n, sizeof(*t->nodes));
    t->starts = calloc(n * 2 + 1, sizeof(*t->starts));
    int result = -ENOMEM;
    if (sorted && t->nodes && t->starts) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = ((uint64_t)keys[i].ip << 6 | keys[i].bits) << KEY_BITS | i;
        sort_numbers(sorted, sorted + n, n, KEY_BITS);
        sweep_all(t, sorted, n, nodes);
        result = make_tops(t);
    }
    free(sorted);
    return result;
}

void prefix_table_release(struct prefix_table *t)
{
    free(t->nodes);
    free(t->starts);
    free(t->tops);
    *t = (struct prefix_table){0};
}

const struct prefix_node *prefix_table_find(const struct prefix_table *t, uint32_t ip)
{
    if (t->n == 0)
        return NULL;
    size_t low = t->tops[ip >> t->shift], high = t->tops[(ip >> t->shift) + 1];
    while (low < high) { /* the last start that is not behind ip */
        size_t middle = (low + high + 1) / 2;
        if (t->starts[middle].ip <= ip)
            low = middle;
        else
            high = middle - 1;
    }
    return t->starts[low].node ? &t->nodes[t->starts[low].node - 1] : NULL;
}

const struct prefix_node *prefix_table_up(const struct prefix_table *t,
                                          const struct prefix_node *node)
{
    return node->parent ? &t->nodes[node->parent - 1] : NULL;
}
