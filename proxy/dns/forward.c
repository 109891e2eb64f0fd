/* SPDX-License-Identifier: MIT
 * The forwarder. Each try of a query has a connected socket of its own, so that the kernel drops
 * what comes from elsewhere, and a port and an id that a forger would have to guess anew. */
#include "dns/forward.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buffer.h"
#include "base/fd.h"

enum {
    ROUNDS = 2, /* over all resolvers */
    OVERALL_MS = 8000,
    BAD_MAX = 16,     /* messages that fail their checks, until a try counts as under attack */
    QUERY_ROOM = 300, /* header, longest question, OPT; and the length before it on TCP */
    PREFIX = 2,
};
/* How long a try may take, by round: a second one meets a resolver that is slow. */
static const int64_t round_ms[ROUNDS] = {2000, 4000};

enum try_state {
    TRY_NONE,
    TRY_UDP,         /* sent, waiting for a datagram */
    TRY_TCP_WRITING, /* connecting, or the query is on its way */
    TRY_TCP_READING,
};

struct forward_query {
    struct forwarder *forwarder;
    struct forward_query *previous, *next; /* of those under way */
    struct dns_question question;
    struct resolver_address only;
    bool has_only, tcp_when_cut;
    forward_done *done;
    void *context;

    size_t tries;               /* begun so far */
    int64_t give_up, try_until; /* milliseconds of a clock that does not jump */
    int status;                 /* of the try that failed last */

    enum try_state state;
    int fd;
    struct event *event;
    unsigned bad;   /* messages of this try that were no answer */
    uint16_t id;    /* of this try */
    size_t out_len; /* of the message in `out`, behind its length */
    size_t sent;
    struct buffer in; /* TCP: the length and what came of the message */
    uint8_t out[QUERY_ROOM];
};

struct forwarder {
    struct event_base *base;
    struct resolver_address resolvers[RESOLVERS_MAX];
    size_t n_resolvers;
    size_t n_queries;
    struct forward_query *queries;
    uint8_t datagram[DNS_MESSAGE_MAX];
};

static void on_event(evutil_socket_t fd, short what, void *context);

static int64_t now_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits on until the try is over: a persistent event's own time would begin anew with each
 * message. */
static int wait_on(struct forward_query *q)
{
    int64_t left = MAX(q->try_until - now_ms(), 0);
    struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    return event_add(q->event, &tv) ? -ENOMEM : 0;
}

/* Waits for the socket, or for the end of the try; on_event comes in any case. */
static int arm(struct forward_query *q, short what)
{
    if (q->event)
        event_free(q->event);
    q->event = event_new(q->forwarder->base, q->fd, what, on_event, q);
    return q->event ? wait_on(q) : -ENOMEM;
}

/* Ends a try: nothing of it can reach us any more. */
static void drop_try(struct forward_query *q)
{
    if (q->event)
        event_free(q->event);
    q->event = NULL;
    fd_close(&q->fd);
    buffer_clear(&q->in);
    q->state = TRY_NONE;
    q->bad = 0;
    q->sent = 0;
}

static void query_free(struct forward_query *q)
{
    struct forwarder *f = q->forwarder;
    drop_try(q);
    buffer_release(&q->in);
    if (q->previous)
        q->previous->next = q->next;
    else
        f->queries = q->next;
    if (q->next)
        q->next->previous = q->previous;
    f->n_queries--;
    free(q);
}

static size_t resolver_count(const struct forward_query *q)
{
    return q->has_only ? 1 : q->forwarder->n_resolvers;
}

