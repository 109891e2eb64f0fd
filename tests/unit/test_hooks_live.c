/* SPDX-License-Identifier: MIT
 * The programs in this very kernel, in a cgroup and a network namespace of the test's own: who made
 * a flow, when the one who made it has long gone. Needs root; leaves nothing behind. */
#include "unit/hooks_fixture.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "attribution/executable.h"
#include "attribution/preempt.h"

static void swarm_is_attributed(void **state UNUSED)
{
    bool seen[SWARM] = {false};
    char n[8];
    snprintf(n, sizeof n, "%d", SWARM);
    RUN("swarm", f.port, n);
    for (int i = 0; i < SWARM; i++) {
        struct seen s = next_connection();
        const int tag = atoi(s.hello.tag);
        assert_in_range(tag, 0, SWARM - 1);
        assert_false(seen[tag]);
        seen[tag] = true;
        assert_self(s.process);
        assert_int_equal(s.process->key.pid, s.hello.pid);
        assert_int_equal(s.process->n_args, 4);
        assert_string_equal(s.process->args[0], "swarm-child");
        assert_string_equal(s.process->args[3], s.hello.tag);
        assert_true(s.process->known & FACT_PARENTS);
        assert_int_equal(s.process->n_ancestors, 2);
        assert_string_equal(s.process->ancestors[0].exe, f.self);
        assert_int_equal(s.process->ancestors[1].pid, getpid());
        seen_release(&s);
    }
    assert_int_equal(hooks_lost(f.hooks).processes, 0);
}

/* As stat(2) tells it afterwards, where that tells what the kernel itself has. */
static void the_file_is_told(void **state UNUSED)
{
    struct stat st;
    struct statfs fs;
    RUN("connect", f.port, "file");
    struct seen s = next_connection();
    assert_int_equal(stat(f.self, &st), 0);
    assert_int_equal(statfs(f.self, &fs), 0);
    assert_true(s.process->file.ino == st.st_ino);
    assert_true(s.process->file.size == (uint64_t)st.st_size);
    assert_true(s.process->file.fs == (uint32_t)fs.f_type);
    assert_true(s.process->exec_ns > s.process->key.start_ns);
    if (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC) {
        assert_true(s.process->file.dev == exe_dev(st.st_dev));
        assert_true(s.process->file.ctime_ns ==
                    (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec);
    }
    seen_release(&s);
}

static void fork_without_exec(void **state UNUSED)
{
    RUN("fork-connect", f.port);
    struct seen s = next_connection();
    assert_self(s.process);
    assert_int_equal(s.process->key.pid, s.hello.pid);
    assert_string_equal(s.process->args[1], "fork-connect");
    assert_int_equal(s.process->n_ancestors, 2);
    assert_true(s.process->ancestors[0].pid != s.hello.pid);
    assert_string_equal(s.process->ancestors[0].exe, f.self);
    seen_release(&s);
}

static void tcp_kinds(void **state UNUSED)
{
    static const struct {
        const char *verb, *tag;
    } kinds[] = {{"thread-connect", "thread"},
                 {"tcp-mapped", "mapped"},
                 {"tcp-fastopen", "fastopen"},
                 {"mptcp", "mptcp"}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        RUN(kinds[i].verb, f.port);
        struct seen s = next_connection();
        assert_string_equal(s.hello.tag, kinds[i].tag);
        assert_self(s.process);
        assert_int_equal(s.process->key.pid, s.hello.pid);
        assert_string_equal(s.process->args[1], kinds[i].verb);
        seen_release(&s);
    }
}

static void exec_keeps_old_image(void **state UNUSED)
{
    RUN("connect-exec", f.port);
    struct seen s = next_connection();
    assert_self(s.process);
    assert_string_equal(s.process->args[1], "connect-exec");
    struct process_key next = s.owner.process;
    next.exec_id++;
    struct process *after = process_table_get(f.table, &next);
    assert_non_null(after);
    assert_string_equal(after->args[0], "after-exec");
    assert_int_equal(after->n_ancestors, s.process->n_ancestors);
    process_unref(after);
    seen_release(&s);
}

static void udp_kinds(void **state UNUSED)
{
    static const char *const verbs[] = {"udp-sendto", "udp-connected", "udp-mapped-sendto",
                                        "udp-mapped-connected"};
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        RUN(verbs[i], f.udp_port);
        struct seen s = next_datagram();
        assert_self(s.process);
        assert_string_equal(s.process->args[1], verbs[i]);
        seen_release(&s);
    }
}

