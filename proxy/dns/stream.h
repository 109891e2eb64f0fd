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

struct streams *streams_new(struct engine *e) NODISCARD NONNULL(1);
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
