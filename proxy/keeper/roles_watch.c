/* SPDX-License-Identifier: MIT
 * Proxy and packet, started and started again. Listening sockets, learnt names and the policy's
 * bytes are the keeper's, so a new proxy goes on where the old one ended. */
#include "keeper/keeper.h"

#include <arpa/inet.h>
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

struct settings {
    char text[ROLE_NAMES_MAX][96];
    size_t n;
};

static const char *setting(struct settings *s, const char *format, ...) PRINTF(2, 3);
static const char *setting(struct settings *s, const char *format, ...)
{
    va_list args;
    char *room = s->text[s->n < ROLE_NAMES_MAX - 1 ? s->n++ : s->n];
    va_start(args, format);
    vsnprintf(room, sizeof s->text[0], format, args);
    va_end(args);
    return room;
}

static uid_t uid_of(const char *user, uid_t fallback)
{
    const struct passwd *pw = getpwnam(user);
    return pw && pw->pw_uid != 0 ? pw->pw_uid : fallback;
}

static void add_resolvers(struct role_start *start, struct settings *s, const char *key,
                          const struct resolver_address *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct in_addr in = {htonl(list[i].ip)};
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &in, text, sizeof text);
        role_start_setting(start, setting(s, "%s=%s:%u", key, text, list[i].port));
    }
}

