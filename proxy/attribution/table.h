/* SPDX-License-Identifier: MIT
 * The keeper's table of processes, filled from the ring of exec, fork and exit events. It knows
 * nothing of BPF: it is handed events, and answers for (pid, start, exec). Bounded: processes that
 * have exited are forgotten oldest first, after PROCESS_GRACE_NS, unless a record is still held;
 * where those that live take too much, of new ones no more is kept than the executable. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "attribution/process.h"
#include "base/attrib.h"

struct process_table;

#define PROCESS_GRACE_NS (600 * UINT64_C(1000000000))

/* exec_id of a process that was read from /proc, which does not tell it; its start_ns is then in
 * clock ticks of PROCESS_TICK_NS (field 22 of /proc/PID/stat times PROCESS_TICK_NS). It answers for
 * any exec_id until an exec of the process is seen. */
#define PROCESS_EXEC_ANY UINT32_MAX
#define PROCESS_TICK_NS  UINT64_C(10000000)

struct process_table_options {
    size_t max_bytes;  /* memory for records of processes that have gone; 0: 64 MiB */
    size_t max_memory; /* for all records, beyond which new ones are bare; 0: 256 MiB */
    /* Resolvers of names, so that the table itself touches nothing; each may be NULL and may return
     * NULL. The strings are copied. */
    const char *(*user_name)(void *context, uint32_t uid);
    const char *(*cgroup_path)(void *context, uint64_t cgroup_id);
    void *context;
};

struct process_table *process_table_new(const struct process_table_options *o) NODISCARD;
void process_table_free(struct process_table *t);

/* Takes one event as it came from the ring. Malformed or cut events are counted and ignored. */
void process_table_event(struct process_table *t, const void *event, size_t len, uint64_t now_ns)
    NONNULL(1, 2);
/* Adds a process that is older than the hooks (its chain of ancestors is added by the same call for
 * each of them, the first one first). Strings are copied. With a parent the ancestors are taken
 * from the parent's record; without one those of p count, and its FACT_PARENTS: set it for the
 * first process of all. -EEXIST: an event has told more already; -ENOMEM. */
int process_table_add_old(struct process_table *t, const struct process *p,
                          const struct process_key *parent) NONNULL(1, 2);

/* The record of what this process was at that exec; the caller owns one count. NULL: not known. */
struct process *process_table_get(struct process_table *t, const struct process_key *key) NODISCARD
    NONNULL(1, 2);

/* Whether that execution is the newest one of a process that has not ended. */
bool process_table_lives(const struct process_table *t, const struct process_key *key)
    NONNULL(1, 2);

struct process_table_stats {
    uint64_t execs, forks, exits, evicted, malformed, unknown, bare;
    size_t live, gone, bytes;
};
void process_table_stats(const struct process_table *t, struct process_table_stats *out)
    NONNULL(1, 2);
