/* SPDX-License-Identifier: MIT
 * The other side of the hooks' tests: the same program, executed below the guarded cgroup, does one
 * thing named by its first argument and exits 0 when that went as expected. */
#pragma once

#include "unit/hooks_helper_flows.h"

static int verb_idle(char **arg UNUSED)
{
    return 0;
}

static int verb_connect(char **arg)
{
    return helper_connect(arg[0], arg[1]);
}

/* Many processes at once, each of which executes, connects and is gone. */
static int verb_swarm(char **arg)
{
    const int n = atoi(arg[1]);
    int bad = 0;
    for (int i = 0; i < n; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            char tag[16];
            snprintf(tag, sizeof tag, "%d", i);
            execl(HELPER_SELF, "swarm-child", "connect", arg[0], tag, (char *)NULL);
            _exit(1);
        }
    }
    for (int status; wait(&status) > 0;)
        bad |= status != 0;
    return bad;
}

static int verb_fork_connect(char **arg)
{
    pid_t child = fork();
    if (child == 0)
        _exit(helper_connect(arg[0], "fork"));
    return helper_wait(child);
}

static void *thread_connect(void *port)
{
    return helper_connect(port, "thread") ? port : NULL;
}

static int verb_thread_connect(char **arg)
{
    pthread_t thread;
    void *bad = NULL;
    return pthread_create(&thread, NULL, thread_connect, arg[0]) || pthread_join(thread, &bad) ||
           bad;
}

static int verb_connect_exec(char **arg)
{
    if (helper_connect(arg[0], "exec"))
        return 1;
    execl(HELPER_SELF, "after-exec", "idle", (char *)NULL);
    return 1;
}

/* One datagram, by sendto or by connect and send, from an IPv4 or an IPv6 socket. */
static int helper_datagram(const char *port, int family, int connected)
{
    const struct sockaddr_in four = helper_v4(helper_port(port));
    const struct sockaddr_in6 six = helper_v6(helper_port(port), "::ffff:127.0.0.1");
    const struct sockaddr *to =
        family == AF_INET ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
    const socklen_t len = family == AF_INET ? sizeof four : sizeof six;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 1;
    if (!connected)
        return sendto(fd, "x", 1, 0, to, len) != 1;
    return connect(fd, to, len) || send(fd, "x", 1, 0) != 1;
}

static int verb_udp_sendto(char **arg)
{
    return helper_datagram(arg[0], AF_INET, 0);
}

static int verb_udp_connected(char **arg)
{
    return helper_datagram(arg[0], AF_INET, 1);
}

static int verb_udp_mapped_sendto(char **arg)
{
    return helper_datagram(arg[0], AF_INET6, 0);
}

static int verb_udp_mapped_connected(char **arg)
{
    return helper_datagram(arg[0], AF_INET6, 1);
}

/* From a source port that another process had before. */
static int verb_udp_from(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    const struct sockaddr_in from = helper_v4(helper_port(arg[1]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) ||
           sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1;
}

static int verb_udp_from_full(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    const struct sockaddr_in from = helper_v4(helper_port(arg[1]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) ||
           helper_fill_options(fd) ||
           sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1;
}

static int verb_tcp_mapped(char **arg)
{
    const struct sockaddr_in6 to = helper_v6(helper_port(arg[0]), "::ffff:127.0.0.1");
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "mapped"};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) ||
           write(fd, &hello, sizeof hello) != sizeof hello;
}

static int verb_tcp_fastopen(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "fastopen"};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || sendto(fd, &hello, sizeof hello, MSG_FASTOPEN, (const struct sockaddr *)&to,
                            sizeof to) != sizeof hello;
}

/* Multipath: the subflow's socket is not the one that the program connected. */
static int verb_mptcp(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "mptcp"};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    return fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) ||
           write(fd, &hello, sizeof hello) != sizeof hello;
}

/* IPv6 of every kind that a hook can see: arg is the TCP and the UDP port of servers on ::1. */
static int verb_ipv6(char **arg)
{
    const struct sockaddr_in6 tcp = helper_v6(helper_port(arg[0]), "::1");
    const struct sockaddr_in6 udp = helper_v6(helper_port(arg[1]), "::1");
    const struct sockaddr *to_tcp = (const struct sockaddr *)&tcp;
    const struct sockaddr *to_udp = (const struct sockaddr *)&udp;
    int stream = socket(AF_INET6, SOCK_STREAM, 0), datagram = socket(AF_INET6, SOCK_DGRAM, 0);
    if (connect(stream, to_tcp, sizeof tcp) != -1 || errno != EPERM)
        return 1;
    if (sendto(stream, "x", 1, MSG_FASTOPEN, to_tcp, sizeof tcp) != -1 || errno != EPERM)
        return 2;
    if (sendto(datagram, "x", 1, 0, to_udp, sizeof udp) != -1 || errno != EPERM)
        return 3;
    if (connect(datagram, to_udp, sizeof udp) != -1 || errno != EPERM)
        return 4;
    return 0;
}

