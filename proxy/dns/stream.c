/* SPDX-License-Identifier: MIT
 * One stream: what came is cut into messages, each becomes an exchange, and what those say goes
 * back. Bounded in what is under way, unread, half said, and in how many there are. */
#include "dns/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "base/fd.h"
#include "dns/exchange.h"

/* Queries of one stream that are under way at once; more wait in the socket. */
#define STREAM_PENDING 32
/* How long a stream may say nothing, and how long a message may take from its first byte to its
 * last, however it drips. */
#define STREAM_IDLE_S  60
#define STREAM_WHOLE_S 10
/* Answers that a client has not read yet; beyond it no more of its queries are taken. */
#define STREAM_OUT_MAX 65536
/* The same of all streams: the one that would exceed it is ended. */
#define STREAMS_OUT_MAX (32u << 20)
/* Longer messages are no queries. */
#define STREAM_QUERY_MAX 4096
/* Reads of one stream in one turn of the loop. What is denied is answered within the turn, so a
 * client that asks on and on would keep all others waiting. */
#define STREAM_READS 4
/* Streams at once; beyond it the one that has been idle longest makes room. */
#define STREAMS_MAX 1024

struct stream {
    TAILQ_ENTRY(stream) all;
    struct streams *streams;
    int fd; /* -1: the client has gone, answers under way are dropped */
    struct flow_key flow;
    struct process *process;
    bool self, ended, reading;
    unsigned pending;
    uint64_t half_since; /* seconds: when the first byte of a message came that is not whole; 0 */
    struct event *readable, *writable;
    struct buffer in, out;
    size_t out_sent;
    size_t unread; /* of `out`, as it was counted last */
};

struct streams {
    struct engine *engine;
    size_t n, unread; /* streams, and bytes of answers that wait in all of them */
    TAILQ_HEAD(stream_list, stream) all; /* the one that was of use longest ago first */
};

struct streams *streams_new(struct engine *e)
{
    struct streams *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->engine = e;
    TAILQ_INIT(&s->all);
    return s;
}

void streams_free(struct streams *s)
{
    free(s);
}

static void count_unread(struct stream *t)
{
    size_t now = t->fd >= 0 ? t->out.len - t->out_sent : 0;
    t->streams->unread += now - t->unread;
    t->unread = now;
}

/* Gone for good when the client has gone and nothing is under way. */
static void stream_release(struct stream *t)
{
    struct engine *e = t->streams->engine;
    if (t->readable)
        event_free(t->readable);
    if (t->writable)
        event_free(t->writable);
    fd_close(&t->fd);
    count_unread(t);
    buffer_release(&t->in);
    buffer_release(&t->out);
    process_unref(t->process);
    TAILQ_REMOVE(&t->streams->all, t, all);
    t->streams->n--;
    free(t);
    engine_end(e);
}

static void stream_hang_up(struct stream *t)
{
    event_del(t->readable);
    event_del(t->writable);
    fd_close(&t->fd);
    buffer_release(&t->out);
    t->out_sent = 0;
    count_unread(t);
}

static bool may_take(const struct stream *t)
{
    return t->fd >= 0 && !t->ended && t->pending < STREAM_PENDING &&
           t->out.len - t->out_sent < STREAM_OUT_MAX;
}

static void stream_send(struct stream *t)
{
    static const struct timeval idle = {STREAM_IDLE_S, 0};
    while (t->fd >= 0 && t->out_sent < t->out.len) {
        ssize_t n = send(t->fd, t->out.data + t->out_sent, t->out.len - t->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            event_add(t->writable, &idle);
            count_unread(t);
            return;
        }
        if (n < 0) {
            stream_hang_up(t);
            return;
        }
        t->out_sent += (size_t)n;
    }
    if (t->out.size > STREAM_OUT_MAX)
        buffer_release(&t->out); /* what was large once need not stay so */
    else
        buffer_clear(&t->out);
    t->out_sent = 0;
    count_unread(t);
}

static void stream_read(struct stream *t);

/* How long it may take until something comes. */
static struct timeval patience(struct stream *t)
{
    uint64_t now = engine_now();
    if (!t->in.len)
        t->half_since = 0;
    else if (!t->half_since)
        t->half_since = now;
    if (!t->half_since)
        return (struct timeval){STREAM_IDLE_S, 0};
    uint64_t passed = now - t->half_since;
    return (struct timeval){passed < STREAM_WHOLE_S ? (time_t)(STREAM_WHOLE_S - passed) : 0, 1};
}

/* Waits for more, or lets go where no more will come. */
static void stream_settle(struct stream *t)
{
    if (t->reading)
        return; /* called from within; the outer call settles */
    if (t->fd >= 0 && t->ended && !t->pending && t->out_sent == t->out.len)
        stream_hang_up(t);
    if (t->fd < 0 && !t->pending)
        stream_release(t);
    else if (may_take(t)) {
        const struct timeval limit = patience(t);
        event_add(t->readable, &limit);
    }
}

