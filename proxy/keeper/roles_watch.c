/* SPDX-License-Identifier: MIT
 * Proxies and packet, started and started again. Listening sockets, learnt names and the policy's
 * bytes are the keeper's, so a new proxy goes on where the old one ended. */
#include "keeper/keeper.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/say.h"
#include "keeper/roles.h"
#include "roles/confine.h"

/* More deaths than this within the window mean that starting again does not help. */
#define RESTARTS_MAX 20
#define WINDOW_NS    (10ull * 1000000000)
#define READY_MS     10000

/* Whom the role becomes: a user of its own, and that user's group. */
static void add_user(struct role_start *start, const char *user, uid_t fallback)
{
    const struct passwd *pw = getpwnam(user);
    const bool good = pw && pw->pw_uid != 0 && pw->pw_gid != 0;
    role_start_setting(start, "uid=%u", good ? pw->pw_uid : fallback);
    role_start_setting(start, "gid=%u", good ? pw->pw_gid : fallback);
}

static void add_resolvers(struct role_start *start, const char *key, const struct resolver *list,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[RESOLVER_TEXT];
        resolver_text(&list[i], text);
        role_start_setting(start, "%s=%s", key, text);
    }
}

/* sudo empties our own environment, so the user's counts. */
static const char *find_repo(const struct keeper *k)
{
    const char *repo =
        k->options.repo ? k->options.repo : caller_getenv(&k->caller, "GITHUB_REPOSITORY");
    return repo ? repo : getenv("GITHUB_REPOSITORY");
}

/* What no second process can share: datagrams of one socket would come to either. */
static void describe_first(struct keeper *k, struct role_start *start)
{
    const struct options *o = &k->options;
    role_start_fd(start, k->gate.dns_udp, "dns-udp");
    role_start_fd(start, k->gate.client_dns_udp, "client-dns-udp");
    role_start_fd(start, k->gate.client_dns_tcp, "client-dns-tcp");
    for (size_t i = 0; i < o->n_host_ports; i++) {
        role_start_fd(start, k->host_ports[i], "host-port-%zu", i);
        role_start_setting(start, "host-port=%u", o->host_ports[i]);
    }
}

/* Everything a proxy is handed; names are what roles/proxy.c asks for. */
static void describe_proxy(struct keeper *k, unsigned loop, struct role_start *start)
{
    const struct options *o = &k->options;
    const char *repo = find_repo(k);
    role_start_fd(start, k->gate.tcp[loop], "tcp");
    if (loop == 0)
        describe_first(k, start);
    role_start_fd(start, k->flows_fd, "flows");
    role_start_fd(start, k->shared_fd, "shared");
    for (size_t i = 0; i < k->n_command_line; i++) {
        role_start_fd(start, k->policies[i].fd, "policy-%zu", i);
        role_start_setting(start, "policy=%s", k->policies[i].name);
    }
    add_resolvers(start, "resolver", o->resolvers, o->n_resolvers);
    add_resolvers(start, "self", k->self, k->n_self);
    add_user(start, "egress-proxy", CONFINE_PROXY_UID);
    role_start_setting(start, "loop=%u", loop + 1);
    if (o->audit)
        role_start_setting(start, "audit=1");
    if (o->no_name_limits)
        role_start_setting(start, "no-name-limits=1");
    if (o->lenient)
        role_start_setting(start, "lenient=1");
    if (o->context)
        role_start_setting(start, "context=%s", o->context);
    if (repo)
        role_start_setting(start, "repo=%s", repo);
}

int keeper_name_roles(struct keeper *k)
{
    const unsigned loops = k->options.loops;
    for (unsigned i = 0; i < loops; i++) {
        struct role *r = &k->proxies[i];
        *r = (struct role){
            .name = "proxy", .loop = i, .pins = pins_new(), .pending_peer = -1, .keeper = k};
        if (!r->pins)
            return -ENOMEM;
        if (loops == 1)
            snprintf(r->title, sizeof r->title, "proxy");
        else
            snprintf(r->title, sizeof r->title, "proxy %u of %u", i + 1, loops);
    }
    k->packet = (struct role){.name = "packet", .title = "packet", .pending_peer = -1, .keeper = k};
    return 0;
}