/* The second owner of a port is never taken for the first, not even where nothing can be known:
 * cgroup hooks keep the owner in the socket's own memory, and here there is none. */
static void reused_source_port(void **state UNUSED)
{
    char port[8];
    int fd = serve(AF_INET, SOCK_DGRAM, port); /* a port that is free when this is closed */
    assert_true(fd >= 0);
    close(fd);
    static const char *const tags[] = {"first", "second"};
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        RUN("udp-from", f.udp_port, port, tags[i]);
        struct seen s = next_datagram();
        assert_string_equal(s.process->args[4], tags[i]);
        seen_release(&s);
    }
    RUN("udp-from-full", f.udp_port, port);
    assert_true(hooks_consume(f.hooks) >= 0);
    const struct flow_key key = next_datagram_key();
    struct flow_owner owner;
    const int found = owner_lookup(f.flows, &key, &owner);
    if (hooks_way(f.hooks) == ATTACH_CGROUP) {
        assert_int_equal(found, -ENOENT);
        return;
    }
    assert_int_equal(found, 0);
    struct process *third = process_table_get(f.table, &owner.process);
    assert_non_null(third);
    assert_string_equal(third->args[1], "udp-from-full");
    process_unref(third);
}

static void ipv6_is_refused(void **state UNUSED)
{
    const struct sockaddr_in6 loopback = helper_v6(0, "::1");
    char byte;
    f.n_refused = 0;
    RUN("ipv6", f.port6, f.udp_port6);
    assert_true(hooks_consume(f.hooks) > 0);
    assert_int_equal(f.n_refused, 4);
    for (size_t i = 0; i < f.n_refused; i++) {
        const struct process_ipv6 *r = &f.refused[i];
        const bool tcp = i < 2;
        struct process *p = process_table_get(f.table, &r->head.process);
        assert_non_null(p);
        assert_string_equal(p->args[1], "ipv6");
        process_unref(p);
        assert_memory_equal(r->dst_ip, &loopback.sin6_addr, sizeof r->dst_ip);
        assert_int_equal(r->dst_port, helper_port(tcp ? f.port6 : f.udp_port6));
        assert_int_equal(r->proto, tcp ? IPPROTO_TCP : IPPROTO_UDP);
        assert_true(r->owner.netns_cookie == f.cookie);
        assert_true(r->owner.cgroup_id == f.cgroup_id);
    }
    /* Nothing came through: on loopback it would be here by now. */
    assert_int_equal(accept(f.tcp6, NULL, NULL), -1);
    assert_int_equal(recv(f.udp6, &byte, 1, 0), -1);
}

static void raw_is_refused(void **state UNUSED)
{
    f.n_sockets = 0;
    RUN("raw");
    assert_true(hooks_consume(f.hooks) > 0);
    assert_in_range(f.n_sockets, 3, 4); /* ping sockets may be closed before the guard is asked */
    for (size_t i = 0; i < f.n_sockets; i++) {
        static const unsigned protos[] = {IPPROTO_RAW, IPPROTO_ICMP, IPPROTO_ICMPV6,
                                          IPPROTO_ICMPV6};
        const struct process_socket *r = &f.sockets[i];
        struct process *p = process_table_get(f.table, &r->head.process);
        assert_non_null(p);
        assert_string_equal(p->args[1], "raw");
        process_unref(p);
        assert_int_equal(r->family, i < 2 ? AF_INET : AF_INET6);
        assert_int_equal(r->type, i < 3 ? SOCK_RAW : SOCK_DGRAM);
        assert_int_equal(r->proto, protos[i]);
        assert_true(r->owner.cgroup_id == f.cgroup_id);
    }
}

/* Refused calls, as fast as they come: what is asked about processes meanwhile is answered, and
 * nothing of what processes are is lost. */
static void a_flood_of_refusals_ends(void **state UNUSED)
{
    const struct attribution_lost before = hooks_lost(f.hooks);
    const char *const arg[] = {"ipv6-flood", f.port6, NULL};
    pid_t child = fork();
    if (child == 0)
        _exit(run_reporting(arg, -1) != 0);
    assert_true(child > 0);
    for (int i = 0; hooks_lost(f.hooks).ipv6 == before.ipv6; i++)
        assert_int_equal(usleep(1000), 0);
    for (int i = 0; i < 100; i++)
        assert_true(hooks_consume(f.hooks) >= 0); /* the first would not return */
    swarm_is_attributed(NULL);
    assert_int_equal(hooks_lost(f.hooks).processes, before.processes);
    assert_int_equal(helper_wait(child), 0);
    while (hooks_consume(f.hooks) > 0)
        ;
}

