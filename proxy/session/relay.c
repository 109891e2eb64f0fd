/* SPDX-License-Identifier: MIT
 * Both ways between two sockets: each direction is a small machine that takes from one and gives to
 * the other, and asks the loop for just the one event it waits for. What is seen, and what is
 * little, is copied; what is much goes through a pipe and is never touched. */
#include "session/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "session/limits.h"

#define PIPE_SIZE  65536
#define IDLE_PIPES 64
/* A pipe has a place for each piece that the network gave, and pieces may be of one segment each:
 * a common one is full of far less than its size. A direction that has moved much takes one of a
 * few wide ones. They are a sixteenth of the pages that the kernel lets a user have in pipes, for
 * each loop; it counts places, filled or not. */
#define WIDE_SIZE  (512u << 10)
#define WIDE_PIPES 8
#define MUCH       (512u << 10)
/* Copied at once. A message that does not fill it costs less so than the two calls of a pipe; who
 * fills it has more to say, and gets one. */
#define COPY_SIZE 16384
/* A process that reads slowly gets pipes before copies have used up what its next connections'
 * first words need. */
#define COPY_ROOM (1u << 20)
/* Less than this at once is most likely all that was there: not worth another try. What comes
 * behind it wakes us, as it does in any case. */
#define ALL_THERE_WAS 4096
/* How long a direction waits when no pipe could be had, or no share of what there is. */
#define PIPE_WAIT_US  50000
#define SHARE_WAIT_US 200000
/* Bytes moved in one turn: others on the loop want theirs too. */
#define TURN_BYTES (1u << 20)

struct pipe_pair {
    int out, in; /* read end, write end */
    bool wide;
};

struct pipes {
    struct pipe_pair idle[IDLE_PIPES], wide[WIDE_PIPES];
    size_t n, n_wide;
    size_t wide_made; /* idle or not */
};

/* One direction. */
struct flow {
    struct relay *relay;
    int from, to;
    struct event *readable; /* stays added while bytes are taken, and nothing holds them up */
    struct event *writable, *pause;
    struct pipe_pair pipe; /* -1 while none is held */
    size_t in_pipe;        /* bytes in it */
    uint8_t *first;        /* bytes to be sent before the pipe's, owned */
    size_t first_len, first_sent;
    uint64_t bytes;
    bool started;  /* takes from its side by itself */
    bool observed; /* what comes is shown */
    bool much;     /* there was more than is worth copying */
    bool eof, finished;
};

struct relay {
    struct event_base *base;
    struct pipes *pipes;
    struct holder holder;
    struct flow flows[2];
    struct relay_events events;
    bool told;
};

struct pipes *pipes_new(void)
{
    return calloc(1, sizeof(struct pipes));
}

static void pipe_close(struct pipe_pair *p)
{
    fd_close(&p->out);
    fd_close(&p->in);
}

void pipes_free(struct pipes *p)
{
    for (size_t i = 0; p && i < p->n; i++)
        pipe_close(&p->idle[i]);
    for (size_t i = 0; p && i < p->n_wide; i++)
        pipe_close(&p->wide[i]);
    free(p);
}

/* Returns 1, 0 where it is not as large as asked for, or a negative errno. */
static int pipe_make(size_t size, struct pipe_pair *out)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    *out = (struct pipe_pair){.out = fds[0], .in = fds[1]};
    /* Beyond the user's share of pipe pages the kernel refuses; its default does too. */
    return fcntl(fds[1], F_SETPIPE_SZ, (int)size) < 0 ? 0 : 1;
}

/* Returns false when all are in use, or none could be made. */
static bool get_wide(struct pipes *pipes, struct pipe_pair *out)
{
    if (pipes->n_wide) {
        *out = pipes->wide[--pipes->n_wide];
        return true;
    }
    if (pipes->wide_made == WIDE_PIPES)
        return false;
    int made = pipe_make(WIDE_SIZE, out);
    if (made < 0)
        return false;
    if (made == 0) { /* the user's share is used up: no more is tried */
        pipes->wide_made = WIDE_PIPES;
        pipe_close(out);
        return false;
    }
    out->wide = true;
    pipes->wide_made++;
    return true;
}

static int pipe_get(struct pipes *pipes, bool wide, struct pipe_pair *out)
{
    if (wide && get_wide(pipes, out))
        return 0;
    if (pipes->n) {
        *out = pipes->idle[--pipes->n];
        return 0;
    }
    return MIN(pipe_make(PIPE_SIZE, out), 0);
}

/* Returns 0, or a negative errno: -ENOBUFS where the process has its share of pipes. */
static int pipe_take(struct flow *f)
{
    const struct holder *holder = &f->relay->holder;
    if (f->pipe.out >= 0)
        return 0;
    if (!holder_take(holder, LIMIT_PIPES, 1))
        return -ENOBUFS;
    int failed = pipe_get(f->relay->pipes, f->bytes >= MUCH, &f->pipe);
    if (failed)
        holder_give(holder, LIMIT_PIPES, 1);
    return failed;
}