/* Connects a new socket to the resolver of the present try. */
static int open_socket(struct forward_query *q, int type)
{
    size_t i = (q->tries - 1) % resolver_count(q);
    const struct resolver_address *r = q->has_only ? &q->only : &q->forwarder->resolvers[i];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr.s_addr = htonl(r->ip)};
    q->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->fd < 0)
        return -errno;
    if (connect(q->fd, (const struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
        return -errno;
    return 0;
}

/* Gives the query an id that nobody can foresee. */
static int renew_id(struct forward_query *q)
{
    if (getrandom(&q->id, sizeof(q->id), 0) != sizeof(q->id))
        return -EIO;
    q->out[PREFIX] = (uint8_t)(q->id >> 8);
    q->out[PREFIX + 1] = (uint8_t)q->id;
    return 0;
}

static int begin_udp(struct forward_query *q)
{
    int r = renew_id(q);
    if (!r)
        r = open_socket(q, SOCK_DGRAM);
    if (!r && send(q->fd, q->out + PREFIX, q->out_len, MSG_NOSIGNAL) < 0)
        r = -errno;
    q->state = TRY_UDP;
    return r ? r : arm(q, EV_READ | EV_PERSIST);
}

static int64_t try_end(const struct forward_query *q)
{
    return MIN(now_ms() + round_ms[(q->tries - 1) / resolver_count(q)], q->give_up);
}

/* The answer was cut: the same resolver is asked over TCP. */
static int begin_tcp(struct forward_query *q)
{
    drop_try(q);
    q->try_until = try_end(q);
    int r = renew_id(q);
    if (!r)
        r = open_socket(q, SOCK_STREAM);
    q->state = TRY_TCP_WRITING;
    return r ? r : arm(q, EV_WRITE);
}

/* Begins the next try. One that fails at once is left to the event loop, so that nobody is called
 * back from within the call that started the query. */
static int begin_try(struct forward_query *q)
{
    drop_try(q);
    q->tries++;
    q->try_until = try_end(q);
    q->status = begin_udp(q);
    if (!q->status)
        return 0;
    drop_try(q);
    q->try_until = 0;
    return arm(q, EV_TIMEOUT);
}

/* Hands the outcome over. The query is gone before its asker hears of it, who may start others. */
static void finish(struct forward_query *q, int status, const void *message, size_t len,
                   const struct dns_answer *a)
{
    struct buffer in = q->in; /* the message may lie in it */
    forward_done *done = q->done;
    void *context = q->context;
    buffer_init(&q->in);
    query_free(q);
    done(context, status, message, len, a);
    buffer_release(&in);
}

static void try_failed(struct forward_query *q, int status)
{
    q->status = status;
    if (q->tries >= resolver_count(q) * ROUNDS || now_ms() >= q->give_up)
        finish(q, status, NULL, 0, NULL);
    else if (begin_try(q))
        finish(q, -ENOMEM, NULL, 0, NULL);
}

/* Whether another resolver, not yet asked, may know more than this one. */
static bool is_worth_another(const struct forward_query *q, unsigned rcode)
{
    return (rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP || rcode == DNS_REFUSED) &&
           q->tries < resolver_count(q);
}

/* Takes a message: 0 when the query is over or goes on elsewhere, -EBADMSG when it is no answer. */
static int take_message(struct forward_query *q, const void *message, size_t len)
{
    struct dns_answer answer;
    /* The question goes on as it was asked, so what we sent serves as the query too. */
    if (dns_read_answer(message, len, q->id, &q->question, q->out + PREFIX, &answer, NULL))
        return -EBADMSG;
    if (answer.truncated && q->tcp_when_cut && q->state == TRY_UDP) {
        int r = begin_tcp(q);
        if (r)
            try_failed(q, r);
    } else if (is_worth_another(q, answer.rcode)) {
        try_failed(q, -EBADMSG);
    } else {
        finish(q, 0, message, len, &answer);
    }
    return 0;
}

/* The three that follow handle what came: 0 when the query is over or waits as it should, a
 * negative errno when the try has failed. */
static int on_datagram(struct forward_query *q)
{
    uint8_t *room = q->forwarder->datagram;
    ssize_t n = recv(q->fd, room, sizeof(q->forwarder->datagram), 0);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (n >= 0 && take_message(q, room, (size_t)n) == 0)
        return 0;
    if (n >= 0 && ++q->bad == BAD_MAX)
        return -EBADMSG;
    return wait_on(q);
}

static int on_writable(struct forward_query *q)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -errno;
    if (error)
        return -error;
    size_t len = PREFIX + q->out_len;
    ssize_t n = send(q->fd, q->out + q->sent, len - q->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    q->sent += n > 0 ? (size_t)n : 0;
    if (q->sent < len)
        return arm(q, EV_WRITE);
    q->state = TRY_TCP_READING;
    return arm(q, EV_READ | EV_PERSIST);
}

/* How many bytes the message over TCP is still short of, its length included. */
static size_t missing(const struct buffer *in)
{
    if (in->len < PREFIX)
        return PREFIX - in->len;
    size_t whole = PREFIX + ((size_t)(uint8_t)in->data[0] << 8 | (uint8_t)in->data[1]);
    return whole - in->len;
}

static int on_stream(struct forward_query *q)
{
    uint8_t part[4096];
    ssize_t n = recv(q->fd, part, MIN(missing(&q->in), sizeof(part)), 0);
    if (n == 0)
        return -EBADMSG;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? wait_on(q) : -errno;
    buffer_add(&q->in, part, (size_t)n);
    if (buffer_failed(&q->in))
        return -ENOMEM;
    if (missing(&q->in))
        return wait_on(q);
    return take_message(q, q->in.data + PREFIX, q->in.len - PREFIX);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    static int (*const handlers[])(struct forward_query *) = {
        [TRY_UDP] = on_datagram,
        [TRY_TCP_WRITING] = on_writable,
        [TRY_TCP_READING] = on_stream,
    };
    struct forward_query *q = context;
    int status;
    (void)fd;
    if (q->state == TRY_NONE)
        status = q->status;
    else if (what & (EV_READ | EV_WRITE))
        status = handlers[q->state](q);
    else
        status = q->bad ? -EBADMSG : -ETIMEDOUT;
    if (status)
        try_failed(q, status);
}

struct forwarder *forwarder_new(struct event_base *base, const struct resolver_address *resolvers,
                                size_t n)
{
    struct forwarder *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->base = base;
    f->n_resolvers = MIN(n, RESOLVERS_MAX);
    for (size_t i = 0; i < f->n_resolvers; i++)
        f->resolvers[i] = resolvers[i];
    return f;
}

void forwarder_free(struct forwarder *f)
{
    if (!f)
        return;
    while (f->queries)
        query_free(f->queries);
    free(f);
}

/* A query that waits for its first try, already counted. */
static struct forward_query *query_new(struct forwarder *f, const struct resolver_address *only)
{
    if (!only && f->n_resolvers == 0) {
        errno = EDESTADDRREQ;
        return NULL;
    }
    if (f->n_queries >= FORWARD_MAX) {
        errno = EAGAIN;
        return NULL;
    }
    struct forward_query *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->forwarder = f;
    q->fd = -1;
    q->has_only = only;
    if (only)
        q->only = *only;
    q->give_up = now_ms() + OVERALL_MS;
    q->next = f->queries;
    if (q->next)
        q->next->previous = q;
    f->queries = q;
    f->n_queries++;
    return q;
}

/* Sends the first try of a query whose message is in `out`. */
static struct forward_query *query_start(struct forward_query *q, size_t len, forward_done *done,
                                         void *context)
{
    int r = len ? 0 : -EINVAL;
    q->done = done;
    q->context = context;
    q->out_len = len;
    q->out[0] = (uint8_t)(len >> 8);
    q->out[1] = (uint8_t)len;
    if (!r)
        r = begin_try(q);
    /* Out of descriptors there is nothing that a later try could do better. */
    if (!r && (q->status == -EMFILE || q->status == -ENFILE))
        r = q->status;
    if (!r)
        return q;
    query_free(q);
    errno = -r;
    return NULL;
}

struct forward_query *forward_query(struct forwarder *f, const struct dns_question *q,
                                    const void *query, const struct resolver_address *only, int tcp,
                                    forward_done *done, void *context)
{
    struct forward_query *new = query_new(f, only);
    if (!new)
        return NULL;
    new->question = *q;
    new->tcp_when_cut = tcp;
    size_t len = dns_write_query(q, query, 0, new->out + PREFIX, QUERY_ROOM - PREFIX);
    return query_start(new, len, done, context);
}

struct forward_query *forward_resolve(struct forwarder *f, const char *host, forward_done *done,
                                      void *context)
{
    struct forward_query *new = query_new(f, NULL);
    if (!new)
        return NULL;
    new->tcp_when_cut = true;
    size_t len = dns_write_query_name(host, 0, new->out + PREFIX, QUERY_ROOM - PREFIX);
    if (len && dns_read_query(new->out + PREFIX, len, &new->question, NULL))
        len = 0;
    return query_start(new, len, done, context);
}

void forward_cancel(struct forward_query *query)
{
    if (query)
        query_free(query);
}
