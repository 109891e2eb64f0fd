/* SPDX-License-Identifier: MIT
 * One query on its way: read, judged, answered. Shared by the UDP and the TCP side, which only say
 * how an answer is sent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "dns/forward.h"
#include "session/engine.h"
#include "session/judge.h"

/* Sends the answer to the client; len 0: there is none to send (malformed, or the client will ask
 * again). */
typedef void exchange_reply(void *context, const void *message, size_t len);

struct exchange_options {
    struct engine *engine;
    struct flow_key flow;
    struct process *process; /* one count is taken over */
    bool self;               /* the filter is the configured resolver */
    bool tcp;
    const void *query;
    size_t len;
    exchange_reply *reply;
    void *context;
};

/* Takes one query on its way. reply is called in any case, once, perhaps from within. A process
 * that has too many under way is told nothing; of those that wait for a resolver, the oldest of the
 * process that has most fails when another needs its place. */
void exchange_start(const struct exchange_options *o) NONNULL(1);
/* Records as denied, for that reason, what came instead of a query that could be judged, and takes
 * the process over. reply is not called. */
void exchange_drop(const struct exchange_options *o, const char *reason) NONNULL(1, 2);
/* Ends every exchange that waits for a resolver, each with its record; later ones (e->ending is
 * set) are judged and recorded, and ask nobody. */
void exchanges_interrupt(struct engine *e) NONNULL(1);
