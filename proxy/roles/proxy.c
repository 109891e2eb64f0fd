/* SPDX-License-Identifier: MIT
 * The proxy role: reads every byte that came from outside, the policy's text among them, and alone
 * judges. It is confined before it reads the first of them. */
#include "roles/role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "attribution/who.h"
#include "audit/submit.h"
#include "base/fd.h"
#include "dns/exchange.h"
#include "dns/server.h"
#include "intercept/datagrams.h"
#include "intercept/listener.h"
#include "keeper/options.h"
#include "roles/confine.h"
#include "roles/policy_load.h"
#include "roles/shared.h"
#include "session/engine.h"
#include "session/relay.h"
#include "session/session.h"
#include "udp/udp.h"

/* How long connections may take to end by themselves when the command has gone. */
#define DRAIN_S 2

#define LISTENERS_MAX (OPTIONS_LIST_MAX + 2)

struct proxy_role {
    struct engine engine;
    struct ipc *keeper;
    struct requests *requests;
    struct once *connections; /* of all loops of the run */
    struct udp *udp;
    struct datagrams *datagrams;
    struct listener *listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct event *deadline;
    size_t files; /* descriptors that it may have */
    bool command_gone, packets_gone, draining;
};

/* The loop that has DNS, datagrams and host ports; the others have TCP alone, which DNS may be. */
static bool is_first(const struct proxy_role *p)
{
    return p->engine.loop == 1;
}

static void on_keeper_closed(void *context)
{
    struct proxy_role *p = context;
    event_base_loopbreak(p->engine.base);
}

static void tell_drained(void *context)
{
    struct proxy_role *p = context;
    submit_flush(p->engine.submit);
    ipc_send(p->keeper, IPC_DRAINED, 0, NULL, 0, -1);
    p->engine.idle = NULL;
}

/* What did not end by itself is ended, and recorded so. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval again = {0, 100000};
    struct proxy_role *p = arg;
    (void)fd;
    (void)what;
    sessions_interrupt(&p->engine);
    if (p->engine.active) /* some were between two states, or came just now */
        event_add(p->deadline, &again);
}

/* What the command left in backlogs is taken and judged, then the rest may finish. */
static void drain(struct proxy_role *p)
{
    static const struct timeval limit = {DRAIN_S, 0};
    p->draining = true;
    for (size_t i = 0; i < p->n_listeners; i++)
        listener_drain(p->listeners[i]);
    dns_server_drain(p->engine.dns);
    udp_drain(p->udp);
    p->engine.ending = true;
    exchanges_interrupt(&p->engine);
    p->engine.idle = tell_drained;
    p->engine.idle_context = p;
    event_add(p->deadline, &limit);
    if (p->engine.active == 0)
        tell_drained(p);
}

/* The keeper says that the command has gone, the packet role that its last packet is here. */
static void drain_when_told(struct proxy_role *p)
{
    if (!p->draining && p->command_gone && p->packets_gone)
        drain(p);
}

static void on_last_packet(void *context)
{
    struct proxy_role *p = context;
    p->packets_gone = true;
    drain_when_told(p);
}

static void replace_datagrams(struct proxy_role *p, struct ipc_message *m)
{
    struct datagrams *fresh = m->fd >= 0 && is_first(p)
                                  ? datagrams_new(&p->engine, p->udp, m->fd, on_last_packet, p)
                                  : NULL;
    if (!fresh)
        return;
    m->fd = -1;
    datagrams_free(p->datagrams);
    p->datagrams = fresh;
    p->packets_gone = p->draining;
}

static void on_keeper_message(void *context, struct ipc_message *m)
{
    struct proxy_role *p = context;
    switch (m->type) {
    case IPC_PROCESS:
    case IPC_RECORD_DONE:
        requests_answer(p->requests, m);
        break;
    case IPC_SOCKET:
        udp_take_socket(p->udp, m);
        break;
    case IPC_PEER:
        replace_datagrams(p, m);
        break;
    case IPC_DRAIN:
        p->command_gone = true;
        p->packets_gone = p->packets_gone || !p->datagrams || !datagrams_connected(p->datagrams);
        drain_when_told(p);
        break;
    default:
        break;
    }
}

/* What all loops of the run have together. */
static int map_shared(struct proxy_role *p, const struct role_args *args, struct error *error)
{
    struct stat st;
    struct shared shared;
    struct engine *e = &p->engine;
    const int fd = role_fd(args, "shared");
    if (fstat(fd, &st) < 0)
        return error_set(error, -errno, "proxy: no memory for learnt names");
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return error_set(error, -errno, "proxy: cannot map the learnt names");
    e->loop = (uint32_t)role_number(args, "loop", 1);
    int failed = shared_attach(&shared, memory, (size_t)st.st_size, e->loop);
    if (failed)
        return error_set(error, failed, "proxy: cannot use the learnt names");
    e->names = shared.names;
    e->name_limits = role_setting(args, "no-name-limits", 0) ? NULL : shared.name_limits;
    e->last_conn = shared.last_conn;
    e->lock = shared.lock;
    p->connections = shared.connections;
    return 0;
}

