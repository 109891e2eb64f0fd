/* SPDX-License-Identifier: MIT
 * The proxy's way from a flow to a process: the owner out of the hooks' map, then the record, from
 * a cache or by asking the keeper. */
#pragma once

#include <stdbool.h>

#include "attribution/once.h"
#include "attribution/process.h"
#include "base/attrib.h"
#include "keeper/requests.h"

struct who;

/* p: the caller owns one count; NULL: not attributed. Never called from within who_ask. */
typedef void who_done(void *context, struct process *p);

/* connections: those that any loop of the run has asked for, in shared memory. digests: with the
 * digests of executables, where they can be known. */
struct who *who_new(struct requests *requests, struct ipc *keeper, int flows_fd,
                    struct once *connections, bool digests) NODISCARD NONNULL(1, 2, 4);
void who_free(struct who *w); /* accepts NULL */

/* Finds who made a flow. Returns true when that has to be asked: done is called then. False: *now
 * is set (the caller owns a count; NULL when the flow has no owner), and done is not called. */
bool who_ask(struct who *w, const struct flow_key *key, who_done *done, void *context,
             struct process **now) NODISCARD NONNULL(1, 2, 3, 5);

/* Whether a flow of datagrams is still p's, by the newest that were sent. What nobody could be
 * named for (p NULL) is still nobody's. */
bool who_still(const struct who *w, const struct flow_key *key, const struct process *p) NODISCARD
    NONNULL(1, 2);
