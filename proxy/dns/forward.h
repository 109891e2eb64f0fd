/* SPDX-License-Identifier: MIT
 * The forwarder: sends queries to resolvers, checks what comes back, and resolves names for the
 * filter itself the same way. Non-blocking, on libevent; a port of its own for each query; retries
 * over several resolvers, TCP where an answer was cut; what is asked more than once at a time is
 * sent once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "dns/kept.h"
#include "dns/resolver.h"
#include "dns/wire.h"

struct event_base;
struct forwarder;
struct forward_query;

struct forwarder *forwarder_new(struct event_base *base, const struct resolver *resolvers,
                                size_t n) NODISCARD NONNULL(1);
/* Drops what is under way without calling back; accepts NULL. */
void forwarder_free(struct forwarder *f);

/* Answers that are kept: to names that kept_ask was told of when their question left. While one
 * counts it is given to whoever asks, and nobody else is asked. */
struct kept *forwarder_kept(struct forwarder *f) NONNULL(1);
/* What a question is kept under; borrows from q. only: as in forward_query. */
struct kept_key forward_key(const struct dns_question *q, const struct resolver_address *only)
    NONNULL(1);

/* status: 0 with the message as it came (already read by dns_read_answer into *a), or -ETIMEDOUT,
 * -ECONNREFUSED, -EBADMSG, -EMFILE, …: then message is NULL. Called once, never from within the
 * call that started the query. */
typedef void forward_done(void *context, int status, const void *message, size_t len,
                          const struct dns_answer *a);

/* How to ask. */
enum forward_how {
    FORWARD_TCP = 1, /* an answer that was cut is asked for again over TCP, else given as it is */
    FORWARD_TCP_ALONE = 4, /* asked over TCP, and never over UDP */
    FORWARD_KEPT = 2, /* only a kept answer counts, or one that is on its way: nothing may leave */
};
/* Sends a client's query on; `only`, where not NULL, is the one resolver to ask, else those of the
 * zone that its name lies in, in the order in which they were given. how: of enum
 * forward_how. Copies what it needs. Returns NULL with errno when it cannot be started; at most
 * FORWARD_MAX are under way; EKEYEXPIRED: by FORWARD_KEPT there is no answer. */
#define FORWARD_MAX 4096
struct forward_query *forward_query(struct forwarder *f, const struct dns_question *q,
                                    const void *query, const struct resolver_address *only, int how,
                                    forward_done *done, void *context) NODISCARD
    NONNULL(1, 2, 3, 6);
/* Resolves a name's IPv4 addresses for ourselves, over TCP where need be. */
struct forward_query *forward_resolve(struct forwarder *f, const char *host, int how,
                                      forward_done *done, void *context) NODISCARD NONNULL(1, 2, 4);
/* The asker has gone: done is not called any more. Accepts NULL. */
void forward_cancel(struct forward_query *query);
