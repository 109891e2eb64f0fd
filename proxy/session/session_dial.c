/* SPDX-License-Identifier: MIT
 * From a judged name to a machine (DESIGN.md, decision 3): the address that the client chose where
 * it was resolved for that name, else one that we resolve ourselves; and exactly the address that
 * was judged is dialled. */
#include "session/session_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/fd.h"

#define DIAL_MS 30000

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
    default:
        return "upstream-failed";
    }
}

/* Whether the connection may go to that address under the judged name. */
static bool may_dial(struct session *s, uint32_t ip)
{
    struct verdict v = judge_tls(s->engine, &s->subject, s->host, ip);
    return v.action == VERDICT_ALLOW || s->engine->audit_mode;
}

static void on_resolved(void *context, int status, const void *message, size_t len,
                        const struct dns_answer *a)
{
    struct session *s = context;
    uint32_t wanted = ntohl(s->subject.flow.dst_ip), chosen = 0;
    (void)message;
    (void)len;
    s->resolving = NULL;
    if (status < 0 || a->n_addresses == 0) {
        s->reason = "dst-mismatch";
        session_fail(s, "resolve-failed");
        return;
    }
    for (size_t i = 0; i < a->n_addresses; i++) {
        uint32_t ip = a->addresses[i].ip;
        names_learn(s->engine->names, ENGINE_CLIENT, s->host, ip, a->addresses[i].ttl,
                    engine_now());
        if (ip == wanted || (!chosen && may_dial(s, ip)))
            chosen = ip;
        if (ip == wanted)
            break;
    }
    if (!chosen) {
        session_deny(s, "private-address");
        return;
    }
    if (chosen != wanted)
        s->reason = "dst-mismatch";
    session_dial(s, chosen);
}

void session_resolve(struct session *s)
{
    uint32_t ip = ntohl(s->subject.flow.dst_ip);
    bool by_name = s->name_from == RECORD_NAME_SNI && !s->verdict.by_address;
    if (!by_name || s->verdict.action != VERDICT_ALLOW ||
        names_holds(s->engine->names, ENGINE_CLIENT, s->host, ip, engine_now())) {
        session_dial(s, ip);
        return;
    }
    s->state = SESSION_RESOLVING;
    session_wait(s, 0, false);
    s->resolving = forward_resolve(s->engine->forwarder, s->host, on_resolved, s);
    if (!s->resolving)
        session_fail(s, "resolve-failed");
}

void session_dial(struct session *s, uint32_t ip)
{
    const int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(s->subject.flow.dst_port),
                             .sin_addr.s_addr = htonl(ip)};
    s->dialed_ip = ip;
    s->server_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->server_fd < 0) {
        session_fail(s, "limit");
        return;
    }
    setsockopt(s->server_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s->server_fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    if (connect(s->server_fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        session_fail(s, dial_error(errno));
        return;
    }
    s->state = SESSION_DIALING;
    session_wait(s, DIAL_MS, false);
}
