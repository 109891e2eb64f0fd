/* SPDX-License-Identifier: MIT
 * One NFQUEUE, by libnetfilter_queue's messages over a libmnl socket of our own, so that every
 * read is bounded and a process under a tight seccomp filter needs recvfrom and sendto only. */
#include "intercept/queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "setup/gate.h"

enum {
    COPY_BYTES = 128,   /* the longest IPv4 header, and the upper header behind it */
    WAITING_MAX = 1024, /* packets in the kernel's queue; more are dropped there */
    RECEIVE_BYTES = 1 << 20,
    MESSAGES_A_READ = 256, /* so that a flood leaves the loop time for others */
    CONFIG_MAX = 256,
    VERDICT_MAX = 128,
    PACKET_MAX = 4096, /* headers, attributes and COPY_BYTES fit many times */
};

struct queue {
    struct mnl_socket *socket;
    void (*seen)(void *context, const struct packet *p);
    void *context;
    uint16_t number;
};

/* One datagram of the kernel's; -EAGAIN when none is there. */
static ssize_t receive(const struct queue *q, char *buffer, size_t size)
{
    struct sockaddr_nl from = {0};
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(queue_fd(q), buffer, size, MSG_DONTWAIT | MSG_TRUNC,
                         (struct sockaddr *)&from, &len);
    if (n < 0)
        return -errno;
    if ((size_t)n > size)
        return -EMSGSIZE;
    return from.nl_pid == 0 ? n : 0; /* other processes can write to this socket too */
}

static int send_message(const struct queue *q, const struct nlmsghdr *m)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n =
        sendto(queue_fd(q), m, m->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    return n < 0 ? -errno : 0;
}

static void handle_packet(struct queue *q, const struct nlmsghdr *m)
{
    struct nlattr *attributes[NFQA_MAX + 1] = {0};
    if (nfq_nlmsg_parse(m, attributes) < 0 || !attributes[NFQA_PACKET_HDR])
        return;
    const struct nfqnl_msg_packet_hdr *header = mnl_attr_get_payload(attributes[NFQA_PACKET_HDR]);
    const struct nlattr *payload = attributes[NFQA_PAYLOAD];
    uint32_t id = ntohl(header->packet_id);
    struct packet packet;
    int code = -EBADMSG;
    if (payload)
        code =
            packet_read(mnl_attr_get_payload(payload), mnl_attr_get_payload_len(payload), &packet);
    packet.id = id;
    if (code < 0 || !q->seen) {
        code =
            queue_verdict(q, id, QUEUE_DROP); /* failing that, the packet waits and goes nowhere */
        return;
    }
    q->seen(q->context, &packet);
}

/* Each message of one datagram. Errors are the kernel's answers to requests that asked for none:
 * a verdict on a packet that is gone (the device went down), which changes nothing. */
static void handle(struct queue *q, const char *data, size_t size)
{
    const uint16_t type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
    int left = (int)size;
    const struct nlmsghdr *m = (const struct nlmsghdr *)data;
    while (mnl_nlmsg_ok(m, left)) {
        if (m->nlmsg_type == type)
            handle_packet(q, m);
        m = mnl_nlmsg_next(m, &left);
    }
}

/* The acknowledgement of the one request that asks for one. */
static int await_answer(struct queue *q)
{
    _Alignas(struct nlmsghdr) char buffer[PACKET_MAX];
    for (int i = 0; i < MESSAGES_A_READ; i++) {
        ssize_t n = receive(q, buffer, sizeof buffer);
        if (n < 0)
            return (int)n;
        const struct nlmsghdr *m = (const struct nlmsghdr *)buffer;
        if (!mnl_nlmsg_ok(m, (int)n))
            continue;
        if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof(int))
            return *(const int *)mnl_nlmsg_get_payload(m);
        handle(q, buffer, (size_t)n);
    }
    return -EBUSY;
}

/* Bound and configured by one message: no packet comes before the settings are in force. */
static int configure(struct queue *q)
{
    _Alignas(struct nlmsghdr) char buffer[CONFIG_MAX];
    struct nlmsghdr *m = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, q->number);
    m->nlmsg_flags |= NLM_F_ACK;
    nfq_nlmsg_cfg_put_cmd(m, AF_INET, NFQNL_CFG_CMD_BIND);
    nfq_nlmsg_cfg_put_params(m, NFQNL_COPY_PACKET, COPY_BYTES);
    nfq_nlmsg_cfg_put_qmaxlen(m, WAITING_MAX);
    int code = send_message(q, m);
    return code < 0 ? code : await_answer(q);
}

int queue_open(uint16_t number, void (*seen)(void *context, const struct packet *p), void *context,
               struct queue **out, struct error *error)
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return error_set(error, -ENOMEM, "cannot make packet queue %u", number);
    q->context = context;
    q->number = number;
    q->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!q->socket || mnl_socket_bind(q->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int code =
            error_set(error, -errno, "cannot make the netlink socket of packet queue %u", number);
        queue_close(q);
        return code;
    }
    const int size = RECEIVE_BYTES;
    if (setsockopt(queue_fd(q), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(queue_fd(q), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    int code = configure(q); /* what comes before `seen` is set is dropped: *out is not known yet */
    if (code < 0) {
        error_set(error, code, "cannot bind to packet queue %u", number);
        queue_close(q);
        return code;
    }
    q->seen = seen;
    *out = q;
    return 0;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    if (q->socket)
        mnl_socket_close(q->socket);
    free(q);
}

int queue_fd(const struct queue *q)
{
    return mnl_socket_get_fd(q->socket);
}

int queue_read(struct queue *q)
{
    _Alignas(struct nlmsghdr) char buffer[PACKET_MAX];
    for (int i = 0; i < MESSAGES_A_READ; i++) {
        ssize_t n = receive(q, buffer, sizeof buffer);
        if (n == -EAGAIN)
            return 0;
        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        handle(q, buffer, (size_t)n);
    }
    return 1;
}

int queue_drop_up_to(struct queue *q, uint32_t id)
{
    _Alignas(struct nlmsghdr) char buffer[VERDICT_MAX];
    struct nlmsghdr *m = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT_BATCH, q->number);
    nfq_nlmsg_verdict_put(m, (int)id, NF_DROP);
    return send_message(q, m);
}

int queue_verdict(struct queue *q, uint32_t id, enum queue_verdict v)
{
    static const int actions[] = {
        [QUEUE_DROP] = NF_DROP,
        [QUEUE_REJECT] = NF_REPEAT, /* the rules see it once more, by its mark refused */
        [QUEUE_ACCEPT] = NF_ACCEPT,
    };
    if ((size_t)v >= ARRAY_SIZE(actions))
        return -EINVAL;
    _Alignas(struct nlmsghdr) char buffer[VERDICT_MAX];
    struct nlmsghdr *m = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT, q->number);
    nfq_nlmsg_verdict_put(m, (int)id, actions[v]);
    if (v == QUEUE_REJECT)
        nfq_nlmsg_verdict_put_mark(m, GATE_MARK_REJECT);
    return send_message(q, m);
}
