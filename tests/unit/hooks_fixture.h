/* SPDX-License-Identifier: MIT
 * What the hooks' tests stand on: a cgroup and a network namespace of its own with the hooks,
 * servers to be reached, and the question of who made what arrived. */
#pragma once

#include "attribution/hooks.h"
#include "attribution/owner.h"
#include "attribution/process.h"
#include "attribution/table.h"

#include "unit/hooks_helper.h"
#include "unit/report.h"

#include <ftw.h>
#include <limits.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/syscall.h>

#include "base/fd.h"

enum { SWARM = 200, TICKS_FIELD = 22 };

static struct fixture {
    char cgroup[PATH_MAX], cgroup_name[64], dir[64], self[PATH_MAX];
    char port[8], udp_port[8], port6[8], udp_port6[8];
    int tcp, udp, tcp6, udp6; /* servers */
    int flows;
    uint64_t cookie, cgroup_id;
    ino_t self_ino;
    struct hooks *hooks;
    struct process_table *table;
    struct process_ipv6 refused[16];
    struct process_socket sockets[16];
    size_t n_refused, n_sockets;
} f = {.tcp = -1, .udp = -1, .tcp6 = -1, .udp6 = -1, .flows = -1};

/* ---- set up and take down ---- */

/* The mount point of cgroup2, alone or beside v1. */
static bool find_cgroup2(char *out, size_t size)
{
    char line[4096], path[1024], type[64];
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    bool found = false;
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        const char *dash = strstr(line, " - ");
        if (dash && sscanf(line, "%*s %*s %*s %*s %1023s", path) == 1 &&
            sscanf(dash, " - %63s", type) == 1 && !strcmp(type, "cgroup2")) {
            snprintf(out, size, "%s", path);
            found = true;
        }
    }
    if (mounts)
        fclose(mounts);
    return found;
}

static int serve(int family, int type, char port[8])
{
    struct sockaddr_in four = helper_v4(0);
    struct sockaddr_in6 six = helper_v6(0, "::1");
    struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t len = family == AF_INET ? sizeof four : sizeof six;
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, at, len) || (type == SOCK_STREAM && listen(fd, 2 * SWARM)) ||
        getsockname(fd, at, &len))
        return -1;
    snprintf(port, 8, "%u", ntohs(family == AF_INET ? four.sin_port : six.sin6_port));
    return fd;
}

static void on_event(void *context UNUSED, const void *event, size_t len)
{
    struct process_ipv6 refused;
    struct process_event head;
    process_table_event(f.table, event, len, 1);
    memcpy(&head, event, sizeof head);
    if (head.type == PROCESS_SOCKET && f.n_sockets < ARRAY_SIZE(f.sockets))
        memcpy(&f.sockets[f.n_sockets++], event, sizeof f.sockets[0]);
    if (len != sizeof refused)
        return;
    memcpy(&refused, event, len);
    if (refused.head.type == PROCESS_IPV6 && f.n_refused < ARRAY_SIZE(f.refused))
        f.refused[f.n_refused++] = refused;
}

static const char *cgroup_path(void *context UNUSED, uint64_t id)
{
    return id == f.cgroup_id ? f.cgroup_name : NULL;
}

