/* SPDX-License-Identifier: MIT
 * How long it takes from a flow to who made it: the real map, filled by the real hooks for
 * connections of real processes, the keeper's table of processes, and the proxy's way through both
 * with its cache. Each question is timed by itself on the wall, less what the clock takes; figures,
 * never a verdict about them.
 *
 *     bench_owner [--json] [--quick]       as root */
#include "bench/figures.h"
#include "bench/hooked.h"

#include <event2/event.h>

#include "attribution/once.h"
#include "attribution/who.h"

enum {
    PER_PROCESS = 128,
    FLOWS = 4096,
    FLOWS_QUICK = 512,
    PROCESSES = FLOWS / PER_PROCESS,
    BLOCK = 32,
};

static struct bench {
    struct flow_key keys[FLOWS];
    struct flow_owner owners[FLOWS];
    double times[FLOWS], first[PROCESSES];
    double clock_ns;
    size_t n;
    struct event_base *base;
    struct ipc *keeper, *proxy;
    struct requests *requests;
    struct once *once, *asked;
    struct who *who;
    bool answered;
} b;

static void give_up(const char *what)
{
    fprintf(stderr, "bench_owner: %s\n", what);
    exit(1);
}

/* ---- the client: the same program below the cgroup ---- */

static int client_connect(const char *port, int n)
{
    const struct sockaddr_in to = helper_v4(helper_port(port));
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to))
            return 1;
    }
    return 0;
}

