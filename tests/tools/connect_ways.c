/* SPDX-License-Identifier: MIT
 * Connections by processes that are hard to tell apart from others: by a fork that never executes,
 * a thread, a program that is deleted while it runs, one that becomes another after connect, one
 * that changes its user, its mounts or its cgroup between two connections, and thousands at once,
 * each with its source port told, so that every record can be checked. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY_MAX = 5000, WAIT_MS = 60000 };

static const char *ip, *port;

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
        fprintf(stderr, "connect_ways: '%s' is no IPv4 address\n", text);
        exit(2);
    }
    return a;
}

static int say(const char *what)
{
    puts(what);
    return strcmp(what, "OK") != 0;
}

static int dial(void)
{
    struct sockaddr_in to = address(ip);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    exit(say(strerrorname_np(errno)));
}

/* Says something and waits for an echo. */
static const char *converse(int fd)
{
    char byte;
    if (send(fd, "hello", 5, MSG_NOSIGNAL) != 5)
        return strerrorname_np(errno);
    ssize_t n = recv(fd, &byte, 1, 0);
    return n < 0 ? strerrorname_np(errno) : n == 0 ? "EOF" : "OK";
}

static int by_fork(char **argv)
{
    int status;
    (void)argv;
    pid_t pid = fork();
    if (pid == 0)
        _exit(say(converse(dial())) + (fflush(stdout) ? 2 : 0));
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static void *in_thread(void *result)
{
    *(const char **)result = converse(dial());
    return NULL;
}

static int by_thread(char **argv)
{
    pthread_t thread;
    const char *result = "none";
    (void)argv;
    if (pthread_create(&thread, NULL, in_thread, &result) || pthread_join(thread, NULL))
        return 3;
    return say(result);
}

static int after_deletion(char **argv)
{
    (void)argv;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0)
        return say(strerrorname_np(errno));
    path[n] = '\0';
    return say(unlink(path) == 0 ? converse(dial()) : strerrorname_np(errno));
}

/* Another program finds the connection as its standard input and output. */
static int then_exec(char **argv)
{
    int fd = dial();
    if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        execv(argv[0], argv);
    perror("connect_ways: exec");
    return 3;
}

/* Connects, changes what it is without executing anything, and connects again. */
static int twice(int (*change)(const char *how), const char *how)
{
    const char *before = converse(dial());
    puts(before);
    fflush(stdout);
    return change(how) ? say(strerrorname_np(errno)) : say(converse(dial()));
}

static int to_user(const char *uid)
{
    return setuid((uid_t)strtoul(uid, NULL, 10));
}

static int setuid_between(char **argv)
{
    return argv[0] ? twice(to_user, argv[0]) : 2;
}

static int to_own_mounts(const char *unused)
{
    (void)unused;
    return unshare(CLONE_NEWNS);
}

static int unshare_between(char **argv)
{
    (void)argv;
    return twice(to_own_mounts, NULL);
}

/* Until somebody writes to that FIFO. */
static int until_told(const char *fifo)
{
    char byte;
    int fd = open(fifo, O_RDONLY);
    return fd < 0 || read(fd, &byte, 1) != 1;
}

static int wait_between(char **argv)
{
    return argv[0] ? twice(until_told, argv[0]) : 2;
}

/* Connects only then. */
static int later(char **argv)
{
    return argv[0] && until_told(argv[0]) == 0 ? say(converse(dial())) : 2;
}

static bool wait_until(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, WAIT_MS) == 1;
}

/* One connection of many: a request whose path names our source port and the server. */
static bool ask(int fd, const char *tag, const char *server)
{
    char request[256];
    struct sockaddr_in own;
    socklen_t len = sizeof(own);
    if (!wait_until(fd, POLLOUT) || getsockname(fd, (struct sockaddr *)&own, &len))
        return false;
    int n = snprintf(request, sizeof(request),
                     "GET /%s/%d/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", tag,
                     ntohs(own.sin_port), server);
    printf("%s %d %s\n", tag, ntohs(own.sin_port), server);
    return send(fd, request, (size_t)n, MSG_NOSIGNAL) == n;
}

/* many PORT TAG COUNT IP…: COUNT connections, one to each address in turn, all open before the
 * first word is said; prints "TAG SOURCE_PORT IP" for each, and waits until all were answered,
 * closed or reset. */
static int many(char **argv)
{
    static int fds[MANY_MAX];
    char scrap[4096];
    const char *tag = argv[0];
    int count = atoi(argv[1]), n = 0, bad = 0;
    char **servers = argv + 2;
    while (servers[n])
        n++;
    if (count < 1 || count > MANY_MAX || n == 0)
        return 2;
    /* Many write to one file: no line may be written in parts. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        struct sockaddr_in to = address(servers[i % n]);
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fds[i] < 0 ||
            (connect(fds[i], (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS))
            return say(strerrorname_np(errno));
    }
    for (int i = 0; i < count; i++)
        if (!wait_until(fds[i], POLLOUT))
            bad++;
    for (int i = 0; i < count; i++)
        if (!ask(fds[i], tag, servers[i % n]))
            bad++;
    for (int i = 0; i < count; i++)
        while (wait_until(fds[i], POLLIN) && recv(fds[i], scrap, sizeof(scrap), 0) > 0)
            ;
    return bad != 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **argv);
    } table[] = {{"fork", by_fork},           {"thread", by_thread},
                 {"deleted", after_deletion}, {"exec", then_exec},
                 {"setuid", setuid_between},  {"unshare", unshare_between},
                 {"wait", wait_between},      {"later", later}};
    if (argc > 5 && strcmp(argv[1], "many") == 0) {
        port = argv[2];
        return many(argv + 3);
    }
    for (size_t i = 0; argc > 3 && i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(argv[1], table[i].name) != 0)
            continue;
        ip = argv[2];
        port = argv[3];
        return table[i].run(argv + 4);
    }
    fputs("usage: connect_ways fork|thread|deleted IP PORT | exec IP PORT PROGRAM [ARGUMENT…]\n"
          "       connect_ways setuid IP PORT UID | unshare IP PORT | wait|later IP PORT FIFO\n"
          "       connect_ways many PORT TAG COUNT IP…\n",
          stderr);
    return 2;
}
