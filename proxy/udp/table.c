/* SPDX-License-Identifier: MIT
 * A hash over 4-tuples, one list by last use, and the places of each process. */
#include "udp/table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct udp_table {
    struct places *places;
    void (*yield)(struct udp_entry *e);
    TAILQ_HEAD(udp_by_use, udp_entry) by_use;
    LIST_HEAD(udp_bucket, udp_entry) buckets[BUCKETS];
};

struct udp_table *udp_table_new(size_t max, void (*yield)(struct udp_entry *e))
{
    struct udp_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->yield = yield;
    t->places = places_new(max, max);
    if (!t->places) {
        free(t);
        return NULL;
    }
    TAILQ_INIT(&t->by_use);
    return t;
}

void udp_table_free(struct udp_table *t)
{
    if (t)
        places_free(t->places);
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

static struct udp_entry *entry_of(struct place *place)
{
    return (struct udp_entry *)((char *)place - offsetof(struct udp_entry, place));
}

static void give_way(struct place *place)
{
    struct udp_entry *e = entry_of(place);
    e->yield(e);
}

struct udp_entry *udp_table_oldest_of(const struct udp_entry *e)
{
    return entry_of(places_oldest_of(&e->place));
}

int udp_table_change_owner(struct udp_table *t, struct udp_entry *e,
                           const struct process_key *owner)
{
    places_give(t->places, &e->place);
    e->owner = *owner;
    return places_take(t->places, &e->place, owner);
}

int udp_table_add(struct udp_table *t, struct udp_entry *e, uint64_t now_ms)
{
    e->yield = t->yield;
    e->place.yield = give_way;
    int failed = places_take(t->places, &e->place, &e->owner);
    if (failed)
        return failed;
    e->used_ms = now_ms;
    LIST_INSERT_HEAD(&t->buckets[bucket_of(&e->key)], e, same_bucket);
    TAILQ_INSERT_TAIL(&t->by_use, e, by_use);
    return 0;
}

void udp_table_remove(struct udp_table *t, struct udp_entry *e)
{
    LIST_REMOVE(e, same_bucket);
    TAILQ_REMOVE(&t->by_use, e, by_use);
    places_give(t->places, &e->place);
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
    places_use(t->places, &e->place);
    TAILQ_REMOVE(&t->by_use, e, by_use);
    TAILQ_INSERT_TAIL(&t->by_use, e, by_use);
}

struct udp_entry *udp_table_next(const struct udp_table *t, const struct udp_entry *e)
{
    return e ? TAILQ_NEXT(e, by_use) : TAILQ_FIRST(&t->by_use);
}
