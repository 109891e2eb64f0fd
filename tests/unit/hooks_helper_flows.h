/* SPDX-License-Identifier: MIT
 * What the helper of the hooks' tests does with sockets that are not its own, with rings instead of
 * calls, and in numbers. */
#pragma once

#include "unit/hooks_helper_base.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Where io_uring cannot be had. */
#define HELPER_NO_RING 77

static struct sockaddr_in helper_at(const char *ip, const char *port)
{
    struct sockaddr_in a = helper_v4(helper_port(port));
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

/* ---- a socket that another process made ---- */

static int helper_pass(int over, int fd)
{
    char room[CMSG_SPACE(sizeof fd)] = {0}, byte = 'f';
    struct iovec part = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(over, &m, 0) != 1;
}

static int helper_take(int over)
{
    char room[CMSG_SPACE(sizeof(int))] = {0}, byte;
    struct iovec part = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    int fd = -1;
    if (recvmsg(over, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

/* arg: a descriptor that a socket comes by, a port. */
static int verb_passed_child(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[1]));
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "passed"};
    int fd = helper_take(atoi(arg[0]));
    return fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) ||
           write(fd, &hello, sizeof hello) != sizeof hello;
}

/* One process makes the socket and passes it on, another connects it. */
static int verb_passed(char **arg)
{
    int pair[2];
    char number[16];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 1;
    snprintf(number, sizeof number, "%d", pair[1]);
    pid_t child = fork();
    if (child == 0) {
        execl(HELPER_SELF, "passed", "passed-child", number, arg[0], (char *)NULL);
        _exit(1);
    }
    return helper_pass(pair[0], fd) || helper_wait(child);
}

/* arg: a descriptor that is a bound UDP socket, a port, what to send. */
static int verb_shared_child(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[1]));
    return sendto(atoi(arg[0]), "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1;
}

/* One socket, two processes, two destinations, one after the other. */
static int verb_shared(char **arg)
{
    char number[16];
    int bad = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const struct sockaddr_in from = helper_v4(0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from))
        return 1;
    snprintf(number, sizeof number, "%d", fd);
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(HELPER_SELF, i ? "second" : "first", "shared-child", number, arg[i],
                  (char *)NULL);
            _exit(1);
        }
        bad |= helper_wait(child);
    }
    return bad;
}

/* Several datagrams in one call. */
static int verb_sendmmsg(char **arg)
{
    struct sockaddr_in to[2] = {helper_v4(helper_port(arg[0])), helper_v4(helper_port(arg[1]))};
    struct iovec part = {(char[]){'x'}, 1};
    struct mmsghdr m[2] = {{.msg_hdr = {&to[0], sizeof to[0], &part, 1, NULL, 0, 0}},
                           {.msg_hdr = {&to[1], sizeof to[1], &part, 1, NULL, 0, 0}}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || sendmmsg(fd, m, 2, 0) != 2;
}

/* ---- io_uring, by hand: one request, one answer ---- */

struct helper_ring {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
};

static void *helper_ring_map(int fd, size_t len, off_t at)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);
    return p == MAP_FAILED ? NULL : p;
}

static int helper_ring_open(struct helper_ring *r)
{
    struct io_uring_params p;
    memset(&p, 0, sizeof p);
    r->fd = (int)syscall(SYS_io_uring_setup, 1, &p);
    if (r->fd < 0)
        return HELPER_NO_RING;
    char *sq = helper_ring_map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned),
                               IORING_OFF_SQ_RING);
    char *cq =
        helper_ring_map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof *r->cqes, IORING_OFF_CQ_RING);
    r->sqes = helper_ring_map(r->fd, p.sq_entries * sizeof *r->sqes, IORING_OFF_SQES);
    if (!sq || !cq || !r->sqes)
        return 1;
    r->sq_tail = (unsigned *)(void *)(sq + p.sq_off.tail);
    r->sq_mask = (unsigned *)(void *)(sq + p.sq_off.ring_mask);
    r->sq_array = (unsigned *)(void *)(sq + p.sq_off.array);
    r->cq_head = (unsigned *)(void *)(cq + p.cq_off.head);
    r->cq_tail = (unsigned *)(void *)(cq + p.cq_off.tail);
    r->cq_mask = (unsigned *)(void *)(cq + p.cq_off.ring_mask);
    r->cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
    return 0;
}

/* Hands in one request and waits for its result. */
static int helper_ring_do(struct helper_ring *r, const struct io_uring_sqe *request)
{
    const unsigned at = *r->sq_tail & *r->sq_mask;
    r->sqes[at] = *request;
    r->sq_array[at] = at;
    __atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return -errno;
    if (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) == *r->cq_head)
        return -EAGAIN;
    const int result = r->cqes[*r->cq_head & *r->cq_mask].res;
    __atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
    return result;
}

/* arg: port, flags of the request (0, or IOSQE_ASYNC for a worker of the kernel). */
static int verb_uring_connect(char **arg)
{
    const struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "uring"};
    struct helper_ring ring = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = helper_ring_open(&ring);
    const struct io_uring_sqe request = {.opcode = IORING_OP_CONNECT,
                                         .flags = (__u8)atoi(arg[1]),
                                         .fd = fd,
                                         .addr = (uintptr_t)&to,
                                         .off = sizeof to};
    return bad ? bad
               : helper_ring_do(&ring, &request) != 0 ||
                     write(fd, &hello, sizeof hello) != sizeof hello;
}

