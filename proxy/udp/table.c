/* SPDX-License-Identifier: MIT
 * A hash over 4-tuples and one list by last use. With a few thousand flows at most, what is asked
 * for seldom walks the list. */
#include "udp/table.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct udp_table {
    size_t n, max;
    TAILQ_HEAD(udp_by_use, udp_entry) by_use;
    LIST_HEAD(udp_bucket, udp_entry) buckets[BUCKETS];
};

struct udp_table *udp_table_new(size_t max)
{
    struct udp_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->max = max;
    TAILQ_INIT(&t->by_use);
    return t;
}

void udp_table_free(struct udp_table *t)
{
    free(t);
}

static size_t bucket_of(const struct flow_key *k)
{
    const uint64_t ports = (uint64_t)k->src_port << 16 | k->dst_port;
    uint64_t h = ((uint64_t)k->dst_ip << 32 | ports) ^ k->src_ip;
    h *= UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio: the top bits are mixed */
    return h >> 52;
}

static bool same_flow(const struct flow_key *a, const struct flow_key *b)
{
    return a->src_ip == b->src_ip && a->dst_ip == b->dst_ip && a->src_port == b->src_port &&
           a->dst_port == b->dst_port && a->proto == b->proto;
}

static bool same_process(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->start_ns == b->start_ns;
}

void udp_table_add(struct udp_table *t, struct udp_entry *e, uint64_t now_ms)
{
    e->used_ms = now_ms;
    LIST_INSERT_HEAD(&t->buckets[bucket_of(&e->key)], e, same_bucket);
    TAILQ_INSERT_TAIL(&t->by_use, e, by_use);
    t->n++;
}

void udp_table_remove(struct udp_table *t, struct udp_entry *e)
{
    LIST_REMOVE(e, same_bucket);
    TAILQ_REMOVE(&t->by_use, e, by_use);
    t->n--;
}

struct udp_entry *udp_table_find(const struct udp_table *t, const struct flow_key *key)
{
    struct udp_entry *e;
    LIST_FOREACH(e, &t->buckets[bucket_of(key)], same_bucket)
    if (same_flow(&e->key, key))
        return e;
    return NULL;
}

void udp_table_use(struct udp_table *t, struct udp_entry *e, uint64_t now_ms, uint64_t idle_ms)
{
    e->used_ms = now_ms;
    e->idle_ms = idle_ms;
    TAILQ_REMOVE(&t->by_use, e, by_use);
    TAILQ_INSERT_TAIL(&t->by_use, e, by_use);
}

/* The least recently used that may go; owner NULL: whoever's it is. */
static struct udp_entry *oldest(const struct udp_table *t, const struct process_key *owner)
{
    struct udp_entry *e;
    TAILQ_FOREACH(e, &t->by_use, by_use)
    if (e->may_go && (!owner || same_process(&e->owner, owner)))
        return e;
    return NULL;
}

static size_t count_of(const struct udp_table *t, const struct process_key *owner)
{
    const struct udp_entry *e;
    size_t n = 0;
    TAILQ_FOREACH(e, &t->by_use, by_use)
    n += same_process(&e->owner, owner);
    return n;
}

bool udp_table_room(const struct udp_table *t, const struct process_key *owner,
                    struct udp_entry **goes)
{
    *goes = NULL;
    /* A process cannot have more than there are. */
    if (t->n >= t->max / 2 && count_of(t, owner) >= t->max / 2)
        *goes = oldest(t, owner);
    else if (t->n >= t->max)
        *goes = oldest(t, NULL);
    else
        return true;
    return false;
}

struct udp_entry *udp_table_next(const struct udp_table *t, const struct udp_entry *e)
{
    return e ? TAILQ_NEXT(e, by_use) : TAILQ_FIRST(&t->by_use);
}