/* Gives an empty pipe back, or closes one that still holds bytes. */
static void pipe_give(struct flow *f)
{
    struct pipes *pipes = f->relay->pipes;
    if (f->pipe.out < 0)
        return;
    if (f->in_pipe == 0 && f->pipe.wide) {
        pipes->wide[pipes->n_wide++] = f->pipe;
    } else if (f->in_pipe == 0 && pipes->n < IDLE_PIPES) {
        pipes->idle[pipes->n++] = f->pipe;
    } else {
        pipes->wide_made -= f->pipe.wide;
        pipe_close(&f->pipe);
    }
    f->pipe = (struct pipe_pair){-1, -1, false};
    holder_give(&f->relay->holder, LIMIT_PIPES, 1);
}

void relay_stop(struct relay *r)
{
    r->told = true;
    for (size_t i = 0; i < 2; i++) {
        event_del(r->flows[i].readable);
        event_del(r->flows[i].writable);
        event_del(r->flows[i].pause);
    }
}

static void tell(struct relay *r, int failed)
{
    if (r->told)
        return;
    relay_stop(r);
    r->events.done(r->events.context, failed);
}

static void drop_first(struct flow *f)
{
    free(STEAL(f->first));
    holder_give(&f->relay->holder, LIMIT_BYTES, f->first_len);
    f->first_len = f->first_sent = 0;
}

/* Sends what must go before the spliced bytes. Returns 1 when all has gone, 0 to wait, or an errno.
 */
