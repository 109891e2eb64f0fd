/* SPDX-License-Identifier: MIT
 * So many connections a second to echoes, in turns, until MARK is there: each says a line, hears
 * it, and closes. Prints of each target how many were begun, how many heard their line, and how
 * many were ended by the other side or waited too long. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS = 16, OPEN_MAX = 8192, TURN_MS = 10, WAIT_MS = 15000, READY = 256 };

struct target {
    struct sockaddr_in at;
    unsigned long begun, heard, ended, late;
};

struct line {
    int fd; /* -1: free */
    struct target *target;
    int64_t until_ms;
};

static struct target targets[TARGETS];
static struct line lines[OPEN_MAX];
static int n_targets;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void begin(int epoll, struct target *t, int64_t now)
{
    static int at;
    int i = 0;
    while (i < OPEN_MAX && lines[at].fd >= 0)
        i++, at = (at + 1) % OPEN_MAX;
    int fd = i < OPEN_MAX ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    struct epoll_event on = {.events = EPOLLOUT, .data.fd = at};
    if (fd < 0)
        return;
    t->begun++;
    if ((connect(fd, (struct sockaddr *)&t->at, sizeof(t->at)) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &on) < 0) {
        t->ended++;
        close(fd);
        return;
    }
    lines[at] = (struct line){fd, t, now + WAIT_MS};
}

static void end(struct line *l, unsigned long *count)
{
    ++*count;
    close(l->fd);
    l->fd = -1;
}

static void go_on(int epoll, int i, unsigned events)
{
    struct line *l = &lines[i];
    struct epoll_event in = {.events = EPOLLIN, .data.fd = i};
    char byte;
    if (l->fd < 0)
        return;
    if (events & EPOLLIN && recv(l->fd, &byte, 1, 0) == 1)
        end(l, &l->target->heard);
    else if (events & (EPOLLERR | EPOLLHUP | EPOLLIN))
        end(l, &l->target->ended);
    else if (send(l->fd, "\n", 1, MSG_NOSIGNAL) == 1)
        epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &in);
    else
        end(l, &l->target->ended);
}

static void run(int epoll, const char *mark, int64_t rate)
{
    int64_t start = now_ms(), begun = 0;
    while (access(mark, F_OK) != 0) {
        struct epoll_event ready[READY];
        int64_t now = now_ms();
        for (; begun < (now - start) * rate / 1000; begun++)
            begin(epoll, &targets[begun % n_targets], now);
        int got = epoll_wait(epoll, ready, READY, TURN_MS);
        for (int k = 0; k < got; k++)
            go_on(epoll, ready[k].data.fd, ready[k].events);
        for (int i = 0; i < OPEN_MAX; i++)
            if (lines[i].fd >= 0 && lines[i].until_ms < now)
                end(&lines[i], &lines[i].target->late);
    }
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 3; i + 1 < argc && n_targets < TARGETS; i += 2, n_targets++) {
        targets[n_targets].at = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(argv[i + 1], NULL, 10))};
        if (inet_pton(AF_INET, argv[i], &targets[n_targets].at.sin_addr) != 1)
            n_targets = TARGETS;
    }
    if (n_targets < 1 || n_targets >= TARGETS || epoll < 0) {
        fputs("usage: load RATE MARK IP PORT…\n", stderr);
        return 2;
    }
    for (int i = 0; i < OPEN_MAX; i++)
        lines[i].fd = -1;
    run(epoll, argv[2], strtol(argv[1], NULL, 10));
    for (int i = 0; i < n_targets; i++)
        printf("%s %s %lu %lu %lu %lu\n", argv[3 + 2 * i], argv[4 + 2 * i], targets[i].begun,
               targets[i].heard, targets[i].ended, targets[i].late);
    return 0;
}
