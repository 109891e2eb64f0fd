/* SPDX-License-Identifier: MIT
 * Events as people write them, in one line, for the tests of a policy and for questions about it:
 *
 *     [METHOD] https://HOST[:PORT]/PATH [at ADDRESS]
 *     tls HOST[:PORT] [at ADDRESS]             TLS by its server name; an ADDRESS: without one
 *     tcp ADDRESS:PORT [host=NAME]             or tcp NAME:PORT, wherever that lies
 *     udp ADDRESS:PORT
 *     dns NAME [at ADDRESS[:PORT]]             without a resolver: at the filter itself
 *
 * then, as far as they are known, facts of the process in the words of selectors (exe=, arg= once
 * for each argument, parent= for each ancestor, …), seen=NAME for a name that was resolved to the
 * address, and first_bytes=unknown or http for what a tcp client said. Pure. */
#pragma once

#include "base/buffer.h"
#include "rules/arena.h"
#include "rules/line.h"
#include "rules/policy.h"

/* Holds what the event borrows, itself included, so it stays where it is. */
struct event_words {
    struct event event;
    struct event_process process;
    struct arena arena;
};

/* Reads a text; false when it is no event, after saying why. Released in any case. */
bool event_words_parse(struct reporter *r, struct span text, struct event_words *out) NODISCARD
    NONNULL(1, 3);
void event_words_release(struct event_words *w) NONNULL(1);

/* Appends the text of an event that these words can say: not one of EVENT_OTHER. What is read from
 * it again is the same to every policy. */
void event_words_write(const struct event *e, struct buffer *out) NONNULL(1, 2);
