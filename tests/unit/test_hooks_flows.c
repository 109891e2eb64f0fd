/* SPDX-License-Identifier: MIT
 * The map of flows in this very kernel: who sends by a socket that is another's, by rings instead
 * of calls, from the same addresses elsewhere; and that entries end with their sockets, however
 * many there are. Needs root; leaves nothing behind. */
#include "unit/hooks_fixture.h"

enum { MANY_PROCESSES = 1000, MANY_EACH = 100, MANY_AT_ONCE = 40, SWEEP_EVERY = 5000 };
enum { FLOWS_MAX = 65536, SPRAY = FLOWS_MAX + 6000 };

/* Until an entry that has ended is old enough, and once more. */
static void sweep(int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(hooks_sweep(f.hooks), 0);
}

static bool known(const struct flow_key *key)
{
    struct flow_owner owner;
    return owner_lookup(f.flows, key, &owner) == 0;
}

/* A port that was free a moment ago. */
static void free_port(int type, char port[8])
{
    int fd = serve(AF_INET, type, port);
    assert_true(fd >= 0);
    close(fd);
}

static void socket_of_another(void **state UNUSED)
{
    RUN("passed", f.port);
    struct seen s = next_connection();
    assert_string_equal(s.hello.tag, "passed");
    assert_self(s.process);
    assert_int_equal(s.process->key.pid, s.hello.pid);
    assert_string_equal(s.process->args[1], "passed-child");
    seen_release(&s);
}

/* Two destinations: each is whose datagram went there. */
static void socket_of_two(void **state UNUSED)
{
    char other[8];
    int fd = serve(AF_INET, SOCK_DGRAM, other);
    struct flow_owner owner;
    RUN("shared", f.udp_port, other);
    struct seen s = next_datagram();
    assert_string_equal(s.process->args[0], "first");
    s.key.dst_port = helper_port(other);
    assert_int_equal(owner_lookup(f.flows, &s.key, &owner), 0);
    struct process *second = process_table_get(f.table, &owner.process);
    assert_non_null(second);
    assert_string_equal(second->args[0], "second");
    process_unref(second);
    seen_release(&s);
    close(fd);
}

static void several_in_one_call(void **state UNUSED)
{
    char other[8];
    int fd = serve(AF_INET, SOCK_DGRAM, other);
    RUN("sendmmsg", f.udp_port, other);
    struct seen s = next_datagram();
    struct flow_key key = s.key;
    assert_string_equal(s.process->args[1], "sendmmsg");
    key.dst_port = helper_port(other);
    assert_true(known(&key));
    seen_release(&s);
    close(fd);
}

/* By the thread that asks, and by a worker of the kernel on its behalf. */
static void rings_instead_of_calls(void **state UNUSED)
{
    static const char *const flags[] = {"0", "16"}; /* IOSQE_ASYNC */
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        const char *const arg[] = {"uring-connect", f.port, flags[i], NULL};
        const int status = run_reporting(arg, -1);
        if (status == HELPER_NO_RING)
            skip();
        assert_int_equal(status, 0);
        struct seen s = next_connection();
        assert_self(s.process);
        assert_int_equal(s.process->key.pid, s.hello.pid);
        seen_release(&s);
        RUN("uring-send", f.udp_port, flags[i]);
        s = next_datagram();
        assert_string_equal(s.process->args[1], "uring-send");
        seen_release(&s);
    }
}

static pid_t begin(const char *const *arg)
{
    pid_t child = fork();
    if (child == 0)
        _exit(run_reporting(arg, -1));
    assert_true(child > 0);
    return child;
}

/* A connection and a flow of the very same addresses and ports, in another namespace: made, ended,
 * without room for an owner. What stands here goes on standing. */
