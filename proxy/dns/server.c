/* SPDX-License-Identifier: MIT
 * The sockets of the DNS stage: datagrams, answered from the address that was asked; connections
 * are streams (stream.h). */
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
#include "dns/stream.h"

#define UDP_SOCKETS 4
#define BATCH       64
#define STREAMS_MIN 8
/* Datagrams whose process is being asked for at once; more are dropped, as a full socket would. */
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
    struct streams *streams;
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
    d->server->udp_pending--;
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
    /* One that was cut is judged as empty: dropped, and recorded as malformed. */
    if (local_address(&msg, &to))
        take_datagram(u, &from, to, data, msg.msg_flags & MSG_TRUNC ? 0 : (size_t)n);
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

/* Streams are not counted with other connections (session/limits.c), so they must not take what is
 * meant for those. */
static struct streams *make_streams(struct engine *e, size_t files)
{
    struct stream_limits limits = stream_limits;
    limits.streams = MIN(MAX(files / 16, STREAMS_MIN), limits.streams);
    return streams_new(e, &limits);
}

struct dns_server *dns_server_new(struct engine *e, const struct resolver *self, size_t n,
                                  size_t files)
{
    struct dns_server *s = calloc(1, sizeof *s);
    struct streams *streams = make_streams(e, files);
    if (!s || !streams) {
        free(s);
        streams_free(streams);
        return NULL;
    }
    s->engine = e;
    s->streams = streams;
    s->n_self = MIN(n, RESOLVERS_MAX);
    if (s->n_self)
        memcpy(s->self, self, s->n_self * sizeof *self);
    return s;
}

void dns_server_free(struct dns_server *s)
{
    for (size_t i = 0; s && i < s->n_udp; i++)
        event_free(s->udp[i].readable);
    if (s)
        streams_free(s->streams);
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

void dns_server_stream(struct dns_server *s, int fd, const struct flow_key *flow,
                       struct process *process, bool loopback)
{
    const struct stream_start start = {
        .fd = fd, .flow = *flow, .process = process, .self = is_self(s, flow, loopback)};
    stream_serve(s->streams, &start);
}

void dns_server_take(struct dns_server *s, int fd, const struct flow_key *flow,
                     struct process *process, const void *said, size_t len)
{
    const struct stream_start start = {.fd = fd,
                                       .flow = *flow,
                                       .process = process,
                                       .self = is_self(s, flow, false),
                                       .said = said,
                                       .said_len = len};
    stream_serve(s->streams, &start);
}