/* Refused connects for two seconds, each to another port. */
static int verb_ipv6_flood(char **arg)
{
    struct sockaddr_in6 to = helper_v6(helper_port(arg[0]), "::1");
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    const time_t end = time(NULL) + 2;
    while (time(NULL) < end) {
        to.sin6_port++;
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != -1 || errno != EPERM)
            return 1;
    }
    return 0;
}

static int verb_raw(char **arg UNUSED)
{
    static const struct {
        int family, type, proto;
    } refused[] = {{AF_INET, SOCK_RAW, IPPROTO_RAW},
                   {AF_INET, SOCK_RAW, IPPROTO_ICMP},
                   {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
                   {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6}};
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (socket(refused[i].family, refused[i].type, refused[i].proto) != -1)
            return (int)i + 1;
    }
    return 0;
}

/* Copies this program. The descriptor is read-only, so that it can be executed. */
static int helper_copy_self(const char *path)
{
    char block[65536];
    ssize_t n;
    int from = open(HELPER_SELF, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (from < 0 || to < 0)
        return -1;
    while ((n = read(from, block, sizeof block)) > 0) {
        if (write(to, block, (size_t)n) != n)
            return -1;
    }
    close(from);
    close(to);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Executes a copy of this program that has no name any more: arg is port and directory. */
static int verb_deleted(char **arg)
{
    const char *const argv[] = {"deleted", "connect", arg[0], "deleted", NULL};
    char path[256];
    snprintf(path, sizeof path, "%s/short-lived", arg[1]);
    int fd = helper_copy_self(path);
    if (fd < 0 || unlink(path))
        return 1;
    fexecve(fd, (char *const *)argv, environ);
    return 1;
}

/* Executes a copy of this program below a path of more than PROCESS_PATH_MAX bytes. */
static int verb_deep(char **arg)
{
    const char *const argv[] = {"deep", "connect", arg[0], "deep", NULL};
    char name[201] = "";
    memset(name, 'd', sizeof name - 1);
    if (chdir(arg[1]))
        return 1;
    for (int i = 0; i < 8; i++) {
        if (mkdir(name, 0755) || chdir(name))
            return 1;
    }
    int fd = helper_copy_self("deep");
    if (fd < 0)
        return 1;
    fexecve(fd, (char *const *)argv, environ);
    return 1;
}

/* A root directory of its own, in the first mount namespace's user namespace. */
static int verb_chroot(char **arg)
{
    char self[256] = "";
    if (readlink(HELPER_SELF, self, sizeof self - 1) < 0 || unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("/", arg[1], NULL, MS_BIND | MS_REC, NULL) || chroot(arg[1]) || chdir("/"))
        return 1;
    execl(self, "chrooted", "connect", arg[0], "chroot", (char *)NULL);
    return 1;
}

/* `unshare -rm`, then a copy of this program mounted over one that a policy may trust: arg is port
 * and directory, which anybody can enter. */
static int verb_bind_over(char **arg)
{
    char path[256];
    snprintf(path, sizeof path, "%s/over", arg[1]);
    int fd = helper_copy_self(path);
    if (fd < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
        mount(path, "/usr/bin/env", NULL, MS_BIND, NULL))
        return 1;
    execl("/usr/bin/env", "env", "connect", arg[0], "bind", (char *)NULL);
    return 1;
}

/* A flow of a namespace that is not followed, reported by descriptor. */
static int verb_other_netns(char **arg UNUSED)
{
    struct sockaddr_in to = helper_v4(0), from;
    socklen_t len = sizeof to;
    if (unshare(CLONE_NEWNET) || helper_loopback_up())
        return 1;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&to, sizeof to) || listen(server, 1) ||
        getsockname(server, (struct sockaddr *)&to, &len) ||
        connect(client, (struct sockaddr *)&to, sizeof to) ||
        getsockname(client, (struct sockaddr *)&from, &len))
        return 1;
    const struct flow_key key = {.src_ip = from.sin_addr.s_addr,
                                 .dst_ip = to.sin_addr.s_addr,
                                 .src_port = ntohs(from.sin_port),
                                 .dst_port = ntohs(to.sin_port),
                                 .proto = IPPROTO_TCP};
    return write(HELPER_REPORT_FD, &key, sizeof key) != sizeof key;
}

