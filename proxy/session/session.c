/* SPDX-License-Identifier: MIT
 * The life of a session: one function moves it from state to state, and there is one end. */
#include "session/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "audit/submit.h"
#include "base/fd.h"
#include "session/session_state.h"

/* Most clients speak at once; one that does not within this is taken to wait for the server. */
#define GREETING_MS 50
#define PARTING_MS  1000

void session_free(struct session *s)
{
    struct engine *e = s->engine;
    forward_cancel(s->resolving);
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
    process_unref(s->subject.process);
    free(s);
    engine_end(e);
}

/* Ends at once: both sides see a reset, no half-told story. */
static void reset(struct session *s)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (s->client_fd >= 0)
        setsockopt(s->client_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (s->server_fd >= 0)
        setsockopt(s->server_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    session_free(s);
}

void session_wait(struct session *s, unsigned timeout_ms, bool readable)
{
    const struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    event_del(s->client_event);
    event_del(s->timer);
    if (timeout_ms)
        event_add(s->timer, &limit);
    if (readable)
        event_add(s->client_event, NULL);
    if (s->state == SESSION_DIALING) {
        event_assign(s->server_event, s->engine->base, s->server_fd, EV_WRITE,
                     event_get_callback(s->server_event), s);
        event_add(s->server_event, NULL);
    }
}

/* The record was written: TLS hears why, others are reset. */
static void on_refusal_recorded(void *context, int status)
{
    struct session *s = context;
    uint8_t alert[TLS_ALERT_LEN];
    (void)status; /* written or not: it is denied */
    s->ticket = NULL;
    if (!s->is_tls || s->relay) {
        reset(s);
        return;
    }
    tls_alert_write(TLS_ALERT_ACCESS_DENIED, alert);
    s->state = SESSION_PARTING;
    if (send(s->client_fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
        shutdown(s->client_fd, SHUT_WR) < 0) {
        reset(s);
        return;
    }
    session_wait(s, PARTING_MS, true);
}

void session_deny(struct session *s, const char *reason)
{
    if (reason)
        s->reason = reason;
    s->state = SESSION_REFUSING;
    session_wait(s, 0, false);
    session_record_connect(s, RECORD_DENIED, NULL, on_refusal_recorded);
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
    s->state = SESSION_REFUSING;
    session_wait(s, 0, false);
    session_record_connect(s, RECORD_FAILED, error, on_failure_recorded);
}

static void on_relay_done(void *context, int failed)
{
    struct session *s = context;
    session_record_close(s);
    if (failed)
        reset(s);
    else
        session_free(s);
}

/* What is recorded may pass: the client's first bytes, and everything behind them. */
static void on_connect_recorded(void *context, int status)
{
    struct session *s = context;
    s->ticket = NULL;
    if (status < 0) {
        reset(s); /* no traffic without a record */
        return;
    }
    bool host_port = s->kind == SESSION_HOST_PORT;
    s->relay =
        relay_new(s->engine->base, s->engine->pipes, s->client_fd, s->server_fd, on_relay_done, s);
    int failed = s->relay ? relay_start(s->relay, RELAY_DOWN, NULL, 0) : -ENOMEM;
    if (!failed && (s->spoke || host_port)) {
        s->state = SESSION_RELAYING;
        failed = relay_start(s->relay, RELAY_UP, s->first, s->first_len);
        free(STEAL(s->first));
        s->first_len = 0;
    } else if (!failed) {
        s->state = SESSION_GREETING;
        session_wait(s, 0, true);
    }
    if (failed)
        reset(s);
}

static void on_dialed(struct session *s)
{
    int code = 0;
    socklen_t len = sizeof code;
    const int one = 1;
    getsockopt(s->server_fd, SOL_SOCKET, SO_ERROR, &code, &len);
    if (code) {
        session_fail(s, code == ECONNREFUSED                          ? "upstream-refused"
                        : code == ETIMEDOUT                           ? "upstream-timeout"
                        : code == ENETUNREACH || code == EHOSTUNREACH ? "upstream-unreachable"
                                                                      : "upstream-failed");
        return;
    }
    setsockopt(s->client_fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
    s->state = SESSION_RECORDING;
    session_wait(s, 0, false);
    session_record_connect(s, RECORD_ALLOWED, NULL, on_connect_recorded);
}

/* A client that hears an alert closes; what it still says is read away, so that the close is no
 * reset that overtakes the alert. */
static void on_parting(struct session *s)
{
    char scrap[4096];
    ssize_t n = recv(s->client_fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && errno == EAGAIN))
        event_add(s->client_event, NULL);
    else
        session_free(s);
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (s->state == SESSION_PARTING)
        on_parting(s);
    else if (s->state == SESSION_FIRST_BYTES || s->state == SESSION_GREETING)
        session_read_first(s);
}

static void on_server(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (s->state == SESSION_DIALING)
        on_dialed(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    if (s->state == SESSION_DIALING)
        session_fail(s, "upstream-timeout");
    else if (s->state == SESSION_PARTING)
        reset(s);
    else
        session_first_timeout(s);
}

static bool make_events(struct session *s)
{
    struct event_base *base = s->engine->base;
    s->client_event = event_new(base, s->client_fd, EV_READ, on_client, s);
    s->server_event = event_new(base, -1, 0, on_server, s);
    s->timer = event_new(base, -1, 0, on_timer, s);
    return s->client_event && s->server_event && s->timer;
}

static void begin(struct session *s)
{
    if (s->kind == SESSION_HOST_PORT) {
        s->verdict = (struct verdict){.action = VERDICT_ALLOW};
        s->reason = "host-port";
        session_dial(s, INADDR_LOOPBACK);
        return;
    }
    s->verdict = judge_address(s->engine, &s->subject, false, s->host);
    s->name_from = s->host[0] ? RECORD_NAME_DNS : RECORD_NAME_NONE;
    s->state = SESSION_FIRST_BYTES;
    session_wait(s, GREETING_MS, true);
}

void session_start(struct engine *e, int fd, const struct flow_key *flow, struct process *process,
                   enum session_kind kind)
{
    struct timespec ts;
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        fd_close(&fd);
        process_unref(process);
        return;
    }
    clock_gettime(CLOCK_BOOTTIME, &ts);
    *s = (struct session){.engine = e,
                          .kind = kind,
                          .subject = {*flow, process},
                          .conn = ++e->last_conn,
                          .client_fd = fd,
                          .server_fd = -1,
                          .started_us =
                              (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u};
    engine_begin(e);
    if (!make_events(s))
        reset(s);
    else
        begin(s);
}