static void same_ports_elsewhere(void **state UNUSED)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char port[8];
    free_port(SOCK_STREAM, port);
    const char *const arg[] = {"connect-from", port, f.port, NULL};
    pid_t child = begin(arg);
    struct pollfd ready = {.fd = f.tcp, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    int fd = accept4(f.tcp, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    const struct flow_key tcp = key_of(&from, f.port, IPPROTO_TCP);
    RUN("udp-from", f.port, port, "here"); /* to the port of the TCP server: nobody's of UDP */
    const struct flow_key udp = key_of(&from, f.port, IPPROTO_UDP);
    struct flow_owner before[2], after[2];
    assert_int_equal(owner_lookup(f.flows, &tcp, &before[0]), 0);
    assert_int_equal(owner_lookup(f.flows, &udp, &before[1]), 0);
    RUN("twin", port, f.port);
    assert_int_equal(owner_lookup(f.flows, &tcp, &after[0]), 0);
    assert_memory_equal(&before[0], &after[0], sizeof before[0]);
    if (hooks_way(f.hooks) != ATTACH_CGROUP) {
        assert_int_equal(owner_lookup(f.flows, &udp, &after[1]), 0);
        assert_memory_equal(&before[1], &after[1], sizeof before[1]);
    } else if (owner_lookup(f.flows, &udp, &after[1]) == 0) {
        /* A socket without room for an owner may take the flow's away, but never gives it one. */
        assert_memory_equal(&before[1].process, &after[1].process, sizeof before[1].process);
    }
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(helper_wait(child), 0);
    close(fd);
}

static void entries_end_with_their_sockets(void **state UNUSED)
{
    RUN("connect", f.port, "ends");
    struct seen s = next_connection();
    sweep(1); /* it may still have to be accepted */
    assert_true(known(&s.key));
    sweep(2);
    assert_false(known(&s.key));
    assert_int_equal(hooks_flows(f.hooks).present, 0);
    seen_release(&s);
}

/* A connection that lasts stays, however long it is silent; a datagram brings its flow back. */
static void entries_last_with_their_sockets(void **state UNUSED)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char port[8], udp[8];
    free_port(SOCK_STREAM, port);
    const char *const arg[] = {"connect-from", port, f.port, NULL};
    pid_t child = begin(arg);
    struct pollfd ready = {.fd = f.tcp, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    int fd = accept4(f.tcp, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    const struct flow_key key = key_of(&from, f.port, IPPROTO_TCP);
    sweep(10);
    assert_true(known(&key));
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(helper_wait(child), 0);
    close(fd);
    free_port(SOCK_DGRAM, udp);
    for (int i = 0; i < 2; i++) {
        RUN("udp-from", f.udp_port, udp, i ? "again" : "once");
        struct seen s = next_datagram();
        assert_string_equal(s.process->args[4], i ? "again" : "once");
        sweep(3);
        assert_false(known(&s.key));
        seen_release(&s);
    }
}

/* 100,000 connections by 1,000 processes, where nothing else is said: each is whose it is, each has
 * a number of its own, and nothing is left of them. */
static void many_by_many(void **state UNUSED)
{
    static unsigned of[MANY_PROCESSES];
    /* Fewer where the processor is emulated (tests/vm). */
    const char *fewer = getenv("EGRESS_SWARM");
    const int processes = fewer ? MIN(atoi(fewer), MANY_PROCESSES) : MANY_PROCESSES;
    const int total = processes * MANY_EACH;
    char n[8], each[8], at_once[8], port[8];
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(server, 2 * MANY_AT_ONCE), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&any, &len), 0);
    snprintf(port, sizeof port, "%u", ntohs(any.sin_port));
    snprintf(n, sizeof n, "%d", processes);
    snprintf(each, sizeof each, "%d", MANY_EACH);
    snprintf(at_once, sizeof at_once, "%d", MANY_AT_ONCE);
    sweep(3);
    const struct hooks_flows before = hooks_flows(f.hooks);
    const char *const arg[] = {"many", port, n, each, at_once, NULL};
    pid_t child = begin(arg);
    uint64_t sum = 0, first = UINT64_MAX, last = 0;
    for (int i = 0; i < total; i++) {
        struct seen s = {0};
        struct sockaddr_in from, to;
        len = sizeof from;
        struct pollfd ready = {.fd = server, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 60000), 1);
        int fd = accept4(server, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(recv(fd, &s.hello, sizeof s.hello, MSG_WAITALL), sizeof s.hello);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
        s.key = key_of(&from, port, IPPROTO_TCP);
        s.key.dst_ip = to.sin_addr.s_addr;
        ask(&s);
        assert_int_equal(s.process->key.pid, s.hello.pid);
        assert_string_equal(s.process->args[5], s.hello.tag);
        of[atoi(s.hello.tag)]++;
        sum += s.owner.connection;
        first = MIN(first, s.owner.connection);
        last = MAX(last, s.owner.connection);
        seen_release(&s);
        close(fd);
        if (i % SWEEP_EVERY == 0)
            sweep(1);
    }
    assert_int_equal(helper_wait(child), 0);
    for (int i = 0; i < processes; i++)
        assert_int_equal(of[i], MANY_EACH);
    assert_int_equal(last - first + 1, total);
    assert_true(sum == (first + last) * (uint64_t)total / 2);
    assert_int_equal(hooks_lost(f.hooks).processes, 0);
    sweep(3);
    assert_int_equal(hooks_flows(f.hooks).displaced, before.displaced);
    assert_int_equal(hooks_flows(f.hooks).present, 0);
    close(server);
}

