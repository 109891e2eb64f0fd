/* SPDX-License-Identifier: MIT
 * The life of a session: one function moves it from state to state, and there is one end. */
#include "session/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "audit/submit.h"
#include "base/fd.h"
#include "dns/server.h"
#include "session/session_state.h"

/* Most clients speak at once; one that does not within this is taken to wait for the server. */
#define GREETING_MS 50
#define PARTING_MS  1000

uint64_t session_now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* The one end: what was recorded as allowed gets its closing record. */
static void end(struct session *s)
{
    struct engine *e = s->engine;
    if (s->recorded)
        session_record_close(s);
    forward_cancel(s->resolving);
    places_give(e->asking, &s->asking);
    submit_cancel(s->ticket);
    relay_free(s->relay);
    if (s->client_event)
        event_free(s->client_event);
    if (s->server_event)
        event_free(s->server_event);
    if (s->timer)
        event_free(s->timer);
    fd_close(&s->client_fd);
    fd_close(&s->server_fd);
    free(s->first);
    free(s->hello);
    process_unref(s->subject.process);
    if (s->files == 0)
        e->limits.waiting--;
    holder_give(&s->holder, LIMIT_FILES, s->files);
    holder_give(&s->holder, LIMIT_BYTES, s->held);
    LIST_REMOVE(s, all);
    free(s);
    engine_end(e);
}

static void set_linger(int fd, bool abrupt)
{
    const struct linger how = {.l_onoff = abrupt, .l_linger = 0};
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &how, sizeof how);
}

/* Whether closing is a reset. A client's is from the start (session_prepare), a server's while
 * bytes are relayed: should we die, the kernel closes for us, and nobody must take a stream that
 * was cut for a whole one. */
static void set_abrupt(const struct session *s, bool abrupt)
{
    set_linger(s->client_fd, abrupt);
    set_linger(s->server_fd, abrupt);
}

/* Ends at once: both sides see a reset, no half-told story. */
static void reset(struct session *s)
{
    set_abrupt(s, true);
    end(s);
}

/* What is not awaited any more stays watched until it comes: most often it is awaited again before,
 * by us or by the relay, and the kernel need not be told of either. */
static void await_client(struct session *s, bool readable)
{
    s->client_awaited = readable;
    if (readable)
        event_add(s->client_event, NULL);
}

void session_wait(struct session *s, unsigned timeout_ms, bool readable)
{
    const struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    event_del(s->timer);
    if (timeout_ms)
        event_add(s->timer, &limit);
    await_client(s, readable);
    if (s->state == SESSION_DIALING) {
        event_assign(s->server_event, s->engine->base, s->server_fd, EV_WRITE,
                     event_get_callback(s->server_event), s);
        event_add(s->server_event, NULL);
    }
}

/* The server hears nothing more, and no end that looks like one in order. */
static void drop_server(struct session *s)
{
    set_linger(s->server_fd, true);
    fd_close(&s->server_fd);
    set_linger(s->client_fd, false);
}