/* A connection that nobody will ever accept leaves no owner behind for the next one. */
static void a_failed_connection_is_forgotten(void **state UNUSED)
{
    struct flow_key key;
    struct flow_owner owner;
    int report[2];
    char port[8];
    int fd = serve(AF_INET, SOCK_STREAM, port);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    const char *const arg[] = {"refused-connect", port, NULL};
    assert_int_equal(run_reporting(arg, report[1]), 0);
    assert_int_equal(read(report[0], &key, sizeof key), sizeof key);
    close(report[0]);
    close(report[1]);
    assert_int_equal(owner_lookup(f.flows, &key, &owner), -ENOENT);
}

/* Nor does one that never began take away the owner of another. */
static void a_connection_in_vain_is_not_anothers_end(void **state UNUSED)
{
    RUN("twice", f.port);
    struct seen s = next_connection();
    assert_string_equal(s.hello.tag, "twice");
    assert_self(s.process);
    seen_release(&s);
}

static void executable_without_a_name(void **state UNUSED)
{
    RUN("deleted", f.port, f.dir);
    struct seen s = next_connection();
    assert_true(s.process->flags & PROCESS_EXE_DELETED);
    assert_false(s.process->known & FACT_EXE);
    assert_string_equal(s.process->args[0], "deleted");
    seen_release(&s);
}

static void executable_too_deep(void **state UNUSED)
{
    RUN("deep", f.port, f.dir);
    struct seen s = next_connection();
    assert_true(s.process->flags & PROCESS_EXE_CUT);
    assert_false(s.process->known & FACT_EXE);
    assert_string_equal(s.process->args[0], "deep");
    seen_release(&s);
}

static void executable_under_chroot(void **state UNUSED)
{
    char expected[PATH_MAX + 96], root[96];
    snprintf(root, sizeof root, "%s/root", f.dir);
    assert_int_equal(mkdir(root, 0755), 0);
    snprintf(expected, sizeof expected, "%s%s", root, f.self);
    RUN("chroot", f.port, root);
    struct seen s = next_connection();
    assert_true(s.process->known & FACT_EXE);
    assert_string_equal(s.process->exe, expected);
    assert_string_equal(s.process->cwd, root);
    seen_release(&s);
}

static void executable_bind_mounted_over(void **state UNUSED)
{
    const char *parents[PROCESS_ANCESTORS_MAX];
    struct event_process view;
    struct stat over, own;
    char path[96];
    RUN("bind-over", f.port, f.dir);
    struct seen s = next_connection();
    snprintf(path, sizeof path, "%s/over", f.dir);
    assert_int_equal(stat(path, &over), 0);
    assert_int_equal(stat("/proc/self/ns/mnt", &own), 0);
    process_event_view(s.process, parents, &view);
    assert_string_equal(s.process->exe, "/usr/bin/env");
    assert_true(s.process->file.ino == over.st_ino);
    assert_true(view.foreign);
    assert_int_equal(s.owner.mntns, s.process->mntns);
    assert_true(s.owner.mntns != own.st_ino);
    seen_release(&s);
}

static void arguments_too_long(void **state UNUSED)
{
    char longer[PROCESS_ARGS_MAX + 1000] = "";
    memset(longer, 'x', sizeof longer - 1);
    RUN("connect", f.port, "long", longer);
    struct seen s = next_connection();
    assert_true(s.process->flags & PROCESS_ARGS_CUT);
    assert_int_equal(s.process->n_args, 4); /* not the half one */
    assert_true(s.process->args_total > sizeof longer);
    assert_true(s.process->known & FACT_EXE);
    seen_release(&s);
}

static void other_namespaces_are_not_recorded(void **state UNUSED)
{
    const char *const arg[] = {"other-netns", NULL};
    struct flow_key key;
    struct flow_owner owner;
    int report[2];
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    assert_int_equal(run_reporting(arg, report[1]), 0);
    assert_int_equal(read(report[0], &key, sizeof key), sizeof key);
    close(report[0]);
    close(report[1]);
    assert_int_equal(owner_lookup(f.flows, &key, &owner), -ENOENT);
}

