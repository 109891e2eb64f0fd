/* SPDX-License-Identifier: MIT
 * From a judged name to a machine (DESIGN.md, decision 3): the address that the client chose where
 * it was resolved for that name, else one that we resolve ourselves; and exactly the address that
 * was judged and recorded is dialled. */
#include "session/session_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "audit/submit.h"
#include "base/fd.h"

#define DIAL_MS 30000
/* How long a connection waits for its share, and how often it asks. */
#define SHARE_MS       10000
#define SHARE_AGAIN_MS 100

static const char *dial_error(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "upstream-refused";
    case ETIMEDOUT:
        return "upstream-timeout";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "upstream-unreachable";
    case EMFILE:
    case ENFILE:
    case EADDRNOTAVAIL: /* every port towards that server is in use */
        return "limit";
    default:
        return "upstream-failed";
    }
}

void session_dialed(struct session *s)
{
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(s->server_fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code)
        session_fail(s, dial_error(code));
    else
        session_relay(s);
}

/* A server on this machine has answered before connect() returns, which says so when it is asked
 * once more; any other's answer is waited for. */
static void connect_to(struct session *s, const struct sockaddr_in *to)
{
    const struct sockaddr *address = (const struct sockaddr *)to;
    s->state = SESSION_DIALING;
    if (connect(s->server_fd, address, sizeof *to) == 0 ||
        (errno == EINPROGRESS && connect(s->server_fd, address, sizeof *to) == 0))
        session_relay(s);
    else if (errno == EINPROGRESS || errno == EALREADY)
        session_wait(s, DIAL_MS, false);
    else
        session_fail(s, dial_error(errno));
}

/* The decision is in the log: now, and not before, something may leave. */
static void on_recorded(void *context, int status)
{
    struct session *s = context;
    const int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(s->subject.flow.dst_port),
                             .sin_addr.s_addr = htonl(s->dialed_ip)};
    s->ticket = NULL;
    if (status < 0) {
        session_fail(s, "unrecorded");
        return;
    }
    s->recorded = true;
    s->server_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->server_fd < 0) {
        session_fail(s, dial_error(errno));
        return;
    }
    setsockopt(s->server_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s->server_fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    connect_to(s, &to);
}

/* Dials as soon as its process may have one descriptor more; what its client says waits. */
void session_dial_by_share(struct session *s)
{
    if (holder_take_more(&s->holder, LIMIT_FILES, 1)) {
        s->files++;
        s->state = SESSION_RECORDING;
        session_wait(s, 0, false);
        session_record_connect(s, RECORD_ALLOWED, on_recorded);
    } else if (session_now_us() - s->share_us < SHARE_MS * UINT64_C(1000)) {
        s->state = SESSION_SHARE;
        session_wait(s, SHARE_AGAIN_MS, false);
    } else {
        s->dialed_ip = 0;
        session_deny(s, "limit");
    }
}

static void dial(struct session *s, uint32_t ip)
{
    s->dialed_ip = ip;
    s->share_us = session_now_us();
    session_dial_by_share(s);
}

/* What is the client's own loopback is the host's for us. */
static bool is_loopback(uint32_t ip)
{
    return ip >> 24 == 127 || ip >> 24 == 0;
}

static bool only_loopback(const struct dns_answer *a)
{
    for (size_t i = 0; i < a->n_addresses; i++)
        if (!is_loopback(a->addresses[i].ip))
            return false;
    return true;
}

/* Whether the connection may go to that address under the judged name. No name leads to the host's
 * loopback in any mode, only --host-port does. */
static bool may_dial(struct session *s, uint32_t ip, struct verdict *v)
{
    if (is_loopback(ip))
        return false;
    *v = judge_tls(s->engine, &s->subject, s->host, ip);
    return v->action == VERDICT_ALLOW || s->engine->audit_mode;
}

