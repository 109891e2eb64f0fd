/* SPDX-License-Identifier: MIT
 * The sockets of the DNS stage: datagrams, answered from the address that was asked, and TCP
 * streams of messages behind two bytes of length (RFC 1035 section 4.2.2, RFC 7766). */
#include "dns/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "attribution/who.h"
#include "base/fd.h"
#include "dns/exchange.h"

#define UDP_SOCKETS 4
#define BATCH       64
/* Queries of one stream that are under way at once; more wait in the socket. */
#define STREAM_PENDING 32
#define STREAM_IDLE_S  60
/* Answers that a client has not read yet; beyond it no more of its queries are taken. */
#define STREAM_OUT_MAX 65536
/* Datagrams that are being answered at once; more are dropped, as a full socket would. */
#define UDP_PENDING 4096

struct udp {
    struct dns_server *server;
    int fd;
    bool loopback;
    struct event *readable;
};

struct dns_server {
    struct engine *engine;
    struct resolver self[RESOLVERS_MAX];
    size_t n_self;
    struct udp udp[UDP_SOCKETS];
    size_t n_udp, udp_pending;
};

/* Where the answer to a datagram goes, and from which address. */
struct datagram {
    struct dns_server *server;
    int fd;
    struct flow_key flow;
    bool self;
    size_t len;
    uint8_t query[];
};

struct stream {
    struct dns_server *server;
    int fd; /* -1: the client has gone, answers under way are dropped */
    struct flow_key flow;
    struct process *process;
    bool self, ended, reading;
    unsigned pending;
    struct event *readable, *writable;
    struct buffer in, out;
    size_t out_sent;
};

static bool is_self(const struct dns_server *s, const struct flow_key *flow, bool loopback)
{
    for (size_t i = 0; !loopback && i < s->n_self; i++)
        if (s->self[i].address.ip == ntohl(flow->dst_ip) &&
            s->self[i].address.port == flow->dst_port)
            return true;
    return loopback;
}

/* The address that the datagram was sent to. */
static bool local_address(struct msghdr *msg, uint32_t *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        struct in_pktinfo info;
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        *out = info.ipi_addr.s_addr;
        return true;
    }
    return false;
}

