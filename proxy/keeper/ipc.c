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

/* Messages of one call of the kernel, in each direction. */
enum { RECEIVED_MAX = 16, SENT_MAX = 16 };

/* How long a message that nobody waits for may wait for company. */
#define LAZY_US 5000

/* Room for what is received in one call. Pages that no message reaches are never touched. */
struct inbox {
    struct ipc_header headers[RECEIVED_MAX];
    _Alignas(16) char data[RECEIVED_MAX][IPC_PAYLOAD_MAX];
    union {
        char room[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control[RECEIVED_MAX];
    struct iovec iov[RECEIVED_MAX][2];
    struct mmsghdr messages[RECEIVED_MAX];
};

struct ipc {
    int fd;
    struct ipc_handlers handlers;
    struct event *readable, *writable;
    struct event *turn_end; /* what was gathered leaves */
    struct event *lazy;     /* what waits for company leaves alone */
    bool gathers;
    struct inbox *inbox;
    struct waiting *first, **last;
    size_t n_waiting, backlog; /* messages, and their memory */
    bool full;                 /* the socket is: `writable` is waited for */
    unsigned busy;             /* handlers of this channel that are running */
    bool dead;                 /* freed while busy: the memory goes when the last handler returns */
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
    ipc->n_waiting++;
    ipc->backlog += size;
    return 0;
}

static void await_room(struct ipc *ipc)
{
    ipc->full = true;
    event_add(ipc->writable, NULL);
}

static void drop_first(struct ipc *ipc)
{
    struct waiting *w = ipc->first;
    ipc->first = w->next;
    if (!ipc->first)
        ipc->last = &ipc->first;
    ipc->n_waiting--;
    ipc->backlog -= sizeof *w + w->len;
    fd_close(&w->fd);
    free(w);
}

/* Sends some of what waits in one call: a message with a descriptor alone. Returns how many, or a
 * negative errno. */
static int send_some(const struct ipc *ipc)
{
    struct mmsghdr messages[SENT_MAX] = {0};
    struct iovec iov[SENT_MAX][2];
    struct waiting *w = ipc->first;
    unsigned n = 0;
    if (w->fd >= 0) {
        int error = transmit(ipc->fd, &w->header, w->data, w->len, w->fd);
        return error ? error : 1;
    }
    for (; w && n < SENT_MAX && w->fd < 0; w = w->next, n++) {
        iov[n][0] = (struct iovec){&w->header, sizeof w->header};
        iov[n][1] = (struct iovec){w->data, w->len};
        messages[n].msg_hdr = (struct msghdr){.msg_iov = iov[n], .msg_iovlen = 2};
    }
    int sent;
    do
        sent = sendmmsg(ipc->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* Sends what waits until the socket is full, whose room is then waited for. */
static int send_waiting(struct ipc *ipc)
{
    while (ipc->first) {
        int sent = send_some(ipc);
        if (sent == -EAGAIN || sent == -ENOBUFS) {
            await_room(ipc);
            return -EAGAIN;
        }
        if (sent < 0)
            return sent;
        while (sent--)
            drop_first(ipc);
    }
    return 0;
}

/* Leaves the message with those of this turn. Many are sent on before its end, so that the peer
 * begins; an error is seen again at the end, where it may be told. */
static int gather(struct ipc *ipc, const struct ipc_header *header, const void *data, size_t len)
{
    int error = enqueue(ipc, header, data, len, -1);
    if (!error && !ipc->full && ipc->n_waiting >= SENT_MAX)
        (void)send_waiting(ipc);
    if (!error && !ipc->full && ipc->first)
        event_active(ipc->turn_end, EV_WRITE, 0);
    return error;
}

int ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t id, const void *data, size_t len, int fd)
{
    struct ipc_header header = {(uint32_t)type, id};
    if (len > IPC_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (ipc->fd < 0)
        return -EPIPE;
    if (ipc->gathers && fd < 0)
        return gather(ipc, &header, data, len);
    /* A descriptor need not be held twice, so it goes now, behind what waits. */
    if (ipc->first && !ipc->full)
        (void)send_waiting(ipc);
    if (ipc->first)
        return enqueue(ipc, &header, data, len, fd);
    int error = transmit(ipc->fd, &header, data, len, fd);
    if (error != -EAGAIN && error != -ENOBUFS)
        return error;
    await_room(ipc);
    return enqueue(ipc, &header, data, len, fd);
}

int ipc_send_lazily(struct ipc *ipc, enum ipc_type type, const void *data, size_t len)
{
    static const struct timeval wait = {0, LAZY_US};
    struct ipc_header header = {(uint32_t)type, 0};
    if (!ipc->gathers || len > IPC_PAYLOAD_MAX || ipc->fd < 0)
        return ipc_send(ipc, type, 0, data, len, -1);
    int error = enqueue(ipc, &header, data, len, -1);
    if (error || ipc->full)
        return error;
    if (ipc->n_waiting >= SENT_MAX)
        event_active(ipc->turn_end, EV_WRITE, 0);
    else if (!event_pending(ipc->lazy, EV_TIMEOUT, NULL))
        event_add(ipc->lazy, &wait);
    return 0;
}

static void stop_events(struct ipc *ipc)
{
    event_del(ipc->readable);
    event_del(ipc->writable);
    event_del(ipc->turn_end);
    event_del(ipc->lazy);
}

/* Tells the owner once that the peer has gone. */
static void hang_up(struct ipc *ipc)
{
    if (ipc->fd < 0)
        return;
    stop_events(ipc);
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

static void prepare(struct inbox *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        in->iov[i][0] = (struct iovec){&in->headers[i], sizeof in->headers[i]};
        in->iov[i][1] = (struct iovec){in->data[i], sizeof in->data[i]};
        in->messages[i].msg_hdr = (struct msghdr){.msg_iov = in->iov[i],
                                                  .msg_iovlen = 2,
                                                  .msg_control = in->control[i].room,
                                                  .msg_controllen = sizeof in->control[i].room};
    }
}

/* Hands over the i-th of what was received. One that comes when nobody listens any more is only
 * rid of its descriptors. */
static void hand_over(struct ipc *ipc, size_t i)
{
    struct inbox *in = ipc->inbox;
    struct msghdr *msg = &in->messages[i].msg_hdr;
    const size_t n = in->messages[i].msg_len;
    struct ipc_message m = {.fd = n ? received_fd(msg) : -1};
    if (ipc->dead || ipc->fd < 0) {
        fd_close(&m.fd);
        return;
    }
    if (n < sizeof in->headers[i] || (msg->msg_flags & MSG_TRUNC)) {
        fd_close(&m.fd);
        hang_up(ipc);
        return;
    }
    if (msg->msg_flags & MSG_CTRUNC)
        fd_close(&m.fd); /* more than one, or none was free to receive it by: it came without */
    m.type = (enum ipc_type)in->headers[i].type;
    m.id = in->headers[i].id;
    m.data = in->data[i];
    m.len = n - sizeof in->headers[i];
    ipc->handlers.message(ipc->handlers.context, &m);
    fd_close(&m.fd);
}

/* Reads up to n messages and hands them over. Returns how many there were; where that is less, no
 * more are there, or the peer has gone. */
static unsigned receive(struct ipc *ipc, unsigned n)
{
    prepare(ipc->inbox, n);
    int got = recvmmsg(ipc->fd, ipc->inbox->messages, n, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    /* Said once, when the peer died with something of ours unread. What it said lies behind it. */
    if (got < 0 && errno == ECONNRESET)
        return n;
    if (got < 0) {
        hang_up(ipc);
        return 0;
    }
    for (int i = 0; i < got; i++)
        hand_over(ipc, (size_t)i);
    return (unsigned)got;
}

static void release(struct ipc *ipc)
{
    while (ipc->first)
        drop_first(ipc);
    if (ipc->readable)
        event_free(ipc->readable);
    if (ipc->writable)
        event_free(ipc->writable);
    if (ipc->turn_end)
        event_free(ipc->turn_end);
    if (ipc->lazy)
        event_free(ipc->lazy);
    fd_close(&ipc->fd);
    free(ipc->inbox);
    free(ipc);
}

static void leave(struct ipc *ipc)
{
    if (--ipc->busy == 0 && ipc->dead)
        release(ipc);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    enum { TURN = 4 }; /* bounded: one busy peer must not keep the loop from the others */
    struct ipc *ipc = arg;
    (void)fd;
    (void)what;
    ipc->busy++;
    for (int i = 0; i < TURN && !ipc->dead && ipc->fd >= 0; i++)
        if (receive(ipc, RECEIVED_MAX) < RECEIVED_MAX)
            break;
    leave(ipc);
}

void ipc_drain(struct ipc *ipc)
{
    ipc->busy++;
    /* To the end: behind a part of what is there may lie an error, and behind that the rest. */
    while (!ipc->dead && ipc->fd >= 0 && receive(ipc, RECEIVED_MAX))
        ;
    leave(ipc);
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
    struct ipc *ipc = arg;
    (void)fd;
    (void)what;
    ipc->full = false;
    int error = send_waiting(ipc);
    if (error && error != -EAGAIN && error != -EPIPE && error != -ECONNRESET) {
        /* Where the peer has gone, what it said before is still to be read, and then its end. */
        ipc->busy++;
        hang_up(ipc);
        leave(ipc);
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
    ipc->writable = event_new(base, fd, EV_WRITE, on_room, ipc);
    ipc->turn_end = event_new(base, -1, 0, on_room, ipc);
    ipc->lazy = event_new(base, -1, 0, on_room, ipc);
    ipc->inbox = malloc(sizeof *ipc->inbox);
    if (!ipc->inbox || !ipc->readable || !ipc->writable || !ipc->turn_end || !ipc->lazy ||
        event_add(ipc->readable, NULL) < 0) {
        release(ipc);
        return NULL;
    }
    ipc->fd = fd;
    return ipc;
}

void ipc_gather(struct ipc *ipc)
{
    ipc->gathers = true;
}

void ipc_free(struct ipc *ipc)
{
    if (!ipc)
        return;
    if (!ipc->busy) {
        release(ipc);
        return;
    }
    stop_events(ipc);
    fd_close(&ipc->fd);
    ipc->dead = true;
}
