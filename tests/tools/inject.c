/* SPDX-License-Identifier: MIT
 * Makes a running process do one system call that it would never do by itself, as code that took
 * it over would, and says what the kernel answered: what a role of the filter may not do must be
 * refused by the kernel, not merely left undone. By ptrace, on x86-64 and arm64. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* After libc's netinet/in.h, whose types the kernel's then leaves out. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#if defined(__x86_64__)
static const unsigned char call_code[] = {0x0f, 0x05};
#elif defined(__aarch64__)
static const unsigned char call_code[] = {0x01, 0x00, 0x00, 0xd4};
#else
#error "no registers known for this architecture"
#endif

enum { SCRATCH = 1024, ARGS = 6, KILLED = -4096 };

/* A stopped process, and what must be put back. */
struct victim {
    pid_t pid;
    struct user_regs_struct regs;
    uint64_t code;    /* address of a system call instruction of its own */
    uint64_t scratch; /* below its stack, and below the red zone */
};

/* What is asked of it. Arguments marked as `data` are offsets into the bytes laid on its stack. */
struct call {
    long number;
    uint64_t arg[ARGS];
    unsigned data; /* bit I: argument I is such an offset */
    unsigned char bytes[SCRATCH];
    size_t length;
};

static void set_call(struct user_regs_struct *r, const struct victim *v, const struct call *c)
{
    uint64_t a[ARGS];
    for (int i = 0; i < ARGS; i++)
        a[i] = c->arg[i] + (c->data & (1U << i) ? v->scratch : 0);
#if defined(__x86_64__)
    r->rax = (uint64_t)c->number;
    r->orig_rax = UINT64_MAX; /* else the kernel would restart the call that was interrupted */
    r->rip = v->code;
    r->rdi = a[0], r->rsi = a[1], r->rdx = a[2], r->r10 = a[3], r->r8 = a[4], r->r9 = a[5];
#else
    r->regs[8] = (uint64_t)c->number;
    r->pc = v->code;
    for (int i = 0; i < ARGS; i++)
        r->regs[i] = a[i];
#endif
}

static uint64_t stack_of(const struct user_regs_struct *r)
{
#if defined(__x86_64__)
    return r->rsp;
#else
    return r->sp;
#endif
}

static long result_of(const struct user_regs_struct *r)
{
#if defined(__x86_64__)
    return (long)r->rax;
#else
    return (long)r->regs[0];
#endif
}

static int registers(pid_t pid, struct user_regs_struct *r, bool set)
{
    struct iovec iov = {r, sizeof(*r)};
    if (ptrace(set ? PTRACE_SETREGSET : PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov))
        return -errno;
    return 0;
}

/* Its own code is searched for the instruction, so that none of it is ever written to: other
 * threads may be running there. */
static int find_code_in(int mem, uint64_t from, uint64_t to, uint64_t *out)
{
    static unsigned char page[65536];
    const size_t n = sizeof(call_code);

    while (from < to) {
        size_t want = to - from < sizeof(page) ? to - from : sizeof(page);
        ssize_t got = pread(mem, page, want, (off_t)from);
        if (got < (ssize_t)n)
            return -ENOENT;
        for (size_t i = 0; i + n <= (size_t)got; i += n == 4 ? 4 : 1) {
            if (memcmp(page + i, call_code, n) == 0) {
                *out = from + i;
                return 0;
            }
        }
        from += (size_t)got;
    }
    return -ENOENT;
}

static int find_code(pid_t pid, uint64_t *out)
{
    char path[64], line[512];
    unsigned long long from, to;
    int r = -ENOENT;

    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int mem = open(path, O_RDONLY | O_CLOEXEC);
    if (mem < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && r && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%llx-%llx r-xp", &from, &to) == 2 && strstr(line, " r-xp "))
            r = find_code_in(mem, from, to, out);
    }
    if (maps)
        fclose(maps);
    close(mem);
    return r;
}

/* Waits for the stop; KILLED where there will be none. */
static int wait_stop(pid_t pid, int *signal)
{
    int status;
    if (waitpid(pid, &status, __WALL) < 0)
        return -errno;
    if (!WIFSTOPPED(status))
        return KILLED;
    *signal = WSTOPSIG(status);
    return 0;
}

