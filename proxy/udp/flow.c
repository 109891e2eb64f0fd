/* SPDX-License-Identifier: MIT
 * The life of a flow: a socket towards the server, the record, a socket in the gate that the
 * keeper makes, and only then datagrams; judged anew when another process sends by it; and its end.
 */
#include "udp/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "attribution/who.h"
#include "audit/submit.h"
#include "base/fd.h"

enum { SERVER_RECEIVE_BYTES = 512 << 10 };

uint64_t flow_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *flow_error(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "upstream-refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "upstream-unreachable";
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return "limit";
    default:
        return "upstream-failed";
    }
}

struct flow *flow_find(const struct udp *u, const struct flow_key *key)
{
    return (struct flow *)udp_table_find(u->table, key);
}

static struct process_key owner_of(const struct process *p)
{
    return p ? p->key : (struct process_key){0};
}

struct flow *flow_new(struct udp *u, const struct subject *s, const struct verdict *v,
                      const char *name)
{
    struct flow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (struct flow){.udp = u,
                       .entry = {.key = s->flow, .owner = owner_of(s->process)},
                       .state = FLOW_WAITING,
                       .subject = *s,
                       .holder = holder_of(&u->engine->limits, s->process),
                       .verdict = *v,
                       .conn = engine_next_conn(u->engine),
                       .started_ms = flow_now_ms(),
                       .gate_fd = -1,
                       .server_fd = -1};
    if (udp_table_add(u->table, &f->entry, f->started_ms)) {
        free(f);
        return NULL;
    }
    if (s->process)
        (void)process_ref(s->process);
    snprintf(f->name, sizeof f->name, "%s", name);
    STAILQ_INIT(&f->waiters);
    TAILQ_INSERT_TAIL(&u->waiting, f, queued);
    engine_begin(u->engine);
    return f;
}

static void tell_waiters(struct flow *f, int status)
{
    while (!STAILQ_EMPTY(&f->waiters)) {
        struct udp_waiter *w = STAILQ_FIRST(&f->waiters);
        STAILQ_REMOVE_HEAD(&f->waiters, next);
        f->accepted += status == 0;
        w->done(w, status);
    }
}

/* From here on packets of the flow are queued again. */
static void close_sockets(struct flow *f)
{
    if (f->gate_event)
        event_free(STEAL(f->gate_event));
    if (f->server_event)
        event_free(STEAL(f->server_event));
    fd_close(&f->gate_fd);
    fd_close(&f->server_fd);
}

void flow_release(struct flow *f)
{
    struct engine *e = f->udp->engine;
    if (f->state != FLOW_ENDED || f->holds)
        return;
    process_unref(f->subject.process);
    free(f);
    engine_end(e);
}

void flow_end(struct flow *f, const char *error)
{
    struct udp *u = f->udp;
    if (f->state == FLOW_WAITING)
        TAILQ_REMOVE(&u->waiting, f, queued);
    if (f->state == FLOW_ASKING) {
        TAILQ_REMOVE(&u->asking, f, queued);
        u->n_asking--;
    }
    /* What was submitted stands in the log before anything that follows. */
    f->recorded |= f->ticket != NULL;
    submit_cancel(STEAL(f->ticket));
    close_sockets(f);
    if (f->recorded)
        flow_record_close(f, error);
    udp_table_remove(u->table, &f->entry);
    if (f->admitted)
        holder_give(&f->holder, LIMIT_FILES, FLOW_FILES);
    f->state = FLOW_ENDED;
    tell_waiters(f, -ECONNABORTED);
    flow_release(f);
}

void flow_fail(struct flow *f, const char *error)
{
    int status;
    if (!f->recorded && !f->ticket) /* else the closing record says so */
        (void)flow_record_connect(f, RECORD_FAILED, error, NULL, NULL, &status);
    tell_waiters(f, -ECONNREFUSED);
    flow_end(f, error);
}

void flow_refused(struct flow *f)
{
    flow_record_close(f, "upstream-refused");
    f->recorded = false;
    close_sockets(f);
    f->state = FLOW_REFUSED;
    udp_table_use(f->udp->table, &f->entry, flow_now_ms(), FLOW_IDLE_REFUSED);
}

