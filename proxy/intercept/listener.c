/* SPDX-License-Identifier: MIT
 * The door: one accept loop for all listening sockets. */
#include "intercept/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "attribution/who.h"
#include "base/fd.h"
#include "session/session.h"

/* Connections taken in one turn of the loop. */
#define BATCH 64
/* When descriptors ran out, or too many wait for an answer of the keeper's, the backlog holds what
 * comes for so long. */
#define PAUSE_US 50000

struct listener {
    struct engine *engine;
    struct dns_server *dns;
    int fd;
    enum listener_kind kind;
    struct event *readable, *pause;
};

/* One accepted connection whose process is being asked for. */
struct arrival {
    struct engine *engine;
    struct dns_server *dns;
    enum listener_kind kind;
    int fd;
    struct flow_key flow;
};

static void hand_over(struct engine *e, struct dns_server *dns, enum listener_kind kind, int fd,
                      const struct flow_key *flow, struct process *p)
{
    const struct linger in_order = {0};
    if (kind == LISTENER_CLIENT_DNS) {
        dns_server_stream(dns, fd, flow, p, true);
    } else if (flow->dst_port == 53) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &in_order, sizeof in_order);
        dns_server_stream(dns, fd, flow, p, false);
    } else {
        session_start(e, fd, flow, p,
                      kind == LISTENER_HOST_PORT ? SESSION_HOST_PORT : SESSION_EGRESS);
    }
}

static void on_who(void *context, struct process *p)
{
    struct arrival *a = context;
    struct engine *e = a->engine;
    hand_over(e, a->dns, a->kind, a->fd, &a->flow, p);
    e->limits.waiting--;
    free(a);
    engine_end(e);
}

/* The 4-tuple as the client meant it. In the gate nothing is rewritten (TPROXY), so the accepted
 * socket's own address is the original destination. */
static int original_flow(int fd, const struct sockaddr_in *peer, struct flow_key *out)
{
    struct sockaddr_in own;
    socklen_t own_len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0)
        return -errno;
    *out = (struct flow_key){.src_ip = peer->sin_addr.s_addr,
                             .dst_ip = own.sin_addr.s_addr,
                             .src_port = ntohs(peer->sin_port),
                             .dst_port = ntohs(own.sin_port),
                             .proto = IPPROTO_TCP};
    return 0;
}

static void arrive(struct listener *l, int fd, const struct sockaddr_in *peer)
{
    struct flow_key flow;
    struct process *now;
    struct arrival *a = original_flow(fd, peer, &flow) < 0 ? NULL : malloc(sizeof *a);
    if (!a) {
        close(fd);
        return;
    }
    *a = (struct arrival){l->engine, l->dns, l->kind, fd, flow};
    engine_begin(l->engine);
    l->engine->limits.waiting++;
    if (!who_ask(l->engine->who, &flow, on_who, a, &now))
        on_who(a, now);
}

static void pause_accepting(struct listener *l)
{
    static const struct timeval pause = {0, PAUSE_US};
    if (!event_pending(l->pause, EV_TIMEOUT, NULL))
        engine_begin(l->engine); /* what waits in the backlog is under way too */
    event_del(l->readable);
    event_add(l->pause, &pause);
}

/* Returns false when the backlog is empty, or has to hold what is in it. */
static bool accept_one(struct listener *l)
{
    /* The address comes from here: one that was reset while it waited has no peer any more. */
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof peer;
    if (l->engine->limits.waiting >= l->engine->limits.waiting_max) {
        pause_accepting(l);
        return false;
    }
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        arrive(l, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(l);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
}

void listener_drain(struct listener *l)
{
    while (accept_one(l))
        ;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    for (int i = 0; i < BATCH && accept_one(arg); i++)
        ;
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    (void)fd;
    (void)what;
    event_add(l->readable, NULL);
    for (int i = 0; i < BATCH && accept_one(l); i++)
        ;
    engine_end(l->engine);
}

struct listener *listener_new(struct engine *e, struct dns_server *dns, int fd,
                              enum listener_kind kind)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct listener){.engine = e, .dns = dns, .fd = fd, .kind = kind};
    if (kind != LISTENER_CLIENT_DNS)
        session_prepare(fd);
    l->readable = event_new(e->base, fd, EV_READ | EV_PERSIST, on_readable, l);
    l->pause = event_new(e->base, -1, 0, on_pause_over, l);
    if (!l->readable || !l->pause || event_add(l->readable, NULL) < 0) {
        listener_free(l);
        return NULL;
    }
    return l;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (l->readable)
        event_free(l->readable);
    if (l->pause)
        event_free(l->pause);
    free(l);
}
