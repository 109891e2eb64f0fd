/* SPDX-License-Identifier: MIT
 * One stream: what came is cut into messages, each becomes an exchange, and what those say goes
 * back. Bounded in what is under way, unread, half said, and in how many there are. */
#include "dns/stream.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "attribution/places.h"
#include "base/fd.h"
#include "dns/exchange.h"

/* Queries of one stream that are under way at once; more wait in the socket. */
#define STREAM_PENDING 32
/* Answers that a client has not read yet; beyond it no more of its queries are taken. */
#define STREAM_OUT_MAX 65536
/* Longer messages are no queries. */
#define STREAM_QUERY_MAX 4096
/* Reads of one stream in one turn of the loop. What is denied is answered within the turn, so a
 * client that asks on and on would keep all others waiting. */
#define STREAM_READS 4

const struct stream_limits stream_limits = {
    .idle_ms = 60000, .whole_ms = 10000, .streams = 1024, .unread = 32u << 20};

struct stream {
    struct place place;
    struct streams *streams;
    int fd; /* -1: the client has gone, answers under way are dropped */
    struct flow_key flow;
    struct process *process;
    bool self, ended, reading;
    unsigned pending;
    uint64_t
        half_since; /* milliseconds: when the first byte of a message came that is not whole; 0 */
    struct event *readable, *writable;
    struct buffer in, out;
    size_t out_sent;
};

struct streams {
    struct engine *engine;
    struct stream_limits limits;
    struct places *places; /* they weigh what their clients have not read */
};

struct streams *streams_new(struct engine *e, const struct stream_limits *limits)
{
    struct streams *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->engine = e;
    s->limits = *limits;
    s->places = places_new(limits->streams, limits->streams);
    if (!s->places) {
        free(s);
        return NULL;
    }
    return s;
}

void streams_free(struct streams *s)
{
    if (s)
        places_free(s->places);
    free(s);
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct timeval time_of(uint64_t ms)
{
    return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

/* Returns what waits in all streams. */
static size_t count_unread(struct stream *t)
{
    return places_weigh(t->streams->places, &t->place, t->out.len - t->out_sent);
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
    places_give(t->streams->places, &t->place);
    buffer_release(&t->in);
    buffer_release(&t->out);
    process_unref(t->process);
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
    places_give(t->streams->places, &t->place);
}

static bool may_take(const struct stream *t)
{
    return t->fd >= 0 && !t->ended && t->pending < STREAM_PENDING &&
           t->out.len - t->out_sent < STREAM_OUT_MAX;
}

static void stream_send(struct stream *t)
{
    const struct timeval idle = time_of(t->streams->limits.idle_ms);
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
    const struct stream_limits *limits = &t->streams->limits;
    uint64_t now = now_ms();
    if (!t->in.len)
        t->half_since = 0;
    else if (!t->half_since)
        t->half_since = now;
    if (!t->half_since)
        return time_of(limits->idle_ms);
    uint64_t passed = now - t->half_since;
    return time_of(passed < limits->whole_ms ? limits->whole_ms - passed : 1);
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

static void send_on_stream(void *context, const void *message, size_t len);

static struct exchange_options options_of(struct stream *t)
{
    return (struct exchange_options){.engine = t->streams->engine,
                                     .flow = t->flow,
                                     .process = t->process ? process_ref(t->process) : NULL,
                                     .self = t->self,
                                     .tcp = true,
                                     .reply = send_on_stream,
                                     .context = t};
}

/* No more will come: what was said of a message that is not whole is recorded. */
static void stream_over(struct stream *t, const char *reason)
{
    if (t->in.len && !t->ended) {
        const struct exchange_options o = options_of(t);
        exchange_drop(&o, reason);
        buffer_clear(&t->in);
    }
    t->ended = true;
}

/* Ends it for another's sake; gone at once, unless a question is under way. */
static void give_way(struct place *place)
{
    struct stream *t = (struct stream *)((char *)place - offsetof(struct stream, place));
    if (t->reading)
        t->ended = true; /* called from within: its bytes are being taken */
    else
        stream_over(t, "limit");
    stream_hang_up(t);
    stream_settle(t);
}

/* Those whose clients read too little, so that there is room for what is in `t`, which may be one
 * of them. Returns false when it was. */
static bool make_room(struct stream *t)
{
    struct streams *s = t->streams;
    while (count_unread(t) > s->limits.unread) {
        struct place *goes = places_heaviest(s->places);
        if (goes == &t->place)
            return false;
        give_way(goes);
    }
    return true;
}

static void send_on_stream(void *context, const void *message, size_t len)
{
    struct stream *t = context;
    const uint8_t prefix[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    t->pending--;
    if (t->fd >= 0 && len && len <= DNS_MESSAGE_MAX) {
        buffer_add(&t->out, prefix, sizeof prefix);
        buffer_add(&t->out, message, len);
        if (buffer_failed(&t->out) || !make_room(t))
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
    struct exchange_options o = options_of(t);
    o.query = data;
    o.len = len;
    t->pending++;
    places_use(t->streams->places, &t->place);
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
            stream_over(t, "malformed");
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
        stream_over(t, "limit");
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
    t->place.yield = give_way;
    engine_begin(s->engine);
    return t;
}

void stream_serve(struct streams *s, const struct stream_start *o)
{
    int fd = o->fd;
    const struct process_key owner = o->process ? o->process->key : (struct process_key){0};
    struct stream *t = stream_new(s, o);
    if (!t) {
        fd_close(&fd);
        process_unref(o->process);
    } else if (!t->readable || !t->writable || buffer_failed(&t->in) ||
               places_take(s->places, &t->place, &owner)) {
        stream_release(t);
    } else {
        stream_read(t); /* what was said already, and what lies in the socket */
    }
}