struct role *keeper_role(struct keeper *k, size_t n)
{
    return n < k->options.loops ? &k->proxies[n] : n == k->options.loops ? &k->packet : NULL;
}

void keeper_send(struct role *r, enum ipc_type type, uint32_t id, const void *data, size_t len,
                 int fd)
{
    /* One that asks and does not listen would fill our memory; other errors are its death, which is
     * seen elsewhere. */
    if (r->ipc && ipc_send(r->ipc, type, id, data, len, fd) == -ENOBUFS)
        keeper_cut_off(r);
}

void keeper_cut_off(struct role *r)
{
    r->broken = true;
    if (r->pid)
        kill(r->pid, SIGKILL);
}

void keeper_role_ready(struct role *r)
{
    r->ready = true;
    if (r->pending_peer >= 0)
        keeper_send(r, IPC_PEER, 0, NULL, 0, r->pending_peer);
    fd_close(&r->pending_peer);
    if (r->keeper->draining)
        keeper_send(r, IPC_DRAIN, 0, NULL, 0, -1);
}

void keeper_drain(struct keeper *k)
{
    struct role *r;
    k->draining = true;
    for (size_t i = 0; (r = keeper_role(k, i)); i++)
        if (r->ready)
            keeper_send(r, IPC_DRAIN, 0, NULL, 0, -1);
}

void keeper_role_drained(struct role *r)
{
    struct keeper *k = r->keeper;
    bool all = true;
    r->drained = true;
    for (size_t i = 0; i < k->options.loops; i++)
        all = all && k->proxies[i].drained;
    k->drained = all;
}

static void on_message(void *context, struct ipc_message *m)
{
    struct role *r = context;
    keeper_message(r->keeper, r, m);
}

/* The channel of a role that has died; its exit is seen by the wait. */
static void on_closed(void *context)
{
    struct role *r = context;
    ipc_free(r->ipc);
    r->ipc = NULL;
    if (r->pid)
        kill(r->pid, SIGKILL); /* one that closed its channel but lives is of no use */
}

/* Spawns the role with a new channel to us, and `peer` as its end of the channel to the other, or
 * -1.
 */
static int spawn(struct keeper *k, struct role *r, struct role_start *start, int peer,
                 struct error *error)
{
    const struct ipc_handlers handlers = {on_message, on_closed, r};
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel to the %s", r->title);
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    start->role = r->name;
    start->executable_fd = k->executable_fd;
    role_start_fd(start, theirs, "control");
    role_start_fd(start, peer, "peer");
    pid_t pid = role_spawn(start, error);
    if (pid < 0)
        return pid;
    r->pid = pid;
    r->ready = r->broken = false;
    r->ipc = ipc_new(k->base, ours, &handlers);
    if (!r->ipc)
        return error_set(error, -ENOMEM, "cannot listen to the %s", r->title);
    (void)fd_steal(&ours);
    ipc_gather(r->ipc);
    return 0;
}

static int spawn_proxy(struct role *r, int peer, struct error *error)
{
    struct role_start start = {.netns_fd = -1};
    describe_proxy(r->keeper, r->loop, &start);
    int failed = spawn(r->keeper, r, &start, peer, error);
    role_start_release(&start);
    return failed;
}

static int spawn_packet(struct keeper *k, int peer, struct error *error)
{
    struct role_start start = {.netns_fd = k->gate.gate_ns};
    add_user(&start, "egress-packet", CONFINE_PACKET_UID);
    int failed = spawn(k, &k->packet, &start, peer, error);
    role_start_release(&start);
    return failed;
}

/* Waits for the role's word. Its own sentence, where it had one, is in k->failure. */
static int wait_ready(struct keeper *k, struct role *r, struct error *error)
{
    keeper_loop(k, &r->ready, READY_MS);
    if (r->ready)
        return 0;
    if (k->failed) {
        *error = k->failure;
        return error->code;
    }
    if (k->stop_signal)
        return error_say(error, -EINTR, "interrupted");
    return error_say(error, -EIO, "the %s did not start", r->title);
}