static int map_update(int fd, const struct flow_key *key, const struct flow_owner *owner)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)fd;
    attr.key = (uint64_t)(uintptr_t)key;
    attr.value = (uint64_t)(uintptr_t)owner;
    return syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof attr) < 0 ? -errno : 0;
}

static void flows_descriptor_only_reads(void **state UNUSED)
{
    struct flow_key key = {.proto = IPPROTO_TCP};
    struct flow_owner owner = {.uid = 1};
    assert_int_equal(map_update(f.flows, &key, &owner), -EPERM);
    assert_int_equal(owner_lookup(f.flows, &key, &owner), -ENOENT);
    assert_int_equal(owner_lookup(-1, &key, &owner), -EBADF);
}

/* What the kernel refuses when it is asked, it is not said to do; and the other way round. */
static void ways_are_as_probed(void **state UNUSED)
{
    static const enum attach_way ways[] = {ATTACH_FENTRY, ATTACH_KPROBE, ATTACH_CGROUP};
    enum attach_way first = ATTACH_AUTO;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct hooks_options o = {.way = ways[i], .event = on_event};
        struct error error = {0}, reason = {0};
        o.cgroup_fd = open(f.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct hooks *h = hooks_attach(&o, &error);
        close(o.cgroup_fd);
        if (hooks_probe(ways[i], &reason)) {
            assert_null(h);
            assert_int_equal(error.code, reason.code);
            assert_non_null(strstr(error.text, attach_way_name(ways[i])));
            assert_non_null(strstr(error.text, reason.text));
        } else {
            assert_non_null(h);
            assert_int_equal(hooks_way(h), ways[i]);
            assert_null(hooks_why(h));
            first = first ? first : ways[i];
        }
        hooks_free(h);
    }
    struct error error = {0};
    struct hooks_options any = {.way = ATTACH_AUTO, .event = on_event};
    any.cgroup_fd = open(f.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hooks *h = hooks_attach(&any, &error);
    close(any.cgroup_fd);
    assert_non_null(h);
    /* What the kernel may leave out is never chosen, only taken when it is asked for. */
    assert_int_equal(hooks_way(h), preempt_here() ? ATTACH_CGROUP : first);
    assert_true(hooks_way(h) == ways[0] || hooks_why(h));
    hooks_free(h);
}

/* All or none: a descriptor that is no cgroup leaves nothing attached, and the error says so. */
static void failure_names_the_program(void **state UNUSED)
{
    const struct hooks_options o = {.cgroup_fd = f.tcp, .event = on_event};
    struct error error = {0};
    assert_null(hooks_attach(&o, &error));
    assert_true(error.code < 0);
    assert_non_null(strstr(error.text, "cannot attach on_"));
}

static const struct unit_test tests[] = {
    REPORT("P01", swarm_is_attributed),
    REPORT("P04", the_file_is_told),
    REPORT("P01", fork_without_exec),
    REPORT("B03", tcp_kinds),
    REPORT("B14", exec_keeps_old_image),
    REPORT("B02", udp_kinds),
    REPORT("P02", reused_source_port),
    REPORT("B01", ipv6_is_refused),
    REPORT("B04", raw_is_refused),
    REPORT("R06", a_flood_of_refusals_ends),
    REPORT("P07", a_failed_connection_is_forgotten),
    REPORT("B16", a_connection_in_vain_is_not_anothers_end),
    REPORT("P04", executable_without_a_name),
    REPORT("P04", executable_too_deep),
    REPORT("P04", executable_under_chroot),
    REPORT("P01", arguments_too_long),
    REPORT("P03", other_namespaces_are_not_recorded),
    REPORT("R12", flows_descriptor_only_reads),
    REPORT("R03", ways_are_as_probed),
    REPORT("R03", failure_names_the_program),
    REPORT("P04", executable_bind_mounted_over),
};

static bool user_namespaces(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) != 0);
    return !helper_wait(child);
}

int main(int argc, char **argv)
{
    const size_t last = ARRAY_SIZE(tests) - 1; /* the one that asks for a user namespace */
    if (argc > 1)
        return helper_main(argc, argv);
    if (user_namespaces())
        return fixture_run(tests, last + 1);
    skip_all(&tests[last], 1, "no user namespace to be had");
    return fixture_run(tests, last);
}
