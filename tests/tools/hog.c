/* SPDX-License-Identifier: MIT
 * A process that takes what it can get: it keeps COUNT connections open, says FILE on each, and
 * from then on neither speaks nor reads; what is closed is dialled again at once. Makes MARK.open
 * when each has been tried, ends when MARK is there, and prints how many were open then and how
 * many were closed by the other side until then. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many are dialled in a turn, which comes when nothing has happened for TURN_MS. */
enum { MOST = 16384, SAID_MAX = 1 << 20, TURN_MS = 20, DIALS = 64, READY = 256 };

struct line {
    int fd; /* -1: to be dialled */
    size_t said;
    bool tried;
};

static struct line lines[MOST];
static char said[SAID_MAX];
static size_t said_len;
static struct sockaddr_in to = {.sin_family = AF_INET};

static int dial(int epoll, int i)
{
    struct epoll_event on = {.events = EPOLLOUT | EPOLLRDHUP, .data.fd = i};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int small = 32768; /* what is sent waits elsewhere soon */
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if ((connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &on) < 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    lines[i].fd = fd;
    lines[i].said = 0;
    return 0;
}

/* Returns false when the connection has ended. */
static bool go_on(int epoll, int i, unsigned events)
{
    struct epoll_event silent = {.events = EPOLLRDHUP, .data.fd = i};
    struct line *l = &lines[i];
    if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
        return false;
    while (l->said < said_len) {
        ssize_t n = send(l->fd, said + l->said, said_len - l->said, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0)
            return false;
        l->said += (size_t)n;
    }
    l->tried = true;
    epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &silent);
    return true;
}

static void mark_once(const char *mark, int n)
{
    char opened[256];
    static bool marked;
    for (int i = 0; i < n && !marked; i++)
        if (!lines[i].tried)
            return;
    if (marked)
        return;
    snprintf(opened, sizeof(opened), "%s.open", mark);
    FILE *file = fopen(opened, "w");
    if (file)
        fclose(file);
    marked = true;
}

static int read_said(const char *name)
{
    FILE *file = name ? fopen(name, "r") : NULL;
    if (name && !file)
        return -errno;
    if (file) {
        said_len = fread(said, 1, sizeof(said), file);
        fclose(file);
    }
    return 0;
}

/* In turns, each as often as the others. Returns where to go on. */
static int dial_some(int epoll, int at, int n)
{
    for (int i = 0, dialled = 0; i < n && dialled < DIALS; i++, at = (at + 1) % n)
        if (lines[at].fd < 0 && (dialled++, dial(epoll, at) < 0))
            break;
    return at;
}

static void hold(int epoll, const char *mark, int n)
{
    unsigned long closed = 0;
    int open = 0, next = dial_some(epoll, 0, n);
    while (access(mark, F_OK) != 0) {
        struct epoll_event ready[READY];
        int got = epoll_wait(epoll, ready, READY, TURN_MS);
        for (int k = 0; k < got; k++) {
            struct line *l = &lines[ready[k].data.fd];
            if (go_on(epoll, ready[k].data.fd, ready[k].events))
                continue;
            close(l->fd);
            l->fd = -1;
            l->tried = true;
            closed++;
        }
        if (got <= 0)
            next = dial_some(epoll, next, n);
        mark_once(mark, n);
    }
    for (int i = 0; i < n; i++)
        open += lines[i].fd >= 0;
    printf("%d %lu\n", open, closed);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int n = argc == 5 || argc == 6 ? atoi(argv[3]) : 0;
    if (n < 1 || n > MOST || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fputs("usage: hog IP PORT COUNT MARK [FILE]\n", stderr);
        return 2;
    }
    to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || read_said(argv[5]) < 0) {
        perror("hog");
        return 1;
    }
    for (int i = 0; i < n; i++)
        lines[i].fd = -1;
    hold(epoll, argv[4], n);
    return 0;
}
