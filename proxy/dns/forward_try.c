/* SPDX-License-Identifier: MIT
 * Asking resolvers. Each try of a question has a connected socket to itself, so that the kernel
 * drops what comes from elsewhere, and a port and an id that a forger would have to guess anew. */
#include "dns/forward_state.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"

enum {
    ROUNDS = 3, /* over all resolvers */
    OVERALL_MS = 8000,
    BAD_MAX = 16, /* messages that fail their checks, until a try counts as under attack */
};
/* How long a try may take, by round: a datagram may be lost, a later one meets a resolver that is
 * slow. */
static const int64_t round_ms[ROUNDS] = {1000, 2000, 4000};

static void on_event(evutil_socket_t fd, short what, void *context);

static int64_t now_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits on until the try is over: a persistent event's own time would begin anew with each
 * message. */
static int wait_on(struct inquiry *q)
{
    int64_t left = MAX(q->try_until - now_ms(), 0);
    if (q->port)
        return port_wait(q->port, left);
    const struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    return event_add(q->event, &tv) ? -ENOMEM : 0;
}

/* Waits for the socket, or for the end of the try; on_event comes in any case. */
static int arm(struct inquiry *q, short what)
{
    if (q->event)
        event_free(q->event);
    q->event = event_new(q->forwarder->base, q->fd, what, on_event, q);
    return q->event ? wait_on(q) : -ENOMEM;
}

void inquiry_drop_try(struct inquiry *q)
{
    if (q->event)
        event_free(q->event);
    q->event = NULL;
    port_give(STEAL(q->port), now_ms());
    fd_close(&q->fd);
    buffer_clear(&q->in);
    q->state = TRY_NONE;
    q->bad = 0;
    q->sent = 0;
}

/* Connects a socket to the resolver of the present try. */
static int connect_socket(const struct inquiry *q, int fd)
{
    const struct resolver_address *r = &q->resolvers[(q->tries - 1) % q->n_resolvers];
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr.s_addr = htonl(r->ip)};
    bool failed = connect(fd, (const struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS;
    return failed ? -errno : 0;
}

/* An id that nobody can foresee. The kernel is asked for many at once; each is used once, and is
 * not left in memory behind its use. */
static int take_id(struct forwarder *f, uint16_t *out)
{
    if (!f->n_ids) {
        if (getrandom(f->ids, sizeof(f->ids), 0) != sizeof(f->ids))
            return -EIO;
        f->n_ids = FORWARD_IDS;
    }
    *out = f->ids[--f->n_ids];
    f->ids[f->n_ids] = 0;
    return 0;
}

static int renew_id(struct inquiry *q)
{
    int r = take_id(q->forwarder, &q->id);
    if (r)
        return r;
    q->out[FORWARD_PREFIX] = (uint8_t)(q->id >> 8);
    q->out[FORWARD_PREFIX + 1] = (uint8_t)q->id;
    return 0;
}

static void on_port(void *context, short what)
{
    on_event(-1, what, context);
}

static int begin_udp(struct inquiry *q)
{
    int r = renew_id(q);
    if (!r)
        r = port_take(q->forwarder->ports, now_ms(), on_port, q, &q->port);
    if (!r)
        r = connect_socket(q, port_fd(q->port));
    if (!r && send(port_fd(q->port), q->out + FORWARD_PREFIX, q->out_len, MSG_NOSIGNAL) < 0)
        r = -errno;
    q->state = TRY_UDP;
    return r ? r : wait_on(q);
}

static int64_t try_end(const struct inquiry *q)
{
    return MIN(now_ms() + round_ms[(q->tries - 1) / q->n_resolvers], q->give_up);
}

/* The same resolver is asked over TCP, as its answer was cut, or as nothing else may be. */
static int begin_tcp(struct inquiry *q)
{
    inquiry_drop_try(q);
    q->try_until = try_end(q);
    int r = renew_id(q);
    if (!r)
        q->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!r)
        r = q->fd < 0 ? -errno : connect_socket(q, q->fd);
    q->state = TRY_TCP_WRITING;
    return r ? r : arm(q, EV_WRITE);
}

/* Begins the next try. One that fails at once is left to the event loop, so that nobody is called
 * back from within the call that started the query. */