static void on_resolved(void *context, int status, const void *message, size_t len,
                        const struct dns_answer *a)
{
    struct session *s = context;
    uint32_t wanted = ntohl(s->subject.flow.dst_ip), chosen = 0;
    struct verdict there = s->verdict;
    (void)message;
    (void)len;
    s->resolving = NULL;
    places_give(s->engine->asking, &s->asking);
    if (status < 0 || a->n_addresses == 0) {
        s->reason = "dst-mismatch";
        session_fail(s, "resolve-failed");
        return;
    }
    for (size_t i = 0; i < a->n_addresses; i++) {
        uint32_t ip = a->addresses[i].ip;
        engine_learn(s->engine, s->host, ip, a->addresses[i].ttl);
        if (ip == wanted || (!chosen && may_dial(s, ip, &there)))
            chosen = ip;
        if (ip == wanted)
            break;
    }
    if (!chosen) {
        session_deny(s, only_loopback(a) ? "loopback" : "private-address");
        return;
    }
    if (chosen != wanted) {
        s->reason = "dst-mismatch";
        /* The rule that allows the name there: `private` may be another's. */
        if (there.action == VERDICT_ALLOW)
            s->verdict = there;
    }
    dial(s, chosen);
}

/* Another needs its place among those that wait for a resolver. */
static void give_way(struct place *place)
{
    session_fail((struct session *)((char *)place - offsetof(struct session, asking)), "limit");
}

static bool take_place(struct session *s)
{
    const struct process *p = s->subject.process;
    const struct process_key owner = p ? p->key : (struct process_key){0};
    s->asking.yield = give_way;
    return places_take(s->engine->asking, &s->asking, &owner) == 0;
}

static enum asking pay(struct session *s)
{
    const struct kept_key key = asking_own(s->host);
    return asking_pay(s->engine, s->subject.process, s->zone, &key);
}

static void resolve(struct session *s)
{
    const int how = s->paid == ASKING_FREE ? FORWARD_KEPT : 0;
    s->resolving = forward_resolve(s->engine->forwarder, s->host, how, on_resolved, s);
    if (s->resolving)
        return;
    if (errno != EKEYEXPIRED) {
        session_fail(s, "resolve-failed");
        return;
    }
    s->paid = pay(s); /* what was kept is so no more */
    if (s->paid == ASKING_OVER && !s->engine->audit_mode)
        session_deny(s, ASKING_TOO_MUCH);
    else
        resolve(s);
}

static void on_lookup_recorded(void *context, int status)
{
    struct session *s = context;
    s->ticket = NULL;
    if (status < 0)
        session_fail(s, "unrecorded");
    else if (!take_place(s))
        session_fail(s, "limit");
    else
        resolve(s);
}

/* Records the look-up of the judged name. done NULL: nobody waits. */
static void record_lookup(struct session *s, const struct verdict *v, const char *reason,
                          void (*done)(void *context, int status))
{
    struct record r = {.event = RECORD_QUERY};
    int status;
    judge_record(s->engine, &s->subject, v, &r);
    if (reason)
        r.reason = text_of(reason);
    r.type = RECORD_DNS;
    r.conn = s->conn;
    r.name = text_of(s->host);
    r.qtype = text_of("A");
    r.resolver = text_of("self");
    s->ticket = submit_record(s->engine->submit, &r, done, s, &status);
    if (!s->ticket && done)
        done(s, status);
}

/* A look-up of our own is the client's look-up in another form: judged and recorded like one. */
static void look_up(struct session *s)
{
    struct verdict v = judge_query(s->engine, &s->subject, s->host, true);
    if (!judge_passes(s->engine, &v)) {
        record_lookup(s, &v, NULL, NULL);
        session_deny(s, "dst-mismatch");
        return;
    }
    s->zone = v.zone;
    s->paid = pay(s);
    bool too_much = s->paid == ASKING_OVER;
    if (too_much && !s->engine->audit_mode) {
        session_deny(s, ASKING_TOO_MUCH);
        return;
    }
    s->state = SESSION_RESOLVING;
    session_wait(s, 0, false);
    record_lookup(s, &v, too_much ? ASKING_TOO_MUCH : NULL, on_lookup_recorded);
}

void session_resolve(struct session *s)
{
    uint32_t ip = s->kind == SESSION_HOST_PORT ? INADDR_LOOPBACK : ntohl(s->subject.flow.dst_ip);
    bool by_name = s->name_from == RECORD_NAME_SNI && !s->verdict.by_address;
    if (!by_name || s->verdict.action != VERDICT_ALLOW ||
        names_holds(s->engine->names, ENGINE_CLIENT, s->host, ip, engine_now()))
        dial(s, ip);
    else
        look_up(s);
}