/* A connection to a port where nobody listens, reported by descriptor. */
static int verb_refused_connect(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    struct sockaddr_in from = helper_v4(0);
    socklen_t len = sizeof from;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) ||
        getsockname(fd, (struct sockaddr *)&from, &len) ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) != -1 || errno != ECONNREFUSED)
        return 1;
    const struct flow_key key = {.src_ip = from.sin_addr.s_addr,
                                 .dst_ip = to.sin_addr.s_addr,
                                 .src_port = ntohs(from.sin_port),
                                 .dst_port = ntohs(to.sin_port),
                                 .proto = IPPROTO_TCP};
    return write(HELPER_REPORT_FD, &key, sizeof key) != sizeof key;
}

/* A socket that asks for the very 4-tuple of one that is connected, in vain. It was refused
 * elsewhere before, so that the kernel tells of its states. */
static int verb_twice(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0])), nobody = helper_v4(1);
    struct sockaddr_in from = helper_v4(0);
    const struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "twice"};
    const int one = 1;
    socklen_t len = sizeof from;
    int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);
    if (setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(first, (struct sockaddr *)&from, sizeof from) ||
        getsockname(first, (struct sockaddr *)&from, &len) ||
        bind(second, (struct sockaddr *)&from, sizeof from) ||
        connect(second, (const struct sockaddr *)&nobody, sizeof nobody) != -1 ||
        errno != ECONNREFUSED || connect(first, (const struct sockaddr *)&to, sizeof to) ||
        connect(second, (const struct sockaddr *)&to, sizeof to) != -1 || errno != EADDRNOTAVAIL)
        return 1;
    return write(first, &hello, sizeof hello) != sizeof hello;
}

static const struct {
    const char *name;
    int (*run)(char **arg);
    int n_args; /* at least */
} helper_verbs[] = {
    {"idle", verb_idle, 0},
    {"connect", verb_connect, 2},
    {"swarm", verb_swarm, 2},
    {"fork-connect", verb_fork_connect, 1},
    {"thread-connect", verb_thread_connect, 1},
    {"connect-exec", verb_connect_exec, 1},
    {"udp-sendto", verb_udp_sendto, 1},
    {"udp-connected", verb_udp_connected, 1},
    {"udp-mapped-sendto", verb_udp_mapped_sendto, 1},
    {"udp-mapped-connected", verb_udp_mapped_connected, 1},
    {"udp-from", verb_udp_from, 2},
    {"udp-from-full", verb_udp_from_full, 2},
    {"tcp-mapped", verb_tcp_mapped, 1},
    {"tcp-fastopen", verb_tcp_fastopen, 1},
    {"mptcp", verb_mptcp, 1},
    {"ipv6", verb_ipv6, 2},
    {"ipv6-flood", verb_ipv6_flood, 1},
    {"refused-connect", verb_refused_connect, 1},
    {"twice", verb_twice, 1},
    {"raw", verb_raw, 0},
    {"deleted", verb_deleted, 2},
    {"deep", verb_deep, 2},
    {"chroot", verb_chroot, 2},
    {"bind-over", verb_bind_over, 2},
    {"other-netns", verb_other_netns, 0},
    {"passed", verb_passed, 1},
    {"passed-child", verb_passed_child, 2},
    {"shared", verb_shared, 2},
    {"shared-child", verb_shared_child, 2},
    {"sendmmsg", verb_sendmmsg, 2},
    {"uring-connect", verb_uring_connect, 2},
    {"uring-send", verb_uring_send, 2},
    {"twin", verb_twin, 2},
    {"connect-from", verb_connect_from, 2},
    {"many", verb_many, 4},
    {"many-child", verb_many_child, 4},
    {"udp-spray", verb_udp_spray, 2},
    {"packet", verb_packet, 0},
};

static int helper_main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(helper_verbs); i++) {
        if (!strcmp(argv[1], helper_verbs[i].name) && argc - 2 >= helper_verbs[i].n_args)
            return helper_verbs[i].run(argv + 2);
    }
    return 127;
}