int keeper_start_roles(struct keeper *k, struct error *error)
{
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel between the roles");
    CLEANUP_FD int to_packet = pair[0], to_proxy = pair[1];
    if ((failed = spawn_proxy(&k->proxies[0], to_packet, error)) != 0 ||
        (failed = spawn_packet(k, to_proxy, error)) != 0 ||
        (failed = wait_ready(k, &k->proxies[0], error)) != 0 ||
        (failed = wait_ready(k, &k->packet, error)) != 0)
        return failed;
    /* Afterwards, so that a policy with errors is told of once, and its includes are known. */
    for (unsigned i = 1; !failed && i < k->options.loops; i++)
        failed = spawn_proxy(&k->proxies[i], -1, error);
    for (unsigned i = 1; !failed && i < k->options.loops; i++)
        failed = wait_ready(k, &k->proxies[i], error);
    return failed;
}

static void record_gap(struct keeper *k, const struct role *r, int status, bool broken, bool again)
{
    char detail[112];
    snprintf(detail, sizeof detail, "%s ended %s %d%s; %s", r->title,
             WIFSIGNALED(status) ? "by signal" : "with status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             broken ? " for breaking the rules" : "",
             again ? "started again" : "not started again");
    struct record record = {.event = RECORD_GAP, .detail = text_of(detail)};
    keeper_record(k, &record, NULL);
}

/* A new one in place of the one that died; the first proxy and the packet role are wired to each
 * other by a new channel. */
static int start_again(struct keeper *k, struct role *r, struct error *error)
{
    struct role *other = r == &k->packet ? &k->proxies[0] : &k->packet;
    int pair[2];
    if (r->pins) { /* what the old one held and asked, the new one does not know */
        pins_clear(r->pins);
        digests_forget(k->digests, r);
    }
    if (r->loop)
        return spawn_proxy(r, -1, error);
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel between the roles");
    CLEANUP_FD int mine = pair[0], others = pair[1];
    failed = r == &k->packet ? spawn_packet(k, mine, error) : spawn_proxy(r, mine, error);
    /* One that is still starting reads nothing yet but what it asked for. */
    fd_close(&other->pending_peer);
    if (!failed && other->ready)
        keeper_send(other, IPC_PEER, 0, NULL, 0, others);
    else if (!failed)
        other->pending_peer = fd_steal(&others);
    return failed;
}

/* In the socket may lie what it said before it died: records of what it let pass among them. */
static void hear_out(struct role *r)
{
    r->pid = 0; /* the number may be another's by now */
    if (r->ipc)
        ipc_drain(r->ipc);
    keeper_write_records(r->keeper);
    keeper_forget_socket_wishes(r);
    ipc_free(STEAL(r->ipc));
    fd_close(&r->pending_peer);
    r->ready = r->drained = false;
}

/* Starts it again unless that has been done too often. */
static int restart(struct keeper *k, struct role *r, struct error *error)
{
    uint64_t now = keeper_now_ns();
    if (now - r->window_start_ns > WINDOW_NS) {
        r->window_start_ns = now;
        r->restarts = 0;
    }
    if (++r->restarts > RESTARTS_MAX)
        return error_say(error, -EIO, "the %s ended %u times within seconds; giving up", r->title,
                         r->restarts);
    return start_again(k, r, error);
}

void keeper_role_ended(struct role *r, int status)
{
    struct keeper *k = r->keeper;
    struct error error;
    bool was_ready = r->ready;
    hear_out(r);
    bool broken = r->broken;
    if (k->drained || k->failed)
        return;
    if (!was_ready && !k->started) {
        error_say(&error, -EIO, "the %s ended while it was started", r->title);
        keeper_fail(k, &error);
        return;
    }
    int failed = restart(k, r, &error);
    record_gap(k, r, status, broken, !failed);
    if (failed)
        keeper_fail(k, &error);
}

static void stop_role(struct role *r)
{
    ipc_free(STEAL(r->ipc));
    if (r->pid) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    fd_close(&r->pending_peer);
    r->pid = 0;
    r->ready = false;
}

void keeper_stop_roles(struct keeper *k)
{
    struct role *r;
    keeper_write_records(k);
    for (size_t i = 0; (r = keeper_role(k, i)); i++)
        stop_role(r);
}
