/* SPDX-License-Identifier: MIT
 * Tries one way out of a sandbox that is no network connection, and says by errno's name what the
 * kernel answered; or waits on the other side of it and says who came. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 32, URING_PARAMS = 256, FDS = 1024 };

static int tell(long result)
{
    printf("%s\n", result < 0 ? strerrorname_np(errno) : "OK");
    return result < 0;
}

/* '@name' is an abstract name. Returns the length. */
static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t n = strnlen(name, sizeof(out->sun_path) - 1);
    memcpy(out->sun_path, name, n);
    if (*name == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static int do_unix(char **arg)
{
    struct sockaddr_un address;
    socklen_t len = address_of(arg[0], &address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return tell(fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, len));
}

/* Listens at every name, and prints the name for each who comes. */
static int do_serve(char **arg)
{
    struct pollfd fds[SOCKETS];
    nfds_t n = 0;

    for (; arg[n] && n < SOCKETS; n++) {
        struct sockaddr_un address;
        socklen_t len = address_of(arg[n], &address);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 64))
            return tell(-1);
        if (*arg[n] != '@')
            chmod(arg[n], 0777);
        fds[n] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    puts("ready");
    fflush(stdout);
    while (poll(fds, n, -1) >= 0) {
        for (nfds_t i = 0; i < n; i++) {
            int fd = fds[i].revents ? accept(fds[i].fd, NULL, NULL) : -1;
            if (fd >= 0) {
                printf("reached %s\n", arg[i]);
                fflush(stdout);
                close(fd);
            }
        }
    }
    return tell(-1);
}

static int do_socket(char **arg)
{
    return tell(socket(atoi(arg[0]), SOCK_STREAM, 0));
}

static int do_uring(char **arg)
{
    unsigned char params[URING_PARAMS] = {0};
    (void)arg;
    return tell(syscall(SYS_io_uring_setup, 1, params));
}

/* On standard input, with the bits above the request's own set, which the kernel ignores. */
static int do_typing(char **arg)
{
    char c = 'x';
    unsigned long high = arg[0] ? 1UL << 32 : 0;
    return tell(syscall(SYS_ioctl, 0, high | TIOCSTI, &c));
}

/* A child in another cgroup, whose directory needs only to be opened. */
static int do_clone3(char **arg)
{
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
    int dir = open(arg[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return tell(dir);
    args.cgroup = (unsigned)dir;
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    return tell(pid);
}

/* The kernel starts a program outside for a key that is asked for. */
static int do_request_key(char **arg)
{
    (void)arg;
    return tell(syscall(SYS_request_key, "user", "egress-lab", "", KEY_SPEC_PROCESS_KEYRING));
}

static int do_add_key(char **arg)
{
    (void)arg;
    return tell(syscall(SYS_add_key, "user", "egress-lab", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

static int do_keyctl(char **arg)
{
    (void)arg;
    return tell(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
}

/* Connects to other addresses and ports of IPv6 for so many seconds; prints how often. */
static int do_flood(char **arg)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr.s6_addr = {0x20, 1, 0xd, 0xb8}};
    unsigned long n = 0;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    time_t end = time(NULL) + atoi(arg[0]);
    for (; time(NULL) < end; n++) {
        memcpy(&to.sin6_addr.s6_addr[8], &n, sizeof n);
        to.sin6_port = (in_port_t)n;
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno != EPERM)
            return tell(-1);
    }
    printf("%lu\n", n);
    return 0;
}

static int do_shm(char **arg)
{
    return tell(shmget((key_t)strtol(arg[0], NULL, 0), 1, 0));
}

static int do_shm_make(char **arg)
{
    int id = shmget((key_t)strtol(arg[0], NULL, 0), 1, IPC_CREAT | IPC_EXCL | 0666);
    if (id >= 0)
        fprintf(stderr, "%d\n", id);
    return tell(id);
}

static int do_mq(char **arg)
{
    return tell(mq_open(arg[0], O_RDONLY));
}

static int do_mq_make(char **arg)
{
    return tell(mq_open(arg[0], O_RDWR | O_CREAT | O_EXCL, 0666, NULL));
}

static int do_mq_remove(char **arg)
{
    return tell(mq_unlink(arg[0]));
}

static int do_kill(char **arg)
{
    return tell(kill(atoi(arg[0]), 0));
}

static int do_ptrace(char **arg)
{
    return tell(ptrace(PTRACE_SEIZE, atoi(arg[0]), NULL, NULL));
}

static int do_ids(char **arg)
{
    (void)arg;
    printf("%u %u\n", getuid(), geteuid());
    return 0;
}

/* Every descriptor that is open, in one line. */
static int do_fds(char **arg)
{
    const char *before = "";
    (void)arg;
    for (int fd = 0; fd < FDS; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        printf("%s%d", before, fd);
        before = " ";
    }
    puts("");
    return 0;
}

static const struct {
    const char *name;
    int args; /* at least */
    int (*run)(char **arg);
    const char *help;
} ways[] = {
    {"unix", 1, do_unix, "NAME: connects to a socket; @NAME is an abstract one"},
    {"serve", 1, do_serve, "NAME…: listens there, and prints `reached NAME` for each who comes"},
    {"socket", 1, do_socket, "FAMILY: makes a stream socket of that number"},
    {"io_uring", 0, do_uring, "makes a ring"},
    {"clone3", 1, do_clone3, "DIR: makes a child in that cgroup"},
    {"request-key", 0, do_request_key, "asks for a key"},
    {"add-key", 0, do_add_key, "makes one"},
    {"keyctl", 0, do_keyctl, "asks which the keyring of its session is"},
    {"flood", 1, do_flood, "SECONDS: connects by IPv6 in a loop; prints how often it was refused"},
    {"tiocsti", 0, do_typing, "[high]: types into the terminal on standard input"},
    {"shm", 1, do_shm, "KEY: finds SysV memory"},
    {"shm-make", 1, do_shm_make, "KEY: makes it, its id on standard error"},
    {"mq", 1, do_mq, "/NAME: opens a POSIX message queue"},
    {"mq-make", 1, do_mq_make, "/NAME: makes one"},
    {"mq-remove", 1, do_mq_remove, "/NAME: takes it away"},
    {"kill", 1, do_kill, "PID: may it be signalled"},
    {"ptrace", 1, do_ptrace, "PID: may it be traced"},
    {"ids", 0, do_ids, "prints real and effective user"},
    {"fds", 0, do_fds, "prints the descriptors that are open"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (argc > 1 && strcmp(ways[i].name, argv[1]) == 0 && argc - 2 >= ways[i].args)
            return ways[i].run(argv + 2);
    }
    fputs("usage: reach WAY [ARGUMENT…], one of:\n", stderr);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        fprintf(stderr, "  %-11s %s\n", ways[i].name, ways[i].help);
    return 2;
}