static void send_datagram(void *context, const void *message, size_t len)
{
    struct datagram *d = context;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(d->flow.src_port),
                             .sin_addr.s_addr = d->flow.src_ip};
    struct in_pktinfo from = {.ipi_spec_dst.s_addr = d->flow.dst_ip};
    union {
        char room[CMSG_SPACE(sizeof from)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {(void *)message, len};
    struct msghdr msg = {.msg_name = &to,
                         .msg_namelen = sizeof to,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof from);
    memcpy(CMSG_DATA(c), &from, sizeof from);
    /* A full socket loses an answer as a network would; the client asks again. */
    if (len)
        (void)sendmsg(d->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    d->server->udp_pending--;
    free(d);
}

static void on_datagram_who(void *context, struct process *p)
{
    struct datagram *d = context;
    struct engine *e = d->server->engine;
    struct exchange_options o = {.engine = e,
                                 .flow = d->flow,
                                 .process = p,
                                 .self = d->self,
                                 .query = d->query,
                                 .len = d->len,
                                 .reply = send_datagram,
                                 .context = d};
    exchange_start(&o);
    engine_end(e);
}

static void take_datagram(struct udp *u, const struct sockaddr_in *from, uint32_t to,
                          const void *data, size_t len)
{
    struct dns_server *s = u->server;
    struct process *now;
    struct datagram *d = s->udp_pending < UDP_PENDING ? malloc(sizeof *d + len) : NULL;
    if (!d)
        return;
    *d = (struct datagram){.server = s,
                           .fd = u->fd,
                           .flow = {.src_ip = from->sin_addr.s_addr,
                                    .dst_ip = to,
                                    .src_port = ntohs(from->sin_port),
                                    .dst_port = 53,
                                    .proto = IPPROTO_UDP},
                           .len = len};
    d->self = is_self(s, &d->flow, u->loopback);
    memcpy(d->query, data, len);
    s->udp_pending++;
    engine_begin(s->engine);
    if (!who_ask(s->engine->who, &d->flow, on_datagram_who, d, &now))
        on_datagram_who(d, now);
}

/* Returns false when there is nothing more to read. */
static bool read_datagram(struct udp *u)
{
    char data[4096]; /* larger queries are no queries */
    struct sockaddr_in from;
    union {
        char room[256];
        struct cmsghdr align;
    } control;
    struct iovec iov = {data, sizeof data};
    struct msghdr msg = {.msg_name = &from,
                         .msg_namelen = sizeof from,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    uint32_t to;
    ssize_t n = recvmsg(u->fd, &msg, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR;
    if (!(msg.msg_flags & MSG_TRUNC) && local_address(&msg, &to))
        take_datagram(u, &from, to, data, (size_t)n);
    return true;
}

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    for (int i = 0; i < BATCH && read_datagram(arg); i++)
        ;
}

void dns_server_drain(struct dns_server *s)
{
    for (size_t i = 0; i < s->n_udp; i++)
        while (read_datagram(&s->udp[i]))
            ;
}

struct dns_server *dns_server_new(struct engine *e, const struct resolver *self, size_t n)
{
    struct dns_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->engine = e;
    s->n_self = MIN(n, RESOLVERS_MAX);
    if (s->n_self)
        memcpy(s->self, self, s->n_self * sizeof *self);
    return s;
}

void dns_server_free(struct dns_server *s)
{
    for (size_t i = 0; s && i < s->n_udp; i++)
        event_free(s->udp[i].readable);
    free(s);
}

int dns_server_udp(struct dns_server *s, int fd, bool loopback)
{
    if (s->n_udp == UDP_SOCKETS)
        return -ENOMEM;
    struct udp *u = &s->udp[s->n_udp];
    *u = (struct udp){s, fd, loopback, NULL};
    u->readable = event_new(s->engine->base, fd, EV_READ | EV_PERSIST, on_udp, u);
    if (!u->readable || event_add(u->readable, NULL) < 0)
        return -ENOMEM;
    s->n_udp++;
    return 0;
}

/* Gone for good when the client has gone and nothing is under way. */
static void stream_release(struct stream *t)
{
    struct engine *e = t->server->engine;
    if (t->readable)
        event_free(t->readable);
    if (t->writable)
        event_free(t->writable);
    fd_close(&t->fd);
    buffer_release(&t->in);
    buffer_release(&t->out);
    process_unref(t->process);
    free(t);
    engine_end(e);
}

static void stream_hang_up(struct stream *t)
{
    event_del(t->readable);
    event_del(t->writable);
    fd_close(&t->fd);
}

static bool may_take(const struct stream *t)
{
    return t->fd >= 0 && !t->ended && t->pending < STREAM_PENDING &&
           t->out.len - t->out_sent < STREAM_OUT_MAX;
}

static void stream_send(struct stream *t)
{
    static const struct timeval idle = {STREAM_IDLE_S, 0};
    while (t->fd >= 0 && t->out_sent < t->out.len) {
        ssize_t n = send(t->fd, t->out.data + t->out_sent, t->out.len - t->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            event_add(t->writable, &idle);
            return;
        }
        if (n < 0) {
            stream_hang_up(t);
            return;
        }
        t->out_sent += (size_t)n;
    }
    buffer_clear(&t->out);
    t->out_sent = 0;
}

static void stream_read(struct stream *t);

/* Waits for more, or lets go where no more will come. */
static void stream_settle(struct stream *t)
{
    static const struct timeval idle = {STREAM_IDLE_S, 0};
    if (t->reading)
        return; /* called from within; the outer call settles */
    if (t->fd >= 0 && t->ended && !t->pending && t->out_sent == t->out.len)
        stream_hang_up(t);
    if (t->fd < 0 && !t->pending)
        stream_release(t);
    else if (may_take(t))
        event_add(t->readable, &idle);
}

static void send_on_stream(void *context, const void *message, size_t len)
{
    struct stream *t = context;
    const uint8_t prefix[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    t->pending--;
    if (t->fd >= 0 && len && len <= DNS_MESSAGE_MAX) {
        buffer_add(&t->out, prefix, sizeof prefix);
        buffer_add(&t->out, message, len);
        if (buffer_failed(&t->out))
            stream_hang_up(t);
        else
            stream_send(t);
    }
    /* Something that was no DNS message: what follows cannot be trusted to be one. */
    if (len == 0)
        t->ended = true;
    if (t->fd >= 0 && t->pending == STREAM_PENDING - 1)
        event_active(t->readable, EV_READ,
                     0); /* messages that were read may have waited for room */
    stream_settle(t);
}

static void take_message(struct stream *t, const void *data, size_t len)
{
    struct exchange_options o = {.engine = t->server->engine,
                                 .flow = t->flow,
                                 .process = t->process ? process_ref(t->process) : NULL,
                                 .self = t->self,
                                 .tcp = true,
                                 .query = data,
                                 .len = len,
                                 .reply = send_on_stream,
                                 .context = t};
    t->pending++;
    exchange_start(&o);
}

/* Takes whole messages out of what has come. */
static void take_messages(struct stream *t)
{
    size_t at = 0;
    while (may_take(t) && t->in.len - at >= 2) {
        const uint8_t *p = (const uint8_t *)t->in.data + at;
        size_t len = (size_t)p[0] << 8 | p[1];
        if (t->in.len - at - 2 < len)
            break;
        at += 2 + len;
        take_message(t, p + 2, len);
    }
    t->in.len -= at;
    if (at && t->in.len)
        memmove(t->in.data, t->in.data + at, t->in.len);
}

static void stream_read(struct stream *t)
{
    char chunk[4096];
    t->reading = true;
    take_messages(t); /* those that waited for room */
    while (may_take(t)) {
        ssize_t n = recv(t->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            t->ended = true;
            break;
        }
        buffer_add(&t->in, chunk, (size_t)n);
        if (buffer_failed(&t->in)) {
            t->ended = true;
            break;
        }
        take_messages(t);
    }
    t->reading = false;
    stream_settle(t);
}

static void on_stream_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *t = arg;
    (void)fd;
    if (what & EV_TIMEOUT) {
        t->ended = true;
        stream_settle(t);
        return;
    }
    stream_read(t);
}

static void on_stream_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *t = arg;
    (void)fd;
    if (what & EV_TIMEOUT)
        stream_hang_up(t); /* it asks and does not listen */
    else
        stream_send(t);
    if (may_take(t))
        event_active(t->readable, EV_READ,
                     0); /* messages that were read may have waited for room */
    stream_settle(t);
}

static void stream_begin(struct dns_server *s, int fd, const struct flow_key *flow,
                         struct process *process, bool self, const void *first, size_t len)
{
    struct stream *t = calloc(1, sizeof *t);
    if (!t) {
        close(fd);
        process_unref(process);
        return;
    }
    *t = (struct stream){.server = s, .fd = fd, .flow = *flow, .process = process, .self = self};
    engine_begin(s->engine);
    t->readable = event_new(s->engine->base, fd, EV_READ, on_stream_readable, t);
    t->writable = event_new(s->engine->base, fd, EV_WRITE, on_stream_writable, t);
    buffer_add(&t->in, first, len);
    if (!t->readable || !t->writable || buffer_failed(&t->in))
        stream_release(t);
    else if (len)
        stream_read(t);
    else
        stream_settle(t);
}

void dns_server_stream(struct dns_server *s, int fd, const struct flow_key *flow,
                       struct process *process, bool loopback)
{
    stream_begin(s, fd, flow, process, is_self(s, flow, loopback), NULL, 0);
}

void dns_server_stream_begun(struct dns_server *s, int fd, const struct flow_key *flow,
                             struct process *process, const void *first, size_t len)
{
    stream_begin(s, fd, flow, process, false, first, len);
}
