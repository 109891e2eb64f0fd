/* SPDX-License-Identifier: MIT
 * The forwarder: sends queries to resolvers, checks what comes back, and resolves names for the
 * filter itself the same way. Non-blocking, on libevent; a socket with a port of its own for each
 * query; retries over several resolvers, TCP where an answer was cut. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "dns/wire.h"

struct event_base;
struct forwarder;
struct forward_query;

struct resolver_address {
    uint32_t ip; /* host byte order */
    uint16_t port;
};
#define RESOLVERS_MAX 8

struct forwarder *forwarder_new(struct event_base *base, const struct resolver_address *resolvers,
                                size_t n) NODISCARD NONNULL(1);
/* Drops what is under way without calling back; accepts NULL. */
void forwarder_free(struct forwarder *f);

/* status: 0 with the message as it came (already read by dns_read_answer into *a), or -ETIMEDOUT,
 * -ECONNREFUSED, -EBADMSG, -EMFILE, …: then message is NULL. Called once, never from within the
 * call that started the query. */
typedef void forward_done(void *context, int status, const void *message, size_t len,
                          const struct dns_answer *a);

/* Sends a client's query on; `only`, where not NULL, is the one resolver to ask. tcp: an answer
 * that was cut is asked for again over TCP (else it is given as it is). Copies what it needs.
 * Returns NULL with errno when it cannot be started; at most FORWARD_MAX are under way. */
#define FORWARD_MAX 4096
struct forward_query *forward_query(struct forwarder *f, const struct dns_question *q,
                                    const void *query, const struct resolver_address *only, int tcp,
                                    forward_done *done, void *context) NODISCARD
    NONNULL(1, 2, 3, 6);
/* Resolves a name's IPv4 addresses for ourselves. */
struct forward_query *forward_resolve(struct forwarder *f, const char *host, forward_done *done,
                                      void *context) NODISCARD NONNULL(1, 2, 3);
/* The asker has gone: done is not called any more. Accepts NULL. */
void forward_cancel(struct forward_query *query);