static void on_gate(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flow_pump_up(arg);
}

static void on_server(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flow_pump_down(arg);
}

/* The record is written: now, and not before, datagrams are read. */
static void go(struct flow *f)
{
    if (event_add(f->gate_event, NULL) < 0 || event_add(f->server_event, NULL) < 0) {
        flow_fail(f, "limit");
        return;
    }
    f->state = FLOW_OPEN;
    f->entry.may_go = true;
    udp_table_use(f->udp->table, &f->entry, flow_now_ms(),
                  f->bytes_down ? FLOW_IDLE : FLOW_IDLE_ASKED);
    tell_waiters(f, 0);
}

static void on_recorded(void *context, int status)
{
    struct flow *f = context;
    f->ticket = NULL;
    f->recorded = status == 0;
    if (status < 0)
        flow_fail(f, "unrecorded");
    else if (f->state == FLOW_RECORDING)
        go(f);
}

static void record(struct flow *f)
{
    int status;
    f->ticket = flow_record_connect(f, RECORD_ALLOWED, NULL, on_recorded, f, &status);
    if (!f->ticket)
        on_recorded(f, status);
}

/* A socket that hears the server alone. */
static int open_server(const struct flow_key *key)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(key->dst_port), .sin_addr.s_addr = key->dst_ip};
    const int bytes = SERVER_RECEIVE_BYTES;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* As much as the host lets it have; with less, more is lost under load. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        return -errno;
    return fd_steal(&fd);
}

bool flow_prepare(struct flow *f)
{
    const int server = open_server(&f->subject.flow);
    if (server < 0) {
        flow_fail(f, flow_error(-server));
        return false;
    }
    f->server_fd = server;
    f->holds++;
    record(f);
    f->holds--;
    const bool goes_on = f->state == FLOW_WAITING;
    flow_release(f);
    return goes_on;
}

void flow_take_socket(struct flow *f, int fd)
{
    struct event_base *base = f->udp->engine->base;
    f->gate_fd = fd;
    f->gate_event = event_new(base, f->gate_fd, EV_READ | EV_PERSIST, on_gate, f);
    f->server_event = event_new(base, f->server_fd, EV_READ | EV_PERSIST, on_server, f);
    if (!f->gate_event || !f->server_event)
        flow_fail(f, "limit");
    else if (f->recorded)
        go(f);
}

/* The flow goes on as another's: what the first did with it is told, and a new number begins. */
static void change_hands(struct flow *f, const struct subject *s, const struct verdict *v,
                         const char *name)
{
    flow_record_close(f, NULL);
    process_unref(f->subject.process);
    const struct process_key owner = owner_of(s->process);
    f->subject.process = s->process;
    f->verdict = *v;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->conn = engine_next_conn(f->udp->engine);
    f->started_ms = flow_now_ms();
    f->bytes_up = f->bytes_down = 0;
    f->recorded = false;
    f->state = FLOW_RECORDING;
    if (udp_table_change_owner(f->udp->table, &f->entry, &owner))
        flow_fail(f, "limit");
    else
        record(f);
}

static void on_who(void *context, struct process *p)
{
    struct flow *f = context;
    const struct engine *e = f->udp->engine;
    struct subject s = {f->subject.flow, p};
    char name[254] = "";
    f->holds--;
    if (f->state == FLOW_ENDED) {
        process_unref(p);
        flow_release(f);
        return;
    }
    struct verdict v = judge_address(e, &s, CLIENT_KNOWN, name);
    if (judge_passes(e, &v)) {
        change_hands(f, &s, &v, name);
        return;
    }
    flow_record_denied(f, &s, &v, name);
    process_unref(p);
    flow_end(f, "owner-changed");
}

void flow_judge_again(struct flow *f)
{
    struct process *now;
    event_del(f->gate_event);
    event_del(f->server_event);
    f->state = FLOW_JUDGING;
    f->entry.may_go = false;
    f->holds++;
    if (!who_ask(f->udp->engine->who, &f->subject.flow, on_who, f, &now))
        on_who(f, now);
}