static int begin_try(struct inquiry *q)
{
    inquiry_drop_try(q);
    q->tries++;
    q->try_until = try_end(q);
    q->status = q->tcp_alone ? begin_tcp(q) : begin_udp(q);
    if (!q->status)
        return 0;
    inquiry_drop_try(q);
    q->try_until = 0;
    return arm(q, EV_TIMEOUT);
}

static void try_failed(struct inquiry *q, int status)
{
    q->status = status;
    if (q->tries >= q->n_resolvers * ROUNDS || now_ms() >= q->give_up)
        inquiry_finish(q, status, NULL, 0, NULL);
    else if (begin_try(q))
        inquiry_finish(q, -ENOMEM, NULL, 0, NULL);
}

/* Whether another resolver, not yet asked, may know more than this one. */
static bool is_worth_another(const struct inquiry *q, unsigned rcode)
{
    return (rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP || rcode == DNS_REFUSED) &&
           q->tries < q->n_resolvers;
}

/* Takes a message: 0 when the query is over or goes on elsewhere, -EBADMSG when it is no answer. */
static int take_message(struct inquiry *q, const void *message, size_t len)
{
    struct dns_answer answer;
    /* What we sent serves as the query: its letters are the ones that must come back. */
    if (dns_read_answer(message, len, q->id, &q->question, q->out + FORWARD_PREFIX, &answer, NULL))
        return -EBADMSG;
    if (answer.truncated && q->tcp_when_cut && q->state == TRY_UDP) {
        int r = begin_tcp(q);
        if (r)
            try_failed(q, r);
    } else if (is_worth_another(q, answer.rcode)) {
        try_failed(q, -EBADMSG);
    } else {
        inquiry_finish(q, 0, message, len, &answer);
    }
    return 0;
}

/* The three that follow handle what came: 0 when the query is over or waits as it should, a
 * negative errno when the try has failed. */
static int on_datagram(struct inquiry *q)
{
    uint8_t *room = q->forwarder->datagram;
    ssize_t n = recv(port_fd(q->port), room, sizeof(q->forwarder->datagram), 0);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (n >= 0 && take_message(q, room, (size_t)n) == 0)
        return 0;
    if (n >= 0 && ++q->bad == BAD_MAX)
        return -EBADMSG;
    return wait_on(q);
}

static int on_writable(struct inquiry *q)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -errno;
    if (error)
        return -error;
    size_t len = FORWARD_PREFIX + q->out_len;
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
    if (in->len < FORWARD_PREFIX)
        return FORWARD_PREFIX - in->len;
    size_t whole = FORWARD_PREFIX + ((size_t)(uint8_t)in->data[0] << 8 | (uint8_t)in->data[1]);
    return whole - in->len;
}

static int on_stream(struct inquiry *q)
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
    return take_message(q, q->in.data + FORWARD_PREFIX, q->in.len - FORWARD_PREFIX);
}

/* The kept answer: checked like one that has just come. */
static void on_kept(struct inquiry *q)
{
    struct dns_answer answer;
    const uint8_t *message = (const uint8_t *)q->in.data;
    uint16_t id = (uint16_t)(message[0] << 8 | message[1]);
    int r = dns_read_answer(message, q->in.len, id, &q->question, q->out + FORWARD_PREFIX, &answer,
                            NULL);
    inquiry_finish(q, r, r ? NULL : message, r ? 0 : q->in.len, r ? NULL : &answer);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    static int (*const handlers[])(struct inquiry *) = {
        [TRY_UDP] = on_datagram,
        [TRY_TCP_WRITING] = on_writable,
        [TRY_TCP_READING] = on_stream,
    };
    struct inquiry *q = context;
    int status;
    (void)fd;
    if (q->state == TRY_NONE && q->tries == 0) {
        on_kept(q);
        return;
    }
    if (q->state == TRY_NONE)
        status = q->status;
    else if (what & (EV_READ | EV_WRITE))
        status = handlers[q->state](q);
    else
        status = q->bad ? -EBADMSG : -ETIMEDOUT;
    if (status)
        try_failed(q, status);
}

int inquiry_begin(struct inquiry *q)
{
    q->give_up = now_ms() + OVERALL_MS;
    int r = begin_try(q);
    /* Out of descriptors there is nothing that a later try could do better. */
    return !r && (q->status == -EMFILE || q->status == -ENFILE) ? q->status : r;
}

int inquiry_give(struct inquiry *q)
{
    return arm(q, EV_TIMEOUT);
}
