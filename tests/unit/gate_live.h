/* SPDX-License-Identifier: MIT
 * What the live tests of the gate share: a child inside the command's namespace that speaks with
 * its parent over one SOCK_SEQPACKET pair, and waiting with a far limit instead of sleeping. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "setup/gate.h"
#include "unit/report.h"

enum { PATIENCE_MS = 20000, CHILD_SECONDS = 60 };

/* The body of a child: 0 is well; any other number says which step failed. */
typedef int client_body(int parent);

struct client {
    pid_t pid;
    int fd;
};

static inline struct client client_start(const struct gate *g, client_body *body)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        close(pair[0]);
        _exit(setns(g->client_ns, CLONE_NEWNET) < 0 ? 120 : body(pair[1]));
    }
    close(pair[1]);
    return (struct client){pid, pair[0]};
}

/* The exit status; -1 when a signal ended it. */
static inline int client_end(struct client *c)
{
    int status = 0;
    close(c->fd);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) == 1;
}

static inline struct sockaddr_in address_of(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

/* A connected socket, or -1. */
static inline int connected(int type, uint32_t ip, uint16_t port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = address_of(ip, port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return -1;
    return fd;
}

static inline uint16_t own_port(int fd)
{
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &len) < 0 ? 0 : ntohs(own.sin_port);
}

static inline struct gate open_gate(void)
{
    struct gate g;
    struct error error = {0};
    if (gate_open(&g, 1, &error) < 0)
        fail_msg("%s", error.text);
    return g;
}

/* Whether namespaces can be made here; says aloud what is skipped when they cannot. */
static inline bool can_run(const struct unit_test *tests, size_t n)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        printf("skip %s %s: needs root and the right to make namespaces\n", tests[i].id,
               tests[i].test.name);
    return false;
}
