/* SPDX-License-Identifier: MIT
 * The datagrams of a flow, both ways, in batches. Nothing is kept: what the other side does not
 * take at once is lost, as on any wire. What has the form of a DNS query never goes through a flow:
 * it is judged as DNS, and its answer comes from the address that was asked. */
#include "udp/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "attribution/who.h"
#include "dns/exchange.h"
#include "dns/wire_form.h"
#include "setup/gate.h"

enum {
    BATCH = 16,
    ROUNDS = 4, /* batches in one turn of the loop */
    ROOM = 65536,
};

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t room[BATCH][ROOM];
};

struct batch *batch_new(void)
{
    struct batch *b = calloc(1, sizeof *b);
    for (size_t i = 0; b && i < BATCH; i++) {
        b->in_iov[i] = (struct iovec){b->room[i], ROOM};
        b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_iov[i], .msg_iovlen = 1};
    }
    return b;
}

/* How many datagrams were there, or a negative errno. */
static int read_batch(struct batch *b, int fd)
{
    int n;
    for (size_t i = 0; i < BATCH; i++)
        b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
                                           .msg_namelen = sizeof b->from[i],
                                           .msg_iov = &b->in_iov[i],
                                           .msg_iovlen = 1};
    do
        n = recvmmsg(fd, b->in, BATCH, MSG_DONTWAIT, NULL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Sends the first n of `out`; returns the bytes that went. An error is an answer to an earlier
 * datagram (ICMP) or means this one alone; *refused: nobody is there. */
static uint64_t send_batch(struct batch *b, int fd, unsigned n, bool *refused)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n && !*refused;) {
        int sent = sendmmsg(fd, b->out + i, n - i, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0 && errno == EINTR)
            continue;
        *refused = sent < 0 && errno == ECONNREFUSED;
        for (int k = 0; k < sent; k++)
            bytes += b->out[i + (unsigned)k].msg_len;
        i += sent < 0 ? 1 : (unsigned)sent;
    }
    return bytes;
}

static void on_answer(void *context, const void *message, size_t len)
{
    struct flow *f = context;
    f->holds--;
    if (f->gate_fd >= 0 && len)
        (void)send(f->gate_fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    flow_release(f);
}

static void ask(struct flow *f, const void *query, size_t len)
{
    struct udp *u = f->udp;
    f->holds++;
    const struct exchange_options o = {
        .engine = u->engine,
        .flow = f->subject.flow,
        .process = f->subject.process ? process_ref(f->subject.process) : NULL,
        .query = query,
        .len = len,
        .reply = on_answer,
        .context = f};
    exchange_start(&o);
}

/* Whether it came from the flow's client; its socket takes no other's, and this is the proof. */
static bool is_ours(const struct flow *f, const struct msghdr *m)
{
    const struct sockaddr_in *from = m->msg_name;
    return !(m->msg_flags & MSG_TRUNC) && from->sin_addr.s_addr == f->subject.flow.src_ip &&
           ntohs(from->sin_port) == f->subject.flow.src_port;
}

/* Passes n datagrams of the client on; what is DNS is taken out. */
static void take_up(struct flow *f, unsigned n)
{
    struct batch *b = f->udp->batch;
    unsigned n_out = 0;
    bool refused = false;
    for (unsigned i = 0; i < n; i++) {
        const size_t len = b->in[i].msg_len;
        if (!is_ours(f, &b->in[i].msg_hdr))
            continue;
        if (dns_has_query_form(b->room[i], len))
            ask(f, b->room[i], len);
        else
            b->out_iov[n_out++] = (struct iovec){b->room[i], len};
    }
    f->accepted -= MIN(f->accepted, n);
    f->bytes_up += send_batch(b, f->server_fd, n_out, &refused);
    udp_table_use(f->udp->table, &f->entry, flow_now_ms(), f->entry.idle_ms);
    if (refused)
        flow_refused(f);
}

/* One batch: how many datagrams were passed on, or a negative errno where none were. *gone: the
 * client has closed its socket. */
static int pump_up_once(struct flow *f, bool *gone)
{
    const struct who *w = f->udp->engine->who;
    /* A port is used again, a socket is shared: asked before anything is read, and again for what
     * came meanwhile, which is lost. */
    bool still = who_still(w, &f->subject.flow, f->subject.process);
    int n = still ? read_batch(f->udp->batch, f->gate_fd) : -EOWNERDEAD;
    if (n > 0)
        still = who_still(w, &f->subject.flow, f->subject.process);
    *gone = *gone || n == -ECONNREFUSED;
    if (!still) {
        flow_judge_again(f);
        return -EOWNERDEAD;
    }
    if (n > 0)
        take_up(f, (unsigned)n);
    return n;
}

/* A batch that is not full leaves nothing behind but what came meanwhile, or an error: epoll tells
 * of both. Only who ends the flow afterwards has to read to_end. */
static bool may_have_more(int n, bool to_end)
{
    return n == BATCH || n == -ECONNREFUSED || (to_end && n > 0);
}

static bool pump_up(struct flow *f, bool to_end)
{
    bool gone = false, more = true;
    f->holds++;
    for (int i = 0; i < ROUNDS && more && f->state == FLOW_OPEN; i++) {
        const int n = pump_up_once(f, &gone);
        more = may_have_more(n, to_end || gone);
    }
    if (gone && !more && f->state == FLOW_OPEN)
        flow_end(f, NULL);
    more = more && f->state == FLOW_OPEN;
    f->holds--;
    flow_release(f);
    return more;
}

void flow_pump_up(struct flow *f)
{
    (void)pump_up(f, false);
}

bool flow_empty(struct flow *f)
{
    return pump_up(f, true);
}

/* Passes n datagrams of the server on. */
static void take_down(struct flow *f, unsigned n)
{
    struct batch *b = f->udp->batch;
    bool refused = false; /* by the client: its side says so too */
    for (unsigned i = 0; i < n; i++)
        b->out_iov[i] = (struct iovec){b->room[i], b->in[i].msg_len};
    f->bytes_down += send_batch(b, f->gate_fd, n, &refused);
    udp_table_use(f->udp->table, &f->entry, flow_now_ms(), FLOW_IDLE);
    if (!refused)
        return;
    (void)flow_empty(f); /* whoever has its port now may have sent something */
    if (f->state == FLOW_OPEN)
        flow_end(f, NULL);
}

void flow_pump_down(struct flow *f)
{
    bool refused = false, more = true;
    f->holds++;
    for (int i = 0; i < ROUNDS && f->state == FLOW_OPEN && more; i++) {
        const int n = read_batch(f->udp->batch, f->server_fd);
        refused = refused || n == -ECONNREFUSED; /* what it said before is delivered still */
        if (n > 0)
            take_down(f, (unsigned)n);
        more = may_have_more(n, refused);
    }
    if (refused && f->state == FLOW_OPEN)
        flow_refused(f);
    f->holds--;
    flow_release(f);
}
