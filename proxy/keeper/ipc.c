/* SPDX-License-Identifier: MIT
 * Bounded messages between roles over SOCK_SEQPACKET, on libevent. */
#include "keeper/ipc.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/fd.h"

struct ipc_header {
    uint32_t type;
    uint32_t id;
};

/* A message that waits for room in the socket. */
struct waiting {
    struct waiting *next;
    struct ipc_header header;
    int fd; /* owned */
    size_t len;
    char data[];
};

struct ipc {
    int fd;
    struct ipc_handlers handlers;
    struct event *readable, *writable;
    struct waiting *first, **last;
    size_t backlog; /* memory of what waits */
    unsigned busy;  /* handlers of this channel that are running */
    bool dead;      /* freed while busy: the memory goes when the last handler returns */
};

int ipc_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static int transmit(int socket, const struct ipc_header *header, const void *data, size_t len,
                    int fd)
{
    struct iovec iov[2] = {{(void *)header, sizeof *header}, {(void *)data, len}};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int enqueue(struct ipc *ipc, const struct ipc_header *header, const void *data, size_t len,
                   int fd)
{
    /* With the header: a peer that is answered with nothing costs memory too. */
    const size_t size = sizeof(struct waiting) + len;
    if (ipc->backlog + size > IPC_BACKLOG_MAX)
        return -ENOBUFS;
    struct waiting *w = malloc(size);
    if (!w)
        return -ENOMEM;
    w->next = NULL;
    w->header = *header;
    w->len = len;
    w->fd = fd >= 0 ? dup(fd) : -1;
    if (fd >= 0 && w->fd < 0) {
        int error = -errno;
        free(w);
        return error;
    }
    if (len)
        memcpy(w->data, data, len);
    *ipc->last = w;
    ipc->last = &w->next;
    ipc->backlog += size;
    event_add(ipc->writable, NULL);
    return 0;
}

int ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t id, const void *data, size_t len, int fd)
{
    struct ipc_header header = {(uint32_t)type, id};
    if (len > IPC_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (ipc->fd < 0)
        return -EPIPE;
    if (ipc->first)
        return enqueue(ipc, &header, data, len, fd);
    int error = transmit(ipc->fd, &header, data, len, fd);
    if (error == -EAGAIN || error == -ENOBUFS)
        return enqueue(ipc, &header, data, len, fd);
    return error;
}

static void drop_first(struct ipc *ipc)
{
    struct waiting *w = ipc->first;
    ipc->first = w->next;
    if (!ipc->first)
        ipc->last = &ipc->first;
    ipc->backlog -= sizeof *w + w->len;
    fd_close(&w->fd);
    free(w);
}

/* Sends what waits until the socket is full. */
static int send_waiting(struct ipc *ipc)
{
    while (ipc->first) {
        struct waiting *w = ipc->first;
        int error = transmit(ipc->fd, &w->header, w->data, w->len, w->fd);
        if (error == -EAGAIN || error == -ENOBUFS)
            return -EAGAIN;
        if (error)
            return error;
        drop_first(ipc);
    }
    return 0;
}

/* Tells the owner once that the peer has gone. */
static void hang_up(struct ipc *ipc)
{
    if (ipc->fd < 0)
        return;
    event_del(ipc->readable);
    event_del(ipc->writable);
    fd_close(&ipc->fd);
    ipc->handlers.closed(ipc->handlers.context);
}

/* Descriptors of a message: at most one is taken, others are closed at once. */
static int received_fd(struct msghdr *msg)
{
    int taken = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

/* Reads one message and hands it over. Returns false when there is none, or the peer has gone. */
static bool receive(struct ipc *ipc)
{
    struct ipc_header header;
    static _Thread_local _Alignas(16) char data[IPC_PAYLOAD_MAX];
    struct iovec iov[2] = {{&header, sizeof header}, {data, sizeof data}};
    union {
        char room[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = 2,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(ipc->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* Said once, when the peer died with something of ours unread. What it said lies behind it. */
    if (n < 0 && errno == ECONNRESET)
        return true;
    struct ipc_message m = {.fd = n > 0 ? received_fd(&msg) : -1};
    if (n < (ssize_t)sizeof header || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        fd_close(&m.fd);
        hang_up(ipc);
        return false;
    }
    m.type = (enum ipc_type)header.type;
    m.id = header.id;
    m.data = data;
    m.len = (size_t)n - sizeof header;
    ipc->handlers.message(ipc->handlers.context, &m);
    fd_close(&m.fd);
    return true;
}

static void release(struct ipc *ipc)
{
    while (ipc->first)
        drop_first(ipc);
    if (ipc->readable)
        event_free(ipc->readable);
    if (ipc->writable)
        event_free(ipc->writable);
    fd_close(&ipc->fd);
    free(ipc);
}

static void receive_some(struct ipc *ipc, unsigned n)
{
    ipc->busy++;
    while (n-- && !ipc->dead && ipc->fd >= 0 && receive(ipc))
        ;
    if (--ipc->busy == 0 && ipc->dead)
        release(ipc);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    receive_some(arg, 64); /* bounded: one busy peer must not keep the loop from the others */
}

void ipc_drain(struct ipc *ipc)
{
    receive_some(ipc, UINT_MAX);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct ipc *ipc = arg;
    (void)fd;
    (void)what;
    int error = send_waiting(ipc);
    if (error == -EAGAIN) {
        event_add(ipc->writable, NULL);
    } else if (error && error != -EPIPE && error != -ECONNRESET) {
        /* Where the peer has gone, what it said before is still to be read, and then its end. */
        ipc->busy++;
        hang_up(ipc);
        if (--ipc->busy == 0 && ipc->dead)
            release(ipc);
    }
}

struct ipc *ipc_new(struct event_base *base, int fd, const struct ipc_handlers *handlers)
{
    struct ipc *ipc = calloc(1, sizeof *ipc);
    if (!ipc)
        return NULL;
    ipc->fd = -1;
    ipc->handlers = *handlers;
    ipc->last = &ipc->first;
    ipc->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, ipc);
    ipc->writable = event_new(base, fd, EV_WRITE, on_writable, ipc);
    if (!ipc->readable || !ipc->writable || event_add(ipc->readable, NULL) < 0) {
        release(ipc);
        return NULL;
    }
    ipc->fd = fd;
    return ipc;
}

void ipc_free(struct ipc *ipc)
{
    if (!ipc)
        return;
    if (!ipc->busy) {
        release(ipc);
        return;
    }
    event_del(ipc->readable);
    event_del(ipc->writable);
    fd_close(&ipc->fd);
    ipc->dead = true;
}