/* More flows than there is room for: the newest are known, the oldest are nobody's, and it is said
 * how many. */
static void the_oldest_make_room(void **state UNUSED)
{
    char port[8], n[8];
    free_port(SOCK_DGRAM, port);
    snprintf(n, sizeof n, "%d", SPRAY);
    sweep(3);
    const uint64_t before = hooks_flows(f.hooks).displaced;
    RUN("udp-spray", port, n);
    struct flow_key key = {.src_ip = htonl(INADDR_LOOPBACK),
                           .dst_ip = htonl(0x7f020000u),
                           .src_port = helper_port(port),
                           .dst_port = 1,
                           .proto = IPPROTO_UDP};
    assert_false(known(&key));
    key.dst_ip = htonl(0x7f020000u + SPRAY - 1);
    assert_true(known(&key));
    sweep(1);
    const struct hooks_flows now = hooks_flows(f.hooks);
    assert_true(now.present <= FLOWS_MAX);
    assert_int_equal(now.displaced - before, SPRAY - now.present);
    sweep(2);
    assert_int_equal(hooks_flows(f.hooks).present, 0);
    assert_int_equal(hooks_flows(f.hooks).displaced, now.displaced);
}

static void frames_are_refused(void **state UNUSED)
{
    f.n_sockets = 0;
    RUN("packet");
    assert_true(hooks_consume(f.hooks) > 0);
    assert_int_equal(f.n_sockets, 3);
    for (size_t i = 0; i < f.n_sockets; i++) {
        assert_int_equal(f.sockets[i].family, i < 2 ? AF_PACKET : AF_XDP);
        assert_true(f.sockets[i].owner.netns_cookie == f.cookie);
        struct process *p = process_table_get(f.table, &f.sockets[i].head.process);
        assert_non_null(p);
        assert_string_equal(p->args[1], "packet");
        process_unref(p);
    }
}

static const struct unit_test tests[] = {
    REPORT("B14", socket_of_another),
    REPORT("B14", socket_of_two),
    REPORT("B02", several_in_one_call),
    REPORT("B03", rings_instead_of_calls),
    REPORT("P03", same_ports_elsewhere),
    REPORT("P06", entries_end_with_their_sockets),
    REPORT("P06", entries_last_with_their_sockets),
    REPORT("P06", many_by_many),
    REPORT("P06", the_oldest_make_room),
    REPORT("B04", frames_are_refused),
};

int main(int argc, char **argv)
{
    const size_t last = ARRAY_SIZE(tests) - 1; /* the one that asks for the security module */
    if (argc > 1)
        return helper_main(argc, argv);
    if (hooks_probe_lsm())
        return fixture_run(tests, last + 1);
    skip_all(&tests[last], 1, "this kernel runs no programs of the security module");
    return fixture_run(tests, last);
}