static void send_on_stream(void *context, const void *message, size_t len)
{
    struct stream *t = context;
    const uint8_t prefix[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    t->pending--;
    if (t->fd >= 0 && len && len <= DNS_MESSAGE_MAX) {
        buffer_add(&t->out, prefix, sizeof prefix);
        buffer_add(&t->out, message, len);
        if (buffer_failed(&t->out) || t->streams->unread + t->out.len > STREAMS_OUT_MAX)
            stream_hang_up(t);
        else
            stream_send(t);
    }
    /* Something that was no DNS message: what follows cannot be trusted to be one. */
    if (len == 0)
        t->ended = true;
    if (t->fd >= 0 && t->pending == STREAM_PENDING - 1)
        event_active(t->readable, EV_READ,
                     0); /* messages that were read may have waited for room */
    stream_settle(t);
}

static void take_message(struct stream *t, const void *data, size_t len)
{
    struct exchange_options o = {.engine = t->streams->engine,
                                 .flow = t->flow,
                                 .process = t->process ? process_ref(t->process) : NULL,
                                 .self = t->self,
                                 .tcp = true,
                                 .query = data,
                                 .len = len,
                                 .reply = send_on_stream,
                                 .context = t};
    t->pending++;
    TAILQ_REMOVE(&t->streams->all, t, all);
    TAILQ_INSERT_TAIL(&t->streams->all, t, all);
    exchange_start(&o);
}

/* Takes whole messages out of what has come. */
static void take_messages(struct stream *t)
{
    size_t at = 0;
    while (may_take(t) && t->in.len - at >= 2) {
        const uint8_t *p = (const uint8_t *)t->in.data + at;
        size_t len = (size_t)p[0] << 8 | p[1];
        if (len > STREAM_QUERY_MAX) {
            take_message(t, p, 0); /* recorded as malformed; the stream ends */
            at = t->in.len;
            break;
        }
        if (t->in.len - at - 2 < len)
            break;
        at += 2 + len;
        t->half_since = 0;
        take_message(t, p + 2, len);
    }
    t->in.len -= at;
    if (at && t->in.len)
        memmove(t->in.data, t->in.data + at, t->in.len);
}

static void stream_read(struct stream *t)
{
    char chunk[4096];
    t->reading = true;
    take_messages(t); /* those that waited for room */
    for (int i = 0; i < STREAM_READS && may_take(t); i++) {
        ssize_t n = recv(t->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            t->ended = true;
            break;
        }
        buffer_add(&t->in, chunk, (size_t)n);
        if (buffer_failed(&t->in)) {
            t->ended = true;
            break;
        }
        take_messages(t);
    }
    t->reading = false;
    stream_settle(t);
}

static void on_stream_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *t = arg;
    (void)fd;
    if (what & EV_TIMEOUT) {
        t->ended = true;
        stream_settle(t);
        return;
    }
    stream_read(t);
}

static void on_stream_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *t = arg;
    (void)fd;
    if (what & EV_TIMEOUT)
        stream_hang_up(t); /* it asks and does not listen */
    else
        stream_send(t);
    if (may_take(t))
        event_active(t->readable, EV_READ,
                     0); /* messages that were read may have waited for room */
    stream_settle(t);
}

static struct stream *stream_new(struct streams *s, const struct stream_start *o)
{
    struct stream *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    *t = (struct stream){
        .streams = s, .fd = o->fd, .flow = o->flow, .process = o->process, .self = o->self};
    t->readable = event_new(s->engine->base, o->fd, EV_READ, on_stream_readable, t);
    t->writable = event_new(s->engine->base, o->fd, EV_WRITE, on_stream_writable, t);
    buffer_add(&t->in, o->said, o->said_len);
    engine_begin(s->engine);
    s->n++;
    TAILQ_INSERT_TAIL(&s->all, t, all);
    return t;
}

/* Ends the stream that has been idle longest; one with a question under way is not idle. */
static void make_place(struct streams *s)
{
    for (struct stream *t = TAILQ_FIRST(&s->all); t; t = TAILQ_NEXT(t, all))
        if (!t->pending && !t->reading) {
            stream_hang_up(t);
            stream_release(t);
            return;
        }
}

void stream_serve(struct streams *s, const struct stream_start *o)
{
    int fd = o->fd;
    if (s->n >= STREAMS_MAX)
        make_place(s);
    struct stream *t = s->n < STREAMS_MAX ? stream_new(s, o) : NULL;
    if (!t) {
        fd_close(&fd);
        process_unref(o->process);
    } else if (!t->readable || !t->writable || buffer_failed(&t->in)) {
        stream_release(t);
    } else {
        stream_read(t); /* what was said already, and what lies in the socket */
    }
}