/* Everything a proxy is handed; names are what roles/proxy.c asks for. */
static void describe_proxy(struct keeper *k, struct role_start *start, struct settings *s,
                           char *policy_names[])
{
    static char context[4096], repo[512];
    const struct options *o = &k->options;
    role_start_fd(start, "tcp", k->gate.tcp);
    role_start_fd(start, "dns-udp", k->gate.dns_udp);
    role_start_fd(start, "client-dns-udp", k->gate.client_dns_udp);
    role_start_fd(start, "client-dns-tcp", k->gate.client_dns_tcp);
    role_start_fd(start, "flows", k->flows_fd);
    role_start_fd(start, "names", k->names_fd);
    for (size_t i = 0; i < k->n_command_line; i++) {
        role_start_fd(start, setting(s, "policy-%zu", i), k->policies[i].fd);
        role_start_setting(start, policy_names[i]);
    }
    for (size_t i = 0; i < o->n_host_ports; i++) {
        role_start_fd(start, setting(s, "host-port-%zu", i), k->host_ports[i]);
        role_start_setting(start, setting(s, "host-port=%u", o->host_ports[i]));
    }
    add_resolvers(start, s, "resolver", o->resolvers, o->n_resolvers);
    add_resolvers(start, s, "self", k->self, k->n_self);
    role_start_setting(start, setting(s, "uid=%u", uid_of("egress-proxy", CONFINE_PROXY_UID)));
    role_start_setting(start, setting(s, "conn=%llu", (unsigned long long)k->last_conn));
    if (o->audit)
        role_start_setting(start, "audit=1");
    if (o->lenient)
        role_start_setting(start, "lenient=1");
    if (o->context) {
        snprintf(context, sizeof context, "context=%s", o->context);
        role_start_setting(start, context);
    }
    if (o->repo || getenv("GITHUB_REPOSITORY")) {
        snprintf(repo, sizeof repo, "repo=%s", o->repo ? o->repo : getenv("GITHUB_REPOSITORY"));
        role_start_setting(start, repo);
    }
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

/* Spawns the role with a new channel to us, and `peer` as its end of the channel to the other. */
static int spawn(struct keeper *k, struct role *r, struct role_start *start, int peer,
                 struct error *error)
{
    const struct ipc_handlers handlers = {on_message, on_closed, r};
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel to the %s", r->name);
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    start->role = r->name;
    start->executable_fd = k->executable_fd;
    role_start_fd(start, "control", theirs);
    role_start_fd(start, "peer", peer);
    pid_t pid = role_spawn(start, error);
    if (pid < 0)
        return pid;
    r->pid = pid;
    r->ready = false;
    r->ipc = ipc_new(k->base, ours, &handlers);
    if (!r->ipc)
        return error_set(error, -ENOMEM, "cannot listen to the %s", r->name);
    (void)fd_steal(&ours);
    return 0;
}

static int spawn_proxy(struct keeper *k, int peer, struct error *error)
{
    struct role_start start = {.netns_fd = -1};
    struct settings *s = calloc(1, sizeof *s);
    char **names = calloc(k->n_command_line + 1, sizeof *names);
    int failed = s && names ? 0 : -ENOMEM;
    for (size_t i = 0; !failed && i < k->n_command_line; i++)
        if (asprintf(&names[i], "policy=%s", k->policies[i].name) < 0)
            failed = -ENOMEM;
    if (failed) {
        error_set(error, failed, "cannot describe the proxy");
    } else {
        describe_proxy(k, &start, s, names);
        failed = spawn(k, &k->proxy, &start, peer, error);
    }
    for (size_t i = 0; names && i < k->n_command_line; i++)
        free(names[i]);
    free(names);
    free(s);
    return failed;
}

static int spawn_packet(struct keeper *k, int peer, struct error *error)
{
    struct role_start start = {.netns_fd = k->gate.gate_ns};
    char uid[32];
    snprintf(uid, sizeof uid, "uid=%u", uid_of("egress-packet", CONFINE_PACKET_UID));
    role_start_setting(&start, uid);
    return spawn(k, &k->packet, &start, peer, error);
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
    return error_say(error, -EIO, "the %s did not start", r->name);
}

int keeper_start_roles(struct keeper *k, struct error *error)
{
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel between the roles");
    CLEANUP_FD int to_packet = pair[0], to_proxy = pair[1];
    if ((failed = spawn_proxy(k, to_packet, error)) != 0 ||
        (failed = spawn_packet(k, to_proxy, error)) != 0 ||
        (failed = wait_ready(k, &k->proxy, error)) != 0 ||
        (failed = wait_ready(k, &k->packet, error)) != 0)
        return failed;
    return 0;
}

static void record_gap(struct keeper *k, const struct role *r, int status)
{
    char detail[96];
    if (WIFSIGNALED(status))
        snprintf(detail, sizeof detail, "%s ended by signal %d; started again", r->name,
                 WTERMSIG(status));
    else
        snprintf(detail, sizeof detail, "%s ended with status %d; started again", r->name,
                 WEXITSTATUS(status));
    struct record record = {.event = RECORD_GAP, .detail = text_of(detail)};
    keeper_record(k, &record, NULL);
}

/* A new one in place of the one that died, wired to the other by a new channel. */
static int start_again(struct keeper *k, struct role *r, struct error *error)
{
    struct role *other = r == &k->proxy ? &k->packet : &k->proxy;
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return error_set(error, failed, "cannot make a channel between the roles");
    CLEANUP_FD int mine = pair[0], others = pair[1];
    if (r == &k->proxy)
        pins_clear(k->pins); /* what the old one held, the new one does not know */
    failed = r == &k->proxy ? spawn_proxy(k, mine, error) : spawn_packet(k, mine, error);
    if (!failed && other->ipc)
        ipc_send(other->ipc, IPC_PEER, 0, NULL, 0, others);
    return failed;
}

bool keeper_role_ended(struct keeper *k, pid_t pid, int status)
{
    struct role *r = pid == k->proxy.pid ? &k->proxy : pid == k->packet.pid ? &k->packet : NULL;
    struct error error;
    if (!r || pid == 0)
        return false;
    bool was_ready = r->ready;
    uint64_t now = keeper_now_ns();
    ipc_free(STEAL(r->ipc));
    r->pid = 0;
    r->ready = false;
    if (k->drained || k->failed)
        return true;
    if (now - r->window_start_ns > WINDOW_NS) {
        r->window_start_ns = now;
        r->restarts = 0;
    }
    if (!was_ready && !k->started) {
        error_say(&error, -EIO, "the %s ended while it was started", r->name);
        keeper_fail(k, &error);
    } else if (++r->restarts > RESTARTS_MAX) {
        error_say(&error, -EIO, "the %s ended %u times within seconds; giving up", r->name,
                  r->restarts);
        keeper_fail(k, &error);
    } else {
        record_gap(k, r, status);
        if (start_again(k, r, &error))
            keeper_fail(k, &error);
    }
    return true;
}

static void stop_role(struct role *r)
{
    ipc_free(STEAL(r->ipc));
    if (r->pid) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    r->pid = 0;
    r->ready = false;
}

void keeper_stop_roles(struct keeper *k)
{
    stop_role(&k->packet);
    stop_role(&k->proxy);
}
