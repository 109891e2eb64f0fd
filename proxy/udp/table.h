/* SPDX-License-Identifier: MIT
 * The flows of UDP that are under way: found by their 4-tuple, let go when nothing has passed for a
 * while, or for another's sake when there are too many. No I/O and no clock: times are the
 * caller's, in milliseconds of one that does not jump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include "base/attrib.h"
#include "bpf/attribution.h"

/* The part of a flow that the table knows, embedded in it. */
struct udp_entry {
    struct flow_key key;
    struct process_key owner;
    bool may_go; /* may be let go for another's sake */
    uint64_t used_ms, idle_ms;
    LIST_ENTRY(udp_entry) same_bucket;
    TAILQ_ENTRY(udp_entry) by_use;
};

static inline bool udp_entry_is_idle(const struct udp_entry *e, uint64_t now_ms)
{
    return e->may_go && now_ms >= e->used_ms + e->idle_ms;
}

struct udp_table;

/* Room for so many flows, half of them for one process: no program starves the others. */
struct udp_table *udp_table_new(size_t max) NODISCARD;
void udp_table_free(struct udp_table *t); /* accepts NULL; the entries are their owner's */

/* Adds an entry whose key and owner are set and whose key is not there yet. */
void udp_table_add(struct udp_table *t, struct udp_entry *e, uint64_t now_ms) NONNULL(1, 2);
void udp_table_remove(struct udp_table *t, struct udp_entry *e) NONNULL(1, 2);
struct udp_entry *udp_table_find(const struct udp_table *t, const struct flow_key *key)
    NONNULL(1, 2);
/* Something passed: it is idle from now on, and for idle_ms at most. */
void udp_table_use(struct udp_table *t, struct udp_entry *e, uint64_t now_ms, uint64_t idle_ms)
    NONNULL(1, 2);

/* Whether one more flow of that process has room. Where it is false, *goes is the least recently
 * used entry that may go instead: of the same process where that has too many; NULL where none may
 * go. */
bool udp_table_room(const struct udp_table *t, const struct process_key *owner,
                    struct udp_entry **goes) NODISCARD NONNULL(1, 2, 3);
/* All entries, the least recently used first; after NULL the first. The next is to be asked for
 * before the present one is removed. */
struct udp_entry *udp_table_next(const struct udp_table *t, const struct udp_entry *e) NONNULL(1);