static int send_first(struct flow *f)
{
    while (f->first_sent < f->first_len) {
        ssize_t n =
            send(f->to, f->first + f->first_sent, f->first_len - f->first_sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        f->first_sent += (size_t)n;
    }
    drop_first(f);
    return 1;
}

/* Sends at once what the socket takes; what it does not must be sent first. Room for that was
 * taken. Returns 0, or a negative errno. */
static int send_copied(struct flow *f, const uint8_t *data, size_t len)
{
    ssize_t n = send(f->to, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        return errno == ENOBUFS ? -ENOMEM : -errno; /* what was read is lost: no waiting */
    const size_t rest = len - (size_t)MAX(n, 0);
    if (!rest)
        return 0;
    f->first = malloc(rest);
    if (!f->first)
        return -ENOMEM;
    memcpy(f->first, data + len - rest, rest);
    f->first_len = rest;
    f->first_sent = 0;
    return 0;
}

/* Takes bytes, shows them where they are to be seen, and sends them. Returns as fill() does. */
static ssize_t copy(struct flow *f)
{
    const struct relay_events *events = &f->relay->events;
    uint8_t chunk[COPY_SIZE];
    /* What was read cannot be left unread, so room for all of it comes first. */
    const size_t room = f->observed ? sizeof chunk : COPY_ROOM;
    if (!holder_take(&f->relay->holder, LIMIT_BYTES, room))
        return -ENOBUFS;
    ssize_t n = recv(f->from, chunk, sizeof chunk, MSG_DONTWAIT);
    int failed = n < 0 ? -errno : 0;
    if (n >= 0 && f->observed)
        events->seen(events->context, chunk, (size_t)n);
    if (n > 0)
        failed = send_copied(f, chunk, (size_t)n);
    holder_give(&f->relay->holder, LIMIT_BYTES, room - f->first_len);
    f->bytes += (uint64_t)MAX(n, 0);
    f->much = n == sizeof chunk;
    return failed ? failed : n;
}

/* Fills the pipe. Returns as fill() does. */
static ssize_t fill_pipe(struct flow *f)
{
    int failed = pipe_take(f);
    if (failed)
        return failed;
    ssize_t n = splice(f->from, NULL, f->pipe.in, NULL, f->pipe.wide ? WIDE_SIZE : PIPE_SIZE,
                       SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n < 0)
        return -errno;
    f->in_pipe = (size_t)n;
    f->bytes += (uint64_t)n;
    f->much = n >= ALL_THERE_WAS;
    return n;
}

/* Takes what is there. Returns bytes, 0 at the end of the stream, or a negative errno. Where memory
 * has no room for a copy, there may be a pipe. */
static ssize_t fill(struct flow *f)
{
    ssize_t n = f->observed || !f->much ? copy(f) : fill_pipe(f);
    return n == -ENOBUFS && !f->observed && !f->much ? fill_pipe(f) : n;
}

/* Empties the pipe. Returns 1 when it is empty, 0 to wait, or a negative errno. */
static int empty(struct flow *f)
{
    while (f->in_pipe) {
        ssize_t n =
            splice(f->pipe.out, NULL, f->to, NULL, f->in_pipe, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        f->in_pipe -= (size_t)n;
    }
    return 1;
}

/* The stream's end goes on to the other side; both ends make the relay's, and the second goes on
 * when its socket is closed. */
static void finish(struct flow *f)
{
    struct relay *r = f->relay;
    f->finished = true;
    event_del(f->readable);
    if (r->flows[RELAY_UP].finished && r->flows[RELAY_DOWN].finished)
        tell(r, 0);
    else
        shutdown(f->to, SHUT_WR);
}

/* Bytes wait in the socket meanwhile, as for a slow reader. */
static void pause_for(struct flow *f, unsigned us)
{
    const struct timeval wait = {0, us};
    event_del(f->readable);
    event_add(f->pause, &wait);
}

/* Takes what is there. Returns its size, 0 at the end of the stream, or a negative errno: then what
 * must be waited for is waited for, or the relay has ended. */
static ssize_t take(struct flow *f)
{
    ssize_t n = fill(f);
    if (n == -EAGAIN) {
        pipe_give(f);
        event_add(f->readable, NULL);
    } else if (n == -EMFILE || n == -ENFILE || n == -ENOBUFS) {
        pause_for(f, n == -ENOBUFS ? SHARE_WAIT_US : PIPE_WAIT_US);
    } else if (n < 0) {
        tell(f->relay, (int)n);
    } else {
        f->eof = n == 0;
    }
    return n;
}

/* Moves what can be moved, and waits for the one thing that is missing. */
static void move(struct flow *f)
{
    size_t moved = 0;
    bool more = true;
    for (;;) {
        int sent = f->first ? send_first(f) : 1;
        if (sent > 0)
            sent = empty(f);
        if (sent < 0) {
            tell(f->relay, sent);
            return;
        }
        if (sent == 0) {
            event_del(f->readable);
            event_add(f->writable, NULL);
            return;
        }
        pipe_give(f);
        if (f->eof) {
            finish(f);
            return;
        }
        if (!f->started) {
            f->relay->events.pushed(f->relay->events.context);
            return;
        }
        if (!more || moved >= TURN_BYTES)
            break;
        ssize_t n = take(f);
        if (n < 0)
            return;
        moved += (size_t)n;
        more = n >= ALL_THERE_WAS;
    }
    event_add(f->readable, NULL); /* more may be there: the turn goes to the others first */
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    move(arg);
}

struct relay *relay_new(struct event_base *base, struct pipes *pipes, const struct holder *holder,
                        int client_fd, int server_fd, const struct relay_events *events)
{
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct relay){.base = base, .pipes = pipes, .holder = *holder, .events = *events};
    for (size_t i = 0; i < 2; i++) {
        struct flow *f = &r->flows[i];
        f->relay = r;
        f->from = i == RELAY_UP ? client_fd : server_fd;
        f->to = i == RELAY_UP ? server_fd : client_fd;
        f->pipe = (struct pipe_pair){-1, -1, false};
        f->readable = event_new(base, f->from, EV_READ | EV_PERSIST, on_ready, f);
        f->writable = event_new(base, f->to, EV_WRITE, on_ready, f);
        f->pause = event_new(base, -1, 0, on_ready, f);
    }
    for (size_t i = 0; i < 2; i++)
        if (!r->flows[i].readable || !r->flows[i].writable || !r->flows[i].pause) {
            relay_free(r);
            return NULL;
        }
    return r;
}

void relay_free(struct relay *r)
{
    for (size_t i = 0; r && i < 2; i++) {
        struct flow *f = &r->flows[i];
        if (f->readable)
            event_free(f->readable);
        if (f->writable)
            event_free(f->writable);
        if (f->pause)
            event_free(f->pause);
        pipe_give(f);
        drop_first(f);
    }
    free(r);
}

/* Puts bytes behind those that wait to be sent first. */
static int append(struct flow *f, const void *data, size_t len)
{
    const struct holder *holder = &f->relay->holder;
    if (!len)
        return 0;
    if (!holder_take(holder, LIMIT_BYTES, len))
        return -ENOBUFS;
    uint8_t *grown = realloc(f->first, f->first_len + len);
    if (!grown) {
        holder_give(holder, LIMIT_BYTES, len);
        return -ENOMEM;
    }
    memcpy(grown + f->first_len, data, len);
    f->first = grown;
    f->first_len += len;
    f->bytes += len;
    return 0;
}

bool relay_flushed(const struct relay *r, enum relay_direction d)
{
    return !r->flows[d].first && r->flows[d].in_pipe == 0;
}

int relay_start(struct relay *r, enum relay_direction d, const void *first, size_t len)
{
    struct flow *f = &r->flows[d];
    int failed = append(f, first, len);
    if (failed)
        return failed;
    f->started = true;
    if (relay_flushed(r, d))
        event_add(f->readable, NULL);
    else
        event_active(f->writable, EV_WRITE, 0);
    return 0;
}

int relay_push(struct relay *r, const void *data, size_t len)
{
    struct flow *f = &r->flows[RELAY_UP];
    int failed = append(f, data, len);
    if (!failed)
        event_active(f->writable, EV_WRITE, 0);
    return failed;
}

void relay_observe(struct relay *r, bool on)
{
    r->flows[RELAY_DOWN].observed = on;
}

uint64_t relay_bytes(const struct relay *r, enum relay_direction d)
{
    return r->flows[d].bytes;
}
