/* SPDX-License-Identifier: MIT
 * A hash table of suffixes. A hash says where to look and never that a suffix is the one: clients
 * choose names, and may choose them for their hash. */
#include "rules/name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From the end of the name, so that one pass over it gives the hash of every suffix. */
static uint64_t hash_step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash_end(uint64_t hash)
{
    return hash ^ hash >> 32;
}

static uint64_t depth_bit(size_t depth)
{
    return UINT64_C(1) << (depth < 63 ? depth : 63);
}

int name_table_init(struct name_table *t, size_t n)
{
    size_t size = 16;
    while (size < n + n / 2) /* between a third and two thirds full: small tables stay in caches */
        size *= 2;
    *t = (struct name_table){.mask = size - 1};
    t->slots = calloc(size, sizeof(*t->slots));
    t->nodes = calloc(n + 1, sizeof(*t->nodes));
    return t->slots && t->nodes ? 0 : -ENOMEM;
}

void name_table_release(struct name_table *t)
{
    free(t->slots);
    free(t->nodes);
    *t = (struct name_table){0};
}

/* The slot that holds a suffix, or the empty one where it would be. */
static struct name_slot *find(const struct name_table *t, uint64_t hash, const char *suffix,
                              size_t len)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash_end(hash) & t->mask;; i = (i + 1) & t->mask) {
        struct name_slot *s = &t->slots[i];
        if (s->node == 0)
            return s;
        const struct name_node *node = &t->nodes[s->node - 1];
        if (s->tag == tag && node->len == len && memcmp(node->suffix, suffix, len) == 0)
            return s;
    }
}

uint32_t name_table_add(struct name_table *t, const char *suffix, size_t len)
{
    uint64_t hash = 0;
    size_t depth = 0;
    for (size_t i = len; i-- > 0;) {
        hash = hash_step(hash, suffix[i]);
        depth += suffix[i] == '.';
    }
    struct name_slot *s = find(t, hash, suffix, len);
    if (s->node == 0) {
        t->depths |= depth_bit(depth);
        t->nodes[t->n] = (struct name_node){.suffix = suffix, .len = (uint8_t)len};
        *s = (struct name_slot){(uint32_t)(hash >> 32), (uint32_t)++t->n};
    }
    return s->node - 1;
}

void name_walk_init(struct name_walk *w, const struct name_table *t, const char *name, size_t len)
{
    *w = (struct name_walk){.table = t, .name = name, .len = len, .at = len, .over = t->n == 0};
}

const struct name_node *name_walk_next(struct name_walk *w)
{
    const struct name_table *t = w->table;
    while (!w->over) {
        if (w->depth > 0) /* the dot in front of the last one */
            w->hash = hash_step(w->hash, w->name[--w->at]);
        while (w->at > 0 && w->name[w->at - 1] != '.')
            w->hash = hash_step(w->hash, w->name[--w->at]);
        w->over = w->at == 0;
        if (!(t->depths & depth_bit(w->depth++)))
            continue;
        const struct name_slot *s = find(t, w->hash, w->name + w->at, w->len - w->at);
        if (s->node > 0)
            return &t->nodes[s->node - 1];
    }
    return NULL;
}