static int attach(pid_t pid, struct victim *v)
{
    int signal;

    *v = (struct victim){.pid = pid};
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
        return -errno;
    int r = wait_stop(pid, &signal);
    if (!r)
        r = registers(pid, &v->regs, false);
    if (!r)
        r = find_code(pid, &v->code);
    v->scratch = (stack_of(&v->regs) - 512 - SCRATCH) & ~UINT64_C(15);
    return r;
}

static int detach(struct victim *v)
{
    int r = registers(v->pid, &v->regs, true);
    if (ptrace(PTRACE_DETACH, v->pid, NULL, NULL) && !r)
        r = -errno;
    return r;
}

static int move_bytes(const struct victim *v, unsigned char *bytes, size_t n, bool write)
{
    struct iovec mine = {bytes, n}, its = {(void *)(uintptr_t)v->scratch, n};
    ssize_t moved = write ? process_vm_writev(v->pid, &mine, 1, &its, 1, 0)
                          : process_vm_readv(v->pid, &mine, 1, &its, 1, 0);
    if (moved < 0)
        return -errno;
    return moved == (ssize_t)n ? 0 : -EFAULT;
}

/* One call in the victim. 0 and *result, KILLED, or what failed on our side. */
static int run_call(struct victim *v, struct call *c, long *result)
{
    struct user_regs_struct r = v->regs;
    int signal, e = c->length ? move_bytes(v, c->bytes, SCRATCH, true) : 0;

    if (e)
        return e;
    set_call(&r, v, c);
    e = registers(v->pid, &r, true);
    if (e)
        return e;
    do {
        if (ptrace(PTRACE_SINGLESTEP, v->pid, NULL, NULL))
            return -errno;
        e = wait_stop(v->pid, &signal);
        if (e)
            return e;
        if (signal == SIGSYS)
            return KILLED;
    } while (signal != SIGTRAP);
    e = registers(v->pid, &r, false);
    if (e)
        return e;
    *result = result_of(&r);
    return c->length ? move_bytes(v, c->bytes, SCRATCH, false) : 0;
}

static uint64_t put(struct call *c, int arg, const void *bytes, size_t n)
{
    uint64_t at = (c->length + 7) & ~(size_t)7;
    memcpy(c->bytes + at, bytes, n);
    c->length = at + n;
    c->arg[arg] = at;
    c->data |= 1U << arg;
    return at;
}

static long simple(struct victim *v, struct call *c)
{
    long result = 0;
    int e = run_call(v, c, &result);
    if (e == KILLED)
        return KILLED;
    if (e) {
        fprintf(stderr, "inject: cannot make process %d call: %s\n", v->pid, strerror(-e));
        exit(2);
    }
    return result;
}

static void close_in(struct victim *v, long fd)
{
    struct call c = {.number = SYS_close, .arg = {(uint64_t)fd}};
    if (fd >= 0)
        simple(v, &c);
}