/* Processes one after another, whose connections wait in the backlog until each has ended. */
static void make_flows(size_t n)
{
    char count[16];
    snprintf(count, sizeof count, "%d", PER_PROCESS);
    const char *const arg[] = {"connects", f.port, count, NULL};
    while (b.n < n) {
        if (run_reporting(arg, -1))
            give_up("a process could not connect");
        for (int i = 0; i < PER_PROCESS; i++) {
            struct sockaddr_in from;
            socklen_t len = sizeof from;
            int fd = accept4(f.tcp, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
            if (fd < 0)
                give_up("a connection did not arrive");
            close(fd);
            b.keys[b.n++] = key_of(&from, f.port, IPPROTO_TCP);
        }
        if (hooks_settle(f.hooks) < 0)
            give_up("the ring cannot be read");
    }
}

/* Flows of one process do not come one after another, as they would if each were asked for when it
 * is made: no look-up finds in the caches what the one before it left there. */
static void mix_flows(void)
{
    static struct flow_key mixed[FLOWS];
    const size_t processes = b.n / PER_PROCESS;
    for (size_t i = 0; i < b.n; i++)
        mixed[i] = b.keys[i % processes * PER_PROCESS + i / processes];
    memcpy(b.keys, mixed, b.n * sizeof *mixed);
}

/* ---- the keeper's side of the channel ---- */

static void on_question(void *context UNUSED, struct ipc_message *m)
{
    struct process_question q;
    struct buffer packed = {0};
    if (m->type != IPC_PROCESS_GET || m->len != sizeof q)
        return;
    memcpy(&q, m->data, sizeof q);
    hooks_catch_up(f.hooks);
    struct process *p = process_table_get(f.table, &q.id.key);
    if (p && !process_is(p, &q.id)) {
        struct process *now = process_at(p, &q.id.state, NULL, f.cgroup_name);
        process_unref(p);
        p = now;
    }
    if (p)
        process_pack(p, &packed);
    ipc_send(b.keeper, IPC_PROCESS, m->id, packed.data, packed.len, -1);
    buffer_release(&packed);
    process_unref(p);
}

static void on_answer(void *context UNUSED, struct ipc_message *m)
{
    requests_answer(b.requests, m);
}

static void on_closed(void *context UNUSED)
{
    give_up("the channel has ended");
}

static void open_channel(void)
{
    const struct ipc_handlers keeper = {.message = on_question, .closed = on_closed},
                              proxy = {.message = on_answer, .closed = on_closed};
    int fds[2];
    b.base = event_base_new();
    if (!b.base || ipc_pair(fds))
        give_up("no channel to be had");
    b.keeper = ipc_new(b.base, fds[0], &keeper);
    b.proxy = ipc_new(b.base, fds[1], &proxy);
    b.requests = b.proxy ? requests_new(b.proxy) : NULL;
    b.once = calloc(1, sizeof *b.once);
    b.asked = calloc(1, sizeof *b.asked);
    if (!b.keeper || !b.requests || !b.once || !b.asked)
        give_up("memory ran out");
    b.who = who_new(b.requests, b.proxy, f.flows, b.once, false);
    if (!b.who)
        give_up("memory ran out");
}

static void close_channel(void)
{
    who_free(b.who);
    requests_free(b.requests);
    ipc_free(b.proxy);
    ipc_free(b.keeper);
    event_base_free(b.base);
    free(b.once);
    free(b.asked);
}

/* ---- the measure ---- */

static double took(double from)
{
    const double ns = now_ns() - from - b.clock_ns;
    return ns > 0 ? ns : 0;
}

static struct spread look_up_owners(void)
{
    for (size_t i = 0; i < b.n; i++) {
        const double from = now_ns();
        int failed = owner_lookup(f.flows, &b.keys[i], &b.owners[i]);
        b.times[i] = took(from);
        if (failed)
            give_up("a flow has no owner");
    }
    return spread_of(b.times, b.n);
}

/* Too quick for the clock one by one. */
static struct spread look_up_processes(void)
{
    struct process *found[BLOCK];
    const size_t blocks = b.n / BLOCK;
    for (size_t i = 0; i < blocks; i++) {
        const struct flow_owner *owners = &b.owners[i * BLOCK];
        const double from = now_ns();
        for (size_t k = 0; k < BLOCK; k++)
            found[k] = process_table_get(f.table, &owners[k].process);
        b.times[i] = took(from) / BLOCK;
        for (size_t k = 0; k < BLOCK; k++) {
            if (!found[k])
                give_up("an owner is not in the table");
            process_unref(found[k]);
        }
    }
    return spread_of(b.times, blocks);
}

static void on_who(void *context UNUSED, struct process *p)
{
    if (!p)
        give_up("the keeper does not know an owner");
    process_unref(p);
    b.answered = true;
}

/* The first flow of each process is asked of the keeper; the others are answered by the cache. Of
 * connections that had the same port one after the other only the last has an owner. */
static struct spread ask_who(struct spread *first)
{
    size_t n_first = 0, n = 0;
    for (size_t i = 0; i < b.n; i++) {
        struct process *p = NULL;
        if (!once_take(b.asked, b.owners[i].connection))
            continue;
        b.answered = false;
        const double from = now_ns();
        if (who_ask(b.who, &b.keys[i], on_who, NULL, &p)) {
            while (!b.answered)
                event_base_loop(b.base, EVLOOP_ONCE);
            b.first[n_first++] = took(from);
            continue;
        }
        b.times[n++] = took(from);
        if (!p)
            give_up("a flow is nobody's");
        process_unref(p);
    }
    *first = spread_of(b.first, n_first);
    return spread_of(b.times, n);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "connects"))
        return client_connect(argv[2], atoi(argv[3]));
    const bool json = figures_asked(argc, argv, "--json");
    const char *reason = hooked_begin();
    if (!reason)
        reason = start();
    if (reason) {
        printf("not measured: %s\n", reason);
        return 0;
    }
    make_flows(figures_asked(argc, argv, "--quick") ? FLOWS_QUICK : FLOWS);
    mix_flows();
    open_channel();
    b.clock_ns = clock_cost_ns(b.times, b.n);
    struct spread first, s = look_up_owners();
    figures_print(json, "owner of a connection, in the kernel's map", s.p50, s.p99);
    s = look_up_processes();
    figures_print(json, "process of an owner, in the keeper's table", s.p50, s.p99);
    s = ask_who(&first);
    figures_print(json, "process of a connection, known to the proxy", s.p50, s.p99);
    figures_print(json, "process of a connection, asked of the keeper", first.p50, first.p99);
    close_channel();
    return 0;
}