/* The record was written: TLS hears why, between two messages of the server's; others are reset. */
static void on_refusal_recorded(void *context, int status)
{
    struct session *s = context;
    uint8_t alert[TLS_ALERT_LEN];
    (void)status; /* written or not: it is denied */
    s->ticket = NULL;
    if (!s->is_tls || (s->relay && !relay_flushed(s->relay, RELAY_DOWN))) {
        reset(s);
        return;
    }
    drop_server(s);
    tls_alert_write(TLS_ALERT_ACCESS_DENIED, alert);
    s->state = SESSION_PARTING;
    if (send(s->client_fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
        shutdown(s->client_fd, SHUT_WR) < 0) {
        reset(s);
        return;
    }
    session_wait(s, PARTING_MS, true);
}

/* What it waited for does not matter any more: an answer must find nobody. */
static void stop_waiting(struct session *s)
{
    forward_cancel(STEAL(s->resolving));
    places_give(s->engine->asking, &s->asking);
    submit_cancel(STEAL(s->ticket));
}

void session_deny(struct session *s, const char *reason)
{
    stop_waiting(s);
    s->reason = reason; /* what was said of it while it was allowed holds no more */
    if (s->relay)
        relay_stop(s->relay);
    s->state = SESSION_REFUSING;
    session_wait(s, 0, false);
    session_record_connect(s, RECORD_DENIED, on_refusal_recorded);
}

static void on_failure_recorded(void *context, int status)
{
    struct session *s = context;
    (void)status;
    s->ticket = NULL;
    reset(s);
}

void session_fail(struct session *s, const char *error)
{
    stop_waiting(s);
    s->error = error;
    if (s->recorded) {
        reset(s); /* the closing record says so */
        return;
    }
    s->state = SESSION_REFUSING;
    session_wait(s, 0, false);
    session_record_connect(s, RECORD_FAILED, on_failure_recorded);
}

static void on_relay_done(void *context, int failed)
{
    struct session *s = context;
    if (failed) {
        s->error = failed == -ECONNRESET || failed == -EPIPE ? "reset" : "relay-failed";
        reset(s);
        return;
    }
    set_abrupt(s, false);
    end(s);
}

void session_relay(struct session *s)
{
    const struct relay_events events = {on_relay_done, session_seen, session_pushed, s};
    set_linger(s->server_fd, true);
    s->relay = relay_new(s->engine->base, s->engine->pipes, &s->holder, s->client_fd, s->server_fd,
                         &events);
    if (s->relay)
        relay_observe(s->relay, s->kind == SESSION_EGRESS);
    if (!s->relay || relay_start(s->relay, RELAY_DOWN, NULL, 0) < 0) {
        session_fail(s, "limit");
    } else if (s->spoke || s->kind == SESSION_HOST_PORT) {
        session_pass_first(s);
    } else {
        s->state = SESSION_GREETING;
        session_wait(s, 0, true);
    }
}

void session_hand_to_dns(struct session *s)
{
    set_abrupt(s, false);
    event_del(s->client_event); /* whose descriptor is another's from here on */
    dns_server_take(s->engine->dns, fd_steal(&s->client_fd), &s->subject.flow,
                    s->subject.process ? process_ref(s->subject.process) : NULL, s->first,
                    s->first_len);
    end(s);
}

/* An end that waits no longer: what is undecided is recorded as failed, what was under way as
 * interrupted. One that waits for its record is asked again. */
static void interrupt(struct session *s)
{
    switch (s->state) {
    case SESSION_FIRST_BYTES:
    case SESSION_RESOLVING:
    case SESSION_SHARE:
    case SESSION_DIALING:
        session_fail(s, "interrupted");
        break;
    case SESSION_GREETING:
    case SESSION_HELLO_ANSWER:
    case SESSION_SECOND_HELLO:
    case SESSION_UPGRADING:
    case SESSION_LATE_HELLO:
    case SESSION_RELAYING:
        s->error = "interrupted";
        set_abrupt(s, false); /* what was sent is delivered still */
        end(s);
        break;
    case SESSION_PARTING:
        end(s);
        break;
    case SESSION_RECORDING:
    case SESSION_REFUSING:
        break;
    }
}

void sessions_interrupt(struct engine *e)
{
    struct session *s = LIST_FIRST(&e->sessions);
    while (s) {
        struct session *next = LIST_NEXT(s, all);
        interrupt(s);
        s = next;
    }
}

/* A client that hears an alert closes; what it still says is read away, so that the close is no
 * reset that overtakes the alert. */
static void on_parting(struct session *s)
{
    char scrap[4096];
    ssize_t n = recv(s->client_fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && errno == EAGAIN))
        await_client(s, true);
    else
        end(s);
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (!s->client_awaited) {
        event_del(s->client_event);
        return;
    }
    s->client_awaited = false;
    if (s->state == SESSION_PARTING)
        on_parting(s);
    else if (s->state == SESSION_FIRST_BYTES || s->state == SESSION_GREETING)
        session_read_first(s);
    else
        session_watch_client(s);
}

static void on_server(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (s->state != SESSION_DIALING)
        session_watch_woken(s);
    else
        session_dialed(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (s->state == SESSION_DIALING)
        session_fail(s, "upstream-timeout");
    else if (s->state == SESSION_SHARE)
        session_dial_by_share(s);
    else if (s->state == SESSION_PARTING)
        reset(s);
    else if (s->state == SESSION_FIRST_BYTES || s->state == SESSION_GREETING)
        session_first_timeout(s);
    else
        session_watch_timeout(s);
}

void session_prepare(int listener)
{
    const int one = 1, idle_s = 60;
    const struct linger abrupt = {.l_onoff = 1, .l_linger = 0};
    setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(listener, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
}

static bool make_events(struct session *s)
{
    struct event_base *base = s->engine->base;
    s->client_event = event_new(base, s->client_fd, EV_READ | EV_PERSIST, on_client, s);
    s->server_event = event_new(base, -1, 0, on_server, s);
    s->timer = event_new(base, -1, 0, on_timer, s);
    return s->client_event && s->server_event && s->timer;
}

static void begin(struct session *s)
{
    if (s->kind == SESSION_HOST_PORT) {
        s->verdict = (struct verdict){.action = VERDICT_ALLOW};
        s->reason = "host-port";
    } else {
        s->verdict = judge_address(s->engine, &s->subject, CLIENT_SILENT, s->host);
        s->name_from = s->host[0] ? RECORD_NAME_DNS : RECORD_NAME_NONE;
    }
    if (s->files == 0) {
        session_deny(s, "limit"); /* its process has so many that others might get none */
        return;
    }
    if (s->kind == SESSION_HOST_PORT) {
        session_resolve(s);
        return;
    }
    s->state = SESSION_FIRST_BYTES;
    session_listen(s, GREETING_MS);
}

void session_start(struct engine *e, int fd, const struct flow_key *flow, struct process *process,
                   enum session_kind kind)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        fd_close(&fd);
        process_unref(process);
        return;
    }
    *s = (struct session){.engine = e,
                          .kind = kind,
                          .subject = {*flow, process},
                          .holder = holder_of(&e->limits, process),
                          .conn = engine_next_conn(e),
                          .client_fd = fd,
                          .server_fd = -1,
                          .started_us = session_now_us()};
    s->files = holder_take(&s->holder, LIMIT_FILES, 1);
    if (s->files == 0)
        e->limits.waiting++;
    LIST_INSERT_HEAD(&e->sessions, s, all);
    engine_begin(e);
    if (!make_events(s))
        reset(s);
    else
        begin(s);
}
