/* SPDX-License-Identifier: MIT
 * The inside of the forwarder, shared by its two files: who waits for what (forward.c), and how it
 * is asked (forward_try.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "dns/forward.h"
#include "dns/kept.h"
#include "dns/ports.h"

enum {
    FORWARD_QUERY_ROOM = 300, /* header, longest question, OPT; and the length before it on TCP */
    FORWARD_PREFIX = 2,
    FORWARD_BUCKETS = 256,
    FORWARD_IDS = 128, /* what getrandom(2) gives in one piece, in any case */
};

enum try_state {
    TRY_NONE,
    TRY_UDP,         /* sent, waiting for a datagram */
    TRY_TCP_WRITING, /* connecting, or the query is on its way */
    TRY_TCP_READING,
};

/* Somebody who waits for an answer. */
struct forward_query {
    struct inquiry *inquiry;
    LIST_ENTRY(forward_query) link;
    forward_done *done;
    void *context;
};

/* One question on its way to resolvers, for all who ask the same meanwhile. */
struct inquiry {
    struct forwarder *forwarder;
    LIST_ENTRY(inquiry) link;
    LIST_HEAD(askers, forward_query) askers;
    bool finishing; /* askers are being called back; nobody may join */
    bool *gone;     /* set when it is freed meanwhile */
    struct dns_question question;
    struct resolver_address resolvers[RESOLVERS_MAX];
    size_t n_resolvers;
    bool tcp_when_cut, tcp_alone, only_kept;
    struct kept_key key;

    size_t tries;               /* begun so far */
    int64_t give_up, try_until; /* milliseconds of a clock that does not jump */
    int status;                 /* of the try that failed last */

    enum try_state state;
    struct port *port;   /* UDP */
    int fd;              /* TCP */
    struct event *event; /* of fd, or of nothing but time */
    unsigned bad;        /* messages of this try that were no answer */
    uint16_t id;         /* of this try */
    size_t out_len;      /* of the message in `out`, behind its length */
    size_t sent;
    struct buffer in; /* TCP: the length and what came of the message; else a kept answer */
    uint8_t out[FORWARD_QUERY_ROOM];
};

struct forwarder {
    struct event_base *base;
    struct resolver resolvers[RESOLVERS_MAX];
    size_t n_resolvers;
    struct kept *kept;
    struct ports *ports;
    size_t n_inquiries;
    LIST_HEAD(inquiries, inquiry) inquiries[FORWARD_BUCKETS];
    uint16_t ids[FORWARD_IDS]; /* random, for tries to come; what was used is zero */
    size_t n_ids;
    uint8_t datagram[DNS_MESSAGE_MAX];
};

/* forward_try.c: begins the first try. Returns 0, or a negative errno: nobody will be told. */
int inquiry_begin(struct inquiry *q) NODISCARD NONNULL(1);
/* Has the event loop give the kept answer that lies in `in`. */
int inquiry_give(struct inquiry *q) NODISCARD NONNULL(1);
/* Ends a try: nothing of it can reach us any more. */
void inquiry_drop_try(struct inquiry *q) NONNULL(1);

/* forward.c: hands the outcome over to all askers, and frees the inquiry. */
void inquiry_finish(struct inquiry *q, int status, const void *message, size_t len,
                    const struct dns_answer *a) NONNULL(1);
