/* SPDX-License-Identifier: MIT
 * Confinement of the roles: user, capabilities (libcap-ng), system calls (libseccomp). One table of
 * allowed calls for each role, so that a reviewer sees at a glance what a taken-over role can do.
 */
#include "roles/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cap-ng.h>
#include <seccomp.h>

/* Calls that may be made with any arguments. */
static const int common_calls[] = {
    SCMP_SYS(read),         SCMP_SYS(write),          SCMP_SYS(close),
    SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg),        SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),       SCMP_SYS(epoll_wait),     SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),    SCMP_SYS(epoll_pwait2),   SCMP_SYS(poll),
    SCMP_SYS(ppoll),        SCMP_SYS(munmap),         SCMP_SYS(brk),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),        SCMP_SYS(futex),
    SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(getpid),
    SCMP_SYS(gettid),       SCMP_SYS(sched_yield),    SCMP_SYS(lseek),
    SCMP_SYS(recvmmsg),     SCMP_SYS(sendmmsg),
};

static const int proxy_calls[] = {
    SCMP_SYS(accept4),     SCMP_SYS(connect),    SCMP_SYS(shutdown),   SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(splice),
    SCMP_SYS(pipe2),       SCMP_SYS(readv),      SCMP_SYS(writev),
};

/* Beside reading: whether the process still runs that file. */
static const int digest_calls[] = {SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx)};

static int allow_calls(scmp_filter_ctx filter, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (e < 0)
            return e;
    }
    return 0;
}

/* Memory may be had, but none that runs. */
static int allow_memory(scmp_filter_ctx filter)
{
    int e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (e >= 0)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return e;
}

/* A socket of the proxy is IPv4, and TCP or UDP; of bpf(2) only the look-up is left. */
static int allow_proxy(scmp_filter_ctx filter)
{
    static const uint64_t types[] = {SOCK_STREAM, SOCK_DGRAM};
    static const uint64_t fcntls[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_SETPIPE_SZ};
    int e = allow_calls(filter, proxy_calls, ARRAY_SIZE(proxy_calls));
    for (size_t i = 0; e >= 0 && i < ARRAY_SIZE(types); i++)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
                             SCMP_A0(SCMP_CMP_EQ, AF_INET),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, types[i]), SCMP_A2(SCMP_CMP_EQ, 0));
    for (size_t i = 0; e >= 0 && i < ARRAY_SIZE(fcntls); i++)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_EQ, fcntls[i]));
    if (e >= 0)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
                             SCMP_A0(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM));
    return e;
}

static int load_role_filter(enum confine_role role)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    int e = allow_calls(filter, common_calls, ARRAY_SIZE(common_calls));
    if (e >= 0)
        e = allow_memory(filter);
    if (e >= 0 && role == CONFINE_PROXY)
        e = allow_proxy(filter);
    if (e >= 0 && role == CONFINE_DIGEST)
        e = allow_calls(filter, digest_calls, ARRAY_SIZE(digest_calls));
    if (e >= 0)
        e = seccomp_load(filter);
    seccomp_release(filter);
    return e;
}

/* The keeper's death ends us, also while we are stopped. Set after the change of user, which clears
 * it; a keeper that died before is seen by the closed channel. */
static int die_with_keeper(int control, struct error *error)
{
    struct pollfd p = {.fd = control};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_set(error, -errno, "cannot tie a role to the keeper");
    if (poll(&p, 1, 0) != 0)
        return error_say(error, -EPIPE, "the keeper ended while a role was started");
    return 0;
}

int confine(enum confine_role role, const struct confine_as *as, struct error *error)
{
    static const struct rlimit none = {0, 0};
    /* A container's root may lack it. */
    const bool may_trace = role == CONFINE_DIGEST && capng_get_caps_process() == 0 &&
                           capng_have_capability(CAPNG_PERMITTED, CAP_SYS_PTRACE);
    capng_clear(CAPNG_SELECT_ALL);
    if (role == CONFINE_PACKET)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
                     CAP_NET_ADMIN);
    if (may_trace)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
                     CAP_SYS_PTRACE);
    int e = capng_change_id((int)as->uid, (int)as->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (e < 0)
        return error_say(error, -EPERM, "cannot become user %u (step %d of libcap-ng)", as->uid,
                         -e);
    if ((e = die_with_keeper(as->control, error)) != 0)
        return e;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(error, -errno, "cannot give up privileges");
    if (setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return error_set(error, -errno, "cannot limit files");
    e = load_role_filter(role);
    if (e < 0)
        return error_set(error, e, "cannot load the list of allowed system calls");
    return 0;
}

/* Everything that the filter of the command refuses, with the error that programs expect. */
static int refuse_for_command(scmp_filter_ctx filter)
{
    /* clone3 can put a child into a cgroup that no hook watches, by no more than a directory that
     * can be opened; its arguments lie in memory, where seccomp cannot look. A key that is asked
     * for makes the kernel start a helper in the host's namespaces, which may ask the DNS. */
    static const int absent[] = {
        SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
        SCMP_SYS(clone3),         SCMP_SYS(add_key),        SCMP_SYS(request_key),
        SCMP_SYS(keyctl)};
    static const uint64_t typing[] = {TIOCSTI, TIOCLINUX};
    int e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, AF_VSOCK));
    for (size_t i = 0; e >= 0 && i < ARRAY_SIZE(absent); i++)
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), absent[i], 0);
    /* In a user namespace of its own a process may change what /proc/PID/exe says of it. */
    if (e >= 0)
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_MM));
    /* The kernel compares 32 bits of the request; upper ones must not lead past the filter. */
    for (size_t i = 0; e >= 0 && i < ARRAY_SIZE(typing); i++)
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, typing[i]));
    return e;
}

/* 32-bit programs go on working; socketcall(2) hides the family in memory, so they get ENOSYS for
 * it and use socket(2), which every C library since 2016 does first. */
static int add_compat(scmp_filter_ctx filter)
{
    if (seccomp_arch_native() != SCMP_ARCH_X86_64)
        return 0;
    int e = seccomp_arch_add(filter, SCMP_ARCH_X86);
    if (e >= 0)
        e = seccomp_arch_add(filter, SCMP_ARCH_X32);
    return e;
}

int confine_command(struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return error_set(error, -ENOMEM, "cannot make the command's system call filter");
    int e = add_compat(filter);
    if (e >= 0)
        e = refuse_for_command(filter);
    if (e >= 0 && seccomp_arch_native() == SCMP_ARCH_X86_64)
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(socketcall), 0);
    /* no_new_privs is the caller's to choose: with --allow-privileges it stays off. */
    if (e >= 0)
        e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (e >= 0)
        e = seccomp_load(filter);
    seccomp_release(filter);
    return e < 0 ? error_set(error, e, "cannot load the command's system call filter") : 0;
}
