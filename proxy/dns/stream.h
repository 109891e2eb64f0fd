/* SPDX-License-Identifier: MIT
 * DNS over TCP: streams of messages behind two bytes of length (RFC 1035 section 4.2.2, RFC 7766).
 * Answers leave as they come, not in the order of the questions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "session/engine.h"

struct streams;

struct stream_limits {
    unsigned idle_ms;  /* how long a stream may say nothing, or hear nothing of what it is told */
    unsigned whole_ms; /* how long a message may take from its first byte to its last */
    size_t streams;    /* at once; beyond it one of the process that has most is ended */
    size_t unread;     /* bytes of answers in all of them; the same */
};
extern const struct stream_limits stream_limits;

struct streams *streams_new(struct engine *e, const struct stream_limits *limits) NODISCARD
    NONNULL(1, 2);
void streams_free(struct streams *s); /* accepts NULL; ends none */

struct stream_start {
    int fd; /* non-blocking; taken over, as is the process */
    struct flow_key flow;
    struct process *process; /* NULL: not attributed */
    bool self;               /* the filter is the resolver */
    const void *said;        /* what the client said already, as it was read from fd; borrowed */
    size_t said_len;
};
/* Serves one connection to its end. */
void stream_serve(struct streams *s, const struct stream_start *start) NONNULL(1, 2);
