/* SPDX-License-Identifier: MIT
 * The flows of UDP that are under way: found by their 4-tuple, let go when nothing has passed for a
 * while, or for another's sake when there are too many. No I/O and no clock: times are the
 * caller's, in milliseconds of one that does not jump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include "attribution/places.h"
#include "base/attrib.h"
#include "bpf/attribution.h"

/* The part of a flow that the table knows, embedded in it. */
struct udp_entry {
    struct flow_key key;
    struct process_key owner;
    struct place place;
    bool may_go;                        /* may be let go when it is idle */
    void (*yield)(struct udp_entry *e); /* the table's */
    uint64_t used_ms, idle_ms;
    LIST_ENTRY(udp_entry) same_bucket;
    TAILQ_ENTRY(udp_entry) by_use;
};

static inline bool udp_entry_is_idle(const struct udp_entry *e, uint64_t now_ms)
{
    return e->may_go && now_ms >= e->used_ms + e->idle_ms;
}

struct udp_table;

/* Room for so many flows: where there is none for another, yield is called for the one that was
 * used longest ago of the process that has most, and removes it; no program starves the others. */
struct udp_table *udp_table_new(size_t max, void (*yield)(struct udp_entry *e)) NODISCARD
    NONNULL(2);
void udp_table_free(struct udp_table *t); /* accepts NULL; the entries are their owner's */

/* Adds an entry whose key and owner are set and whose key is not there yet. Returns 0 or -ENOMEM.
 */
int udp_table_add(struct udp_table *t, struct udp_entry *e, uint64_t now_ms) NODISCARD
    NONNULL(1, 2);
/* The entry is that process's from now on. Returns 0 or -ENOMEM. */
int udp_table_change_owner(struct udp_table *t, struct udp_entry *e,
                           const struct process_key *owner) NODISCARD NONNULL(1, 2, 3);
void udp_table_remove(struct udp_table *t, struct udp_entry *e) NONNULL(1, 2);
struct udp_entry *udp_table_find(const struct udp_table *t, const struct flow_key *key)
    NONNULL(1, 2);
/* Of those that e's owner has, the one that was used longest ago; e itself where it is the only. */
struct udp_entry *udp_table_oldest_of(const struct udp_entry *e) NONNULL(1);
/* Something passed: it is idle from now on, and for idle_ms at most. */
void udp_table_use(struct udp_table *t, struct udp_entry *e, uint64_t now_ms, uint64_t idle_ms)
    NONNULL(1, 2);

/* All entries, the least recently used first; after NULL the first. The next is to be asked for
 * before the present one is removed. */
struct udp_entry *udp_table_next(const struct udp_table *t, const struct udp_entry *e) NONNULL(1);