/* What needs rights or files, before they are given up. */
static int prepare(struct proxy_role *p, const struct role_args *args, struct error *error)
{
    struct rlimit files;
    int failed = map_shared(p, args, error);
    if (failed)
        return failed;
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        p->files = files.rlim_max;
    }
    p->engine.base = event_base_new();
    if (!p->engine.base)
        return error_set(error, -ENOMEM, "proxy: cannot make an event loop");
    p->engine.audit_mode = role_setting(args, "audit", 0) != NULL;
    return 0;
}

static size_t read_resolvers(const struct role_args *args, const char *key,
                             struct resolver out[RESOLVERS_MAX])
{
    size_t n = 0;
    const char *text;
    while (n < RESOLVERS_MAX && (text = role_setting(args, key, n)))
        if (resolver_parse(text, &out[n], NULL) == 0)
            n++;
        else
            break;
    return n;
}

static int make_stages(struct proxy_role *p, const struct role_args *args, struct error *error)
{
    struct resolver resolvers[RESOLVERS_MAX], self[RESOLVERS_MAX];
    const struct ipc_handlers handlers = {on_keeper_message, on_keeper_closed, p};
    struct engine *e = &p->engine;
    size_t n_resolvers = read_resolvers(args, "resolver", resolvers);
    size_t n_self = read_resolvers(args, "self", self);
    p->keeper = ipc_new(e->base, role_fd(args, "control"), &handlers);
    p->requests = p->keeper ? requests_new(p->keeper) : NULL;
    if (!p->requests)
        return error_set(error, -ENOMEM, "proxy: cannot listen to the keeper");
    ipc_gather(p->keeper);
    e->who = who_new(p->requests, p->keeper, role_fd(args, "flows"), p->connections,
                     policy_facts(e->policy) & FACT_SHA256);
    e->submit = submit_new(e->base, p->requests, p->keeper);
    e->pipes = pipes_new();
    const bool limited = limits_init(&e->limits, p->files) < 0 || !engine_make_places(e, p->files);
    e->forwarder = forwarder_new(e->base, resolvers, n_resolvers);
    p->deadline = event_new(e->base, -1, 0, on_deadline, p);
    e->dns = dns_server_new(e, self, n_self, p->files);
    p->udp = udp_new(e, p->keeper, p->files);
    if (p->udp && is_first(p))
        p->datagrams = datagrams_new(e, p->udp, role_fd(args, "peer"), on_last_packet, p);
    if (limited || !e->who || !e->submit || !e->pipes || !e->forwarder || !p->deadline || !e->dns ||
        !p->udp || (is_first(p) && !p->datagrams))
        return error_set(error, -ENOMEM, "proxy: cannot make its stages");
    return 0;
}

static int add_listener(struct proxy_role *p, int fd, enum listener_kind kind)
{
    struct listener *l = listener_new(&p->engine, p->engine.dns, fd, kind);
    if (!l)
        return -ENOMEM;
    p->listeners[p->n_listeners++] = l;
    return 0;
}

/* The doors open last, when there is a policy to judge by. */
static int open_doors(struct proxy_role *p, const struct role_args *args, struct error *error)
{
    char name[32];
    int failed = add_listener(p, role_fd(args, "tcp"), LISTENER_GATE);
    if (!failed && !is_first(p))
        return 0;
    if (!failed)
        failed = add_listener(p, role_fd(args, "client-dns-tcp"), LISTENER_CLIENT_DNS);
    if (!failed)
        failed = dns_server_udp(p->engine.dns, role_fd(args, "dns-udp"), false);
    if (!failed)
        failed = dns_server_udp(p->engine.dns, role_fd(args, "client-dns-udp"), true);
    for (size_t i = 0; !failed && i < OPTIONS_LIST_MAX; i++) {
        snprintf(name, sizeof name, "host-port-%zu", i);
        int fd = role_fd(args, name);
        if (fd < 0)
            break;
        failed = add_listener(p, fd, LISTENER_HOST_PORT);
    }
    return failed ? error_set(error, failed, "proxy: cannot open its doors") : 0;
}

int proxy_main(const struct role_args *args)
{
    struct proxy_role p = {0};
    struct error error = {0};
    const struct confine_as as = role_identity(args, CONFINE_PROXY_UID);
    int failed = prepare(&p, args, &error);
    if (!failed)
        failed = confine(CONFINE_PROXY, &as, &error);
    if (!failed)
        failed = policy_load(args, as.control, &p.engine.policy, &error);
    if (!failed)
        failed = make_stages(&p, args, &error);
    if (!failed)
        failed = open_doors(&p, args, &error);
    if (failed)
        return role_fail(as.control, &error);
    ipc_send(p.keeper, IPC_READY, 0, NULL, 0, -1);
    event_base_dispatch(p.engine.base);
    return EXIT_FAILURE; /* it ends with its keeper */
}