static int verb_uring_send(char **arg)
{
    struct sockaddr_in to = helper_v4(helper_port(arg[0]));
    struct iovec part = {(char[]){'x'}, 1};
    const struct msghdr m = {
        .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};
    struct helper_ring ring = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bad = helper_ring_open(&ring);
    const struct io_uring_sqe request = {.opcode = IORING_OP_SENDMSG,
                                         .flags = (__u8)atoi(arg[1]),
                                         .fd = fd,
                                         .addr = (uintptr_t)&m,
                                         .len = 1};
    return bad ? bad : helper_ring_do(&ring, &request) != 1;
}

/* ---- the same addresses and ports, elsewhere ---- */

/* A connection and a datagram from 127.0.0.1:arg[0] to 127.0.0.1:arg[1], in a namespace of its own;
 * once more with sockets that have no room for an owner. */
static int verb_twin(char **arg)
{
    const struct sockaddr_in from = helper_v4(helper_port(arg[0]));
    const struct sockaddr_in to = helper_v4(helper_port(arg[1]));
    const int on = 1;
    if (unshare(CLONE_NEWNET) || helper_loopback_up() || !helper_small_options())
        return 1;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (const struct sockaddr *)&to, sizeof to) || listen(server, 4))
        return 2;
    for (int full = 0; full < 2; full++) {
        int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
        const struct linger at_once = {1, 0};
        if (setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
            setsockopt(tcp, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) ||
            bind(tcp, (const struct sockaddr *)&from, sizeof from) ||
            bind(udp, (const struct sockaddr *)&from, sizeof from))
            return 3;
        if (full && (helper_fill_options(tcp) || helper_fill_options(udp)))
            return 4;
        if (connect(tcp, (const struct sockaddr *)&to, sizeof to) ||
            sendto(udp, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1)
            return 5;
        close(tcp);
        close(udp);
    }
    return 0;
}

/* From a source port; the connection stays open until a byte comes back. */
static int verb_connect_from(char **arg)
{
    const struct sockaddr_in from = helper_v4(helper_port(arg[0]));
    const struct sockaddr_in to = helper_v4(helper_port(arg[1]));
    struct helper_hello hello = {.pid = (uint32_t)getpid(), .tag = "from"};
    const int on = 1;
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(fd, (const struct sockaddr *)&from, sizeof from) ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) ||
        write(fd, &hello, sizeof hello) != sizeof hello)
        return 1;
    return read(fd, &byte, 1) != 1;
}

/* ---- in numbers ---- */

/* arg: port, how many processes, how many connections of each, how many processes at once. Each
 * process has a destination of its own, so that its source ports suffice. */
static int verb_many_child(char **arg)
{
    const struct linger at_once = {1, 0};
    const struct sockaddr_in to = helper_at(arg[0], arg[1]);
    struct helper_hello hello = {.pid = (uint32_t)getpid()};
    snprintf(hello.tag, sizeof hello.tag, "%s", arg[3]);
    for (int n = atoi(arg[2]); n > 0; n--) {
        char byte;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) ||
            connect(fd, (const struct sockaddr *)&to, sizeof to) ||
            write(fd, &hello, sizeof hello) != sizeof hello || read(fd, &byte, 1) != 0)
            return 1;
        close(fd);
    }
    return 0;
}

static int helper_wait_any(void)
{
    int status;
    return wait(&status) < 0 || status != 0;
}

static int verb_many(char **arg)
{
    const int n = atoi(arg[1]), at_once = atoi(arg[3]);
    int bad = 0, running = 0;
    for (int i = 0; i < n; i++) {
        char ip[32], tag[16];
        snprintf(ip, sizeof ip, "127.1.%d.%d", i / 250, i % 250 + 1);
        snprintf(tag, sizeof tag, "%d", i);
        pid_t child = fork();
        if (child == 0) {
            execl(HELPER_SELF, "many", "many-child", ip, arg[0], arg[2], tag, (char *)NULL);
            _exit(1);
        }
        for (running += child > 0; running >= at_once; running--)
            bad |= helper_wait_any();
    }
    for (; running > 0; running--)
        bad |= helper_wait_any();
    return bad;
}

/* arg: source port, how many. One datagram each to as many destinations, from one socket. */
static int verb_udp_spray(char **arg)
{
    struct sockaddr_in from = helper_v4(helper_port(arg[0])), to = helper_v4(1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (const struct sockaddr *)&from, sizeof from))
        return 1;
    for (uint32_t i = 0; i < (uint32_t)atoi(arg[1]); i++) {
        to.sin_addr.s_addr = htonl(0x7f020000u + i);
        if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1)
            return 1;
    }
    return 0;
}

/* ---- frames ---- */

static int verb_packet(char **arg UNUSED)
{
    static const struct {
        int family, type;
    } refused[] = {{AF_PACKET, SOCK_RAW}, {AF_PACKET, SOCK_DGRAM}, {AF_XDP, SOCK_RAW}};
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (socket(refused[i].family, refused[i].type, 0) != -1 || errno != EPERM)
            return (int)i + 1;
    }
    return 0;
}