static long do_open(struct victim *v, const char *path)
{
    struct call c = {.number = SYS_openat, .arg = {(uint64_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}};
    path = path ? path : "/etc/passwd";
    put(&c, 1, path, strnlen(path, 512) + 1);
    long fd = simple(v, &c);
    close_in(v, fd);
    return fd;
}

static long do_create(struct victim *v, const char *path)
{
    struct call c = {.number = SYS_openat,
                     .arg = {(uint64_t)AT_FDCWD, 0, O_WRONLY | O_CREAT | O_CLOEXEC, 0600}};
    path = path ? path : "/tmp/inject-was-here";
    put(&c, 1, path, strnlen(path, 512) + 1);
    long fd = simple(v, &c);
    close_in(v, fd);
    return fd;
}

static long make_socket(struct victim *v, int domain, int type, int protocol)
{
    struct call c = {.number = SYS_socket,
                     .arg = {(uint64_t)domain, (uint64_t)type, (uint64_t)protocol}};
    return simple(v, &c);
}

static long do_socket(struct victim *v, int domain, int type, int protocol)
{
    long fd = make_socket(v, domain, type, protocol);
    close_in(v, fd);
    return fd;
}

static long do_raw(struct victim *v, const char *arg)
{
    (void)arg;
    return do_socket(v, AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static long do_packet(struct victim *v, const char *arg)
{
    (void)arg;
    return do_socket(v, AF_PACKET, SOCK_RAW, 0);
}

static long do_netlink(struct victim *v, const char *arg)
{
    (void)arg;
    return do_socket(v, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static long do_unix(struct victim *v, const char *arg)
{
    (void)arg;
    return do_socket(v, AF_UNIX, SOCK_STREAM, 0);
}

static long do_setuid(struct victim *v, const char *arg)
{
    struct call c = {.number = SYS_setuid, .arg = {arg ? strtoul(arg, NULL, 10) : 0}};
    return simple(v, &c);
}

static void put_message(unsigned char *buffer, size_t *at, uint16_t type, uint16_t flags,
                        uint16_t subsystem, const char *table)
{
    unsigned char *m = buffer + *at;
    struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_len = 20};
    struct nfgenmsg g = {.res_id = htons(subsystem)};

    if (table) {
        size_t n = strlen(table) + 1;
        struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + n), .nla_type = NFTA_TABLE_NAME};
        g.nfgen_family = NFPROTO_IPV4;
        memcpy(m + 20, &a, sizeof(a));
        memcpy(m + 24, table, n);
        h.nlmsg_len += (uint32_t)((sizeof(a) + n + 3) & ~(size_t)3);
    }
    memcpy(m, &h, sizeof(h));
    memcpy(m + sizeof(h), &g, sizeof(g));
    *at += h.nlmsg_len;
}

/* A table of rules made through netlink: on a new socket, or on one that it already holds. The
 * kernel's own acknowledgement is the answer, for sending always succeeds. */
static long do_nft(struct victim *v, const char *arg)
{
    unsigned char batch[128] = {0};
    size_t n = 0;
    long fd = arg ? strtol(arg, NULL, 10) : make_socket(v, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    if (fd < 0)
        return fd;

    put_message(batch, &n, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, NFNL_SUBSYS_NFTABLES, NULL);
    put_message(batch, &n, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE,
                NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 0, "inject");
    put_message(batch, &n, NFNL_MSG_BATCH_END, NLM_F_REQUEST, NFNL_SUBSYS_NFTABLES, NULL);
    struct call send_call = {.number = SYS_sendto, .arg = {(uint64_t)fd, 0, n}};
    put(&send_call, 1, batch, n);
    long r = simple(v, &send_call);
    if (r >= 0) {
        unsigned char empty[512] = {0};
        struct call get = {.number = SYS_recvfrom,
                           .arg = {(uint64_t)fd, 0, sizeof(empty), MSG_DONTWAIT}};
        put(&get, 1, empty, sizeof(empty));
        r = simple(v, &get);
        struct nlmsgerr answer;
        if (r >= (long)(sizeof(struct nlmsghdr) + sizeof(answer.error))) {
            memcpy(&answer.error, get.bytes + sizeof(struct nlmsghdr), sizeof(answer.error));
            r = answer.error;
        }
    }
    if (!arg)
        close_in(v, fd);
    return r;
}

/* The first descriptor of the victim's that is a BPF map, or -1. */
static int find_map(pid_t pid)
{
    char path[64], target[64];
    struct dirent *entry;
    int found = -1;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    while (dir && found < 0 && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = 0;
        if (strcmp(target, "anon_inode:bpf-map") == 0)
            found = (int)strtol(entry->d_name, NULL, 10);
    }
    if (dir)
        closedir(dir);
    return found;
}

static long do_bpf_update(struct victim *v, const char *arg)
{
    int fd = arg ? (int)strtol(arg, NULL, 10) : find_map(v->pid);
    const unsigned char zero[256] = {0};
    union bpf_attr attr = {.map_fd = (uint32_t)fd};
    struct call c = {.number = SYS_bpf, .arg = {BPF_MAP_UPDATE_ELEM, 0, sizeof(attr)}};
    uint64_t at = put(&c, 3, zero, sizeof(zero)) + v->scratch;

    attr.key = attr.value = at; /* the fourth argument is one that bpf() has not */
    put(&c, 1, &attr, sizeof(attr));
    return simple(v, &c);
}

/* A file that is not there: refused before it is looked for, or the process would be lost. */
static long do_execve(struct victim *v, const char *arg)
{
    const char *path = arg ? arg : "/nonexistent/inject";
    const uint64_t none[1] = {0};
    struct call c = {.number = SYS_execve};
    put(&c, 0, path, strnlen(path, 512) + 1);
    put(&c, 1, none, sizeof(none));
    put(&c, 2, none, sizeof(none));
    return simple(v, &c);
}

/* Of nobody, if not said: ESRCH shows that the call itself was let through. */
static long do_ptrace(struct victim *v, const char *arg)
{
    uint64_t pid = arg ? strtoul(arg, NULL, 10) : INT32_MAX;
    struct call c = {.number = SYS_ptrace, .arg = {PTRACE_SEIZE, pid}};
    return simple(v, &c);
}

/* Where it is allowed, it changes nothing that anybody would notice. */
static long do_mount(struct victim *v, const char *arg)
{
    (void)arg;
    struct call c = {.number = SYS_mount, .arg = {0, 0, 0, MS_PRIVATE}};
    put(&c, 1, "/", 2);
    return simple(v, &c);
}

static long do_unshare(struct victim *v, const char *arg)
{
    (void)arg;
    struct call c = {.number = SYS_unshare, .arg = {CLONE_NEWUSER}};
    return simple(v, &c);
}

/* FD:TYPE: a message without payload on a channel between roles. */
static long do_say(struct victim *v, const char *arg)
{
    char *colon = NULL;
    uint64_t fd = arg ? strtoul(arg, &colon, 10) : 0;
    const uint32_t header[2] = {colon && *colon == ':' ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0,
                                0};
    struct call c = {.number = SYS_sendto, .arg = {fd, 0, sizeof(header), MSG_NOSIGNAL}};
    put(&c, 1, header, sizeof(header));
    return simple(v, &c);
}

static const struct {
    const char *name;
    long (*run)(struct victim *v, const char *arg);
} calls[] = {
    {"open", do_open},
    {"create", do_create},
    {"socket-raw", do_raw},
    {"socket-packet", do_packet},
    {"socket-netlink", do_netlink},
    {"socket-unix", do_unix},
    {"setuid", do_setuid},
    {"nft", do_nft},
    {"bpf-update", do_bpf_update},
    {"execve", do_execve},
    {"ptrace", do_ptrace},
    {"mount", do_mount},
    {"unshare", do_unshare},
    {"say", do_say},
};

static int usage(void)
{
    fputs("usage: inject PID CALL [ARGUMENT]\n"
          "prints `CALL: OK`, `CALL: EPERM` or the like, or `CALL: KILLED`; the calls are:\n",
          stderr);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        fprintf(stderr, "  %s\n", calls[i].name);
    return 2;
}

int main(int argc, char **argv)
{
    struct victim v;
    size_t i = 0, n = sizeof(calls) / sizeof(calls[0]);
    pid_t pid = argc > 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;

    while (argc > 2 && i < n && strcmp(calls[i].name, argv[2]) != 0)
        i++;
    if (argc < 3 || argc > 4 || pid <= 0 || i == n)
        return usage();
    int r = attach(pid, &v);
    if (r) {
        fprintf(stderr, "inject: cannot stop process %d: %s\n", pid, strerror(-r));
        return 2;
    }
    long result = calls[i].run(&v, argc > 3 ? argv[3] : NULL);
    if (result == KILLED) {
        printf("%s: KILLED\n", argv[2]);
        return 0;
    }
    r = detach(&v);
    printf("%s: %s\n", argv[2], result < 0 ? strerrorname_np((int)-result) : "OK");
    if (r) {
        fprintf(stderr, "inject: cannot put process %d back: %s\n", pid, strerror(-r));
        return 2;
    }
    return 0;
}