/* This process is older than the hooks: its record is as /proc tells it. */
static int add_self(void)
{
    char line[1024] = "";
    unsigned long long ticks = 0;
    FILE *stat = fopen("/proc/self/stat", "re");
    if (!stat || !fgets(line, sizeof line, stat))
        return -EIO;
    fclose(stat);
    char *at = strrchr(line, ')'); /* the end of field 2 */
    for (int field = 2; at && field < TICKS_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (at)
        ticks = strtoull(at, NULL, 10);
    const struct process p = {.key = {.pid = (uint32_t)getpid(),
                                      .exec_id = PROCESS_EXEC_ANY,
                                      .start_ns = ticks * PROCESS_TICK_NS},
                              .known = FACT_EXE | FACT_PARENTS,
                              .exe = f.self};
    return process_table_add_old(f.table, &p, NULL);
}

static const char *set_up(void)
{
    char mount_point[1024];
    struct stat st;
    socklen_t len = sizeof f.cookie;
    if (geteuid())
        return "needs root";
    if (!find_cgroup2(mount_point, sizeof mount_point))
        return "no cgroup2 is mounted";
    if (unshare(CLONE_NEWNET) || helper_loopback_up())
        return "no network namespace to be had";
    if (!helper_small_options())
        return "cannot bound the memory of socket options";
    snprintf(f.dir, sizeof f.dir, "/tmp/hooks-test-XXXXXX");
    snprintf(f.cgroup_name, sizeof f.cgroup_name, "/hooks-test-%d", getpid());
    snprintf(f.cgroup, sizeof f.cgroup, "%s%s", mount_point, f.cgroup_name);
    if (!mkdtemp(f.dir) || chmod(f.dir, 0755) || mkdir(f.cgroup, 0755) || stat(f.cgroup, &st))
        return "no cgroup to be had";
    f.cgroup_id = st.st_ino;
    if (!realpath(HELPER_SELF, f.self) || stat(f.self, &st))
        return "cannot find this program";
    f.self_ino = st.st_ino;
    f.tcp = serve(AF_INET, SOCK_STREAM, f.port);
    f.udp = serve(AF_INET, SOCK_DGRAM, f.udp_port);
    f.tcp6 = serve(AF_INET6, SOCK_STREAM, f.port6);
    f.udp6 = serve(AF_INET6, SOCK_DGRAM, f.udp_port6);
    if (f.tcp < 0 || f.udp < 0 || getsockopt(f.tcp, SOL_SOCKET, SO_NETNS_COOKIE, &f.cookie, &len))
        return "no sockets to be had";
    return NULL;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int flag UNUSED,
                      struct FTW *at UNUSED)
{
    return remove(path);
}

static void take_down(void)
{
    hooks_free(f.hooks);
    process_table_free(f.table);
    fd_close(&f.flows);
    fd_close(&f.tcp);
    fd_close(&f.udp);
    fd_close(&f.tcp6);
    fd_close(&f.udp6);
    if (f.cgroup[0])
        rmdir(f.cgroup);
    if (f.dir[0])
        nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *start(void)
{
    static struct error error;
    const struct process_table_options table = {.cgroup_path = cgroup_path};
    enum attach_way way = ATTACH_AUTO;
    const char *wanted = getenv("EGRESS_ATTACH");
    while (wanted && strcmp(wanted, attach_way_name(way))) {
        if (way++ == ATTACH_CGROUP)
            return "EGRESS_ATTACH names no way to attach";
    }
    const struct hooks_options o = {
        .way = way,
        .cgroup_fd = open(f.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .settings = {.cgroup_id = f.cgroup_id, .cgroup_level = 1, .netns_cookie = f.cookie},
        .event = on_event,
    };
    f.table = process_table_new(&table);
    f.hooks = hooks_attach(&o, &error);
    close(o.cgroup_fd);
    if (!f.hooks)
        return error.text;
    f.flows = hooks_flows_fd(f.hooks);
    if (f.flows < 0 || !f.table || add_self())
        return "cannot begin";
    return NULL;
}

/* ---- what the tests say ---- */

/* Executes this program in the guarded cgroup, and returns when it has gone. */
static int run_reporting(const char *const *arg, int report_fd)
{
    pid_t child = fork();
    if (child == 0) {
        const char *argv[16] = {"helper"};
        char procs[PATH_MAX + 16];
        size_t n = 1;
        while (n < ARRAY_SIZE(argv) - 1 && *arg)
            argv[n++] = *arg++;
        snprintf(procs, sizeof procs, "%s/cgroup.procs", f.cgroup);
        int fd = open(procs, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            _exit(126);
        if (report_fd >= 0)
            dup2(report_fd, HELPER_REPORT_FD);
        /* The leak checker wants ptrace, which user namespaces forbid. */
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        execv(HELPER_SELF, (char *const *)argv);
        _exit(126);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run(const char *const *arg)
{
    assert_int_equal(run_reporting(arg, -1), 0);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

struct seen {
    struct flow_key key;
    struct flow_owner owner;
    struct helper_hello hello;
    struct process *process;
};

static void seen_release(struct seen *s)
{
    process_unref(s->process);
}

/* Asks as the keeper does: the ring first, then the flow, then the process. */
static void ask(struct seen *s)
{
    assert_true(hooks_settle(f.hooks) >= 0);
    assert_true(hooks_consume(f.hooks) >= 0);
    assert_int_equal(owner_lookup(f.flows, &s->key, &s->owner), 0);
    assert_true(s->owner.netns_cookie == f.cookie);
    assert_true(s->owner.cgroup_id == f.cgroup_id);
    assert_int_equal(s->owner.uid, 0);
    s->process = process_table_get(f.table, &s->owner.process);
    assert_non_null(s->process);
}

static struct flow_key key_of(const struct sockaddr_in *from, const char *port, uint8_t proto)
{
    return (struct flow_key){.src_ip = from->sin_addr.s_addr,
                             .dst_ip = htonl(INADDR_LOOPBACK),
                             .src_port = ntohs(from->sin_port),
                             .dst_port = helper_port(port),
                             .proto = proto};
}

static struct seen next_connection(void)
{
    struct seen s = {0};
    struct sockaddr_in from;
    struct pollfd ready = {.fd = f.tcp, .events = POLLIN};
    socklen_t len = sizeof from;
    assert_int_equal(poll(&ready, 1, 10000), 1);
    int fd = accept4(f.tcp, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(recv(fd, &s.hello, sizeof s.hello, MSG_WAITALL), sizeof s.hello);
    close(fd);
    s.key = key_of(&from, f.port, IPPROTO_TCP);
    ask(&s);
    return s;
}

static struct flow_key next_datagram_key(void)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    struct pollfd ready = {.fd = f.udp, .events = POLLIN};
    char byte;
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(recvfrom(f.udp, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
    return key_of(&from, f.udp_port, IPPROTO_UDP);
}

static struct seen next_datagram(void)
{
    struct seen s = {.key = next_datagram_key()};
    ask(&s);
    return s;
}

static void assert_self(const struct process *p)
{
    assert_true(p->known & FACT_EXE);
    assert_string_equal(p->exe, f.self);
    assert_true(p->file.ino == f.self_ino);
    assert_true(p->known & FACT_ARGS);
    assert_true(p->known & FACT_CGROUP);
    assert_string_equal(p->cgroup, f.cgroup_name);
    assert_int_equal(p->flags, 0);
}

/* ---- the program ---- */

static void skip_all(const struct unit_test *test, size_t n, const char *reason)
{
    for (size_t i = 0; i < n; i++)
        printf("skip %s %s: %s\n", test[i].id, test[i].test.name, reason);
}

/* Runs the tests with the hooks in place; EGRESS_ATTACH chooses the way. Returns the exit status.
 */
static int fixture_run(const struct unit_test *tests, size_t n)
{
    const char *reason = set_up();
    int bad = 0;
    if (reason) {
        skip_all(tests, n, reason);
    } else if ((reason = start())) {
        for (size_t i = 0; i < n; i++)
            printf("not ok %s %s: %s\n", tests[i].id, tests[i].test.name, reason);
        bad = 1;
    } else {
        bad = unit_run(tests, n);
    }
    take_down();
    return bad;
}
