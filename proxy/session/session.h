/* SPDX-License-Identifier: MIT
 * One intercepted TCP connection, from its first byte to its closing record. */
#pragma once

#include "attribution/process.h"
#include "base/attrib.h"
#include "session/engine.h"

enum session_kind {
    SESSION_EGRESS,    /* judged */
    SESSION_HOST_PORT, /* let in by --host-port: goes to that port of the host's loopback */
};

/* Ends every session that could end by itself no more: each is recorded so. */
void sessions_interrupt(struct engine *e) NONNULL(1);

/* Sets at a listening socket what its connections inherit, so that none of it costs a call each: a
 * client that has gone for good, with its socket orphaned, does not hold a session for ever; what
 * is sent leaves at once; and a close that nobody asked for is a reset. */
void session_prepare(int listener);
/* Takes the descriptor (non-blocking, of a listener that was prepared) and the process (one count,
 * or NULL) over. */
void session_start(struct engine *e, int fd, const struct flow_key *flow, struct process *process,
                   enum session_kind kind) NONNULL(1, 3);
