/* SPDX-License-Identifier: MIT
 * Sockets of allowed UDP flows in the gate, on the running kernel: such a flow passes to its socket
 * without the queue for as long as that stands; nobody else's packet ever does. */
#include <stdio.h>

#include "base/fd.h"
#include "intercept/queue.h"
#include "unit/gate_live.h"

enum { SERVER = 0x09090909, PORT = 9000, SEEN_MAX = 64, LARGEST = 65507 };

struct seen {
    struct packet packets[SEEN_MAX];
    size_t n, taken;
};

static void remember(void *context, const struct packet *p)
{
    struct seen *seen = context;
    if (seen->n < SEEN_MAX)
        seen->packets[seen->n++] = *p;
}

static struct queue *open_queue(const struct gate *g, struct seen *seen)
{
    struct queue *q = NULL;
    struct error error = {0};
    assert_int_equal(setns(g->gate_ns, CLONE_NEWNET), 0);
    int code = queue_open(GATE_QUEUE, remember, seen, &q, &error);
    assert_int_equal(setns(g->host_ns, CLONE_NEWNET), 0);
    if (code < 0)
        fail_msg("%s", error.text);
    return q;
}

static const struct packet *next_packet(struct queue *q, struct seen *seen)
{
    while (seen->n == seen->taken) {
        assert_true(readable(queue_fd(q)));
        assert_int_equal(queue_read(q), 0);
    }
    return &seen->packets[seen->taken++];
}

static int open_flow(const struct gate *g, const struct packet *p)
{
    const struct gate_flow flow = {p->dst_ip, p->dst_port, p->src_port};
    int fd;
    assert_int_equal(gate_open_udp(g, &flow, 1, &fd), 0);
    assert_true(fd >= 0);
    return fd;
}

/* What waits at a socket of a flow, and from which port. */
static size_t take(int fd, void *data, size_t size, uint16_t *port)
{
    struct sockaddr_in from = {0};
    socklen_t len = sizeof from;
    assert_true(readable(fd));
    ssize_t n = recvfrom(fd, data, size, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    assert_true(n >= 0);
    assert_int_equal(ntohl(from.sin_addr.s_addr), GATE_CLIENT_IP);
    *port = ntohs(from.sin_port);
    return (size_t)n;
}

/* Does one thing a word: sends from its first or second socket, or waits for an answer. */
static int body_speaker(int parent)
{
    char word;
    int fds[] = {connected(SOCK_DGRAM, SERVER, PORT), connected(SOCK_DGRAM, SERVER, PORT)};
    static char text[LARGEST];
    while (recv(parent, &word, 1, 0) == 1) {
        ssize_t n = 1;
        if (word == 'a' || word == 'b')
            n = send(fds[word - 'a'], &word, 1, 0);
        else if (word == 'L')
            n = send(fds[0], text, sizeof text, 0);
        else
            n = readable(fds[0]) ? recv(fds[0], text, sizeof text, 0) : -1;
        const int32_t said = n < 0 ? -errno : (int32_t)n;
        if (send(parent, &said, sizeof said, 0) != sizeof said)
            return 1;
    }
    return 0;
}

static int tell(struct client *c, char word)
{
    int32_t said = 0;
    assert_int_equal(send(c->fd, &word, 1, 0), 1);
    assert_int_equal(recv(c->fd, &said, sizeof said, 0), sizeof said);
    return said;
}

static void test_flow_is_queued_until_its_socket_stands(void **state)
{
    (void)state;
    char text[16];
    uint16_t port = 0;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_speaker);
    assert_int_equal(tell(&c, 'a'), 1);
    const struct packet first = *next_packet(q, &seen);
    int fd = open_flow(&g, &first);
    assert_int_equal(queue_verdict(q, first.id, QUEUE_ACCEPT), 0);
    assert_int_equal(take(fd, text, sizeof text, &port), 1);
    assert_int_equal(port, first.src_port);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(tell(&c, 'a'), 1);
        assert_int_equal(take(fd, text, sizeof text, &port), 1);
    }
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, 1); /* one verdict for all of it */
    assert_int_equal(send(fd, "answer", 6, 0), 6);
    assert_int_equal(tell(&c, 'r'), 6); /* its socket is connected: the source is right */
    close(fd);
    assert_int_equal(tell(&c, 'a'), 1);
    const struct packet again = *next_packet(q, &seen);
    assert_int_equal(again.src_port, first.src_port);
    assert_int_equal(queue_verdict(q, again.id, QUEUE_DROP), 0);
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

static void test_another_port_is_another_flow(void **state)
{
    (void)state;
    char text[16];
    uint16_t port = 0;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_speaker);
    assert_int_equal(tell(&c, 'a'), 1);
    const struct packet first = *next_packet(q, &seen);
    CLEANUP_FD int fd = open_flow(&g, &first);
    assert_int_equal(queue_verdict(q, first.id, QUEUE_ACCEPT), 0);
    assert_int_equal(take(fd, text, sizeof text, &port), 1);
    assert_int_equal(tell(&c, 'b'), 1);
    const struct packet second = *next_packet(q, &seen);
    assert_int_not_equal(second.src_port, first.src_port);
    /* Accepted without a socket of its own it comes to nobody. */
    assert_int_equal(queue_verdict(q, second.id, QUEUE_ACCEPT), 0);
    assert_int_equal(tell(&c, 'a'), 1);
    assert_int_equal(take(fd, text, sizeof text, &port), 1);
    assert_int_equal(text[0], 'a');
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    CLEANUP_FD int other = open_flow(&g, &second); /* beside the first, at one address */
    assert_int_equal(tell(&c, 'b'), 1);
    assert_int_equal(take(other, text, sizeof text, &port), 1);
    assert_int_equal(port, second.src_port);
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

static void test_refused_stays_refused_beside_a_socket(void **state)
{
    (void)state;
    char text[16];
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_speaker);
    assert_int_equal(tell(&c, 'a'), 1);
    const struct packet first = *next_packet(q, &seen);
    CLEANUP_FD int fd = open_flow(&g, &first);
    assert_int_equal(queue_verdict(q, first.id, QUEUE_REJECT), 0);
    assert_int_equal(tell(&c, 'r'), -ECONNREFUSED);
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

static void test_largest_datagram_both_ways(void **state)
{
    (void)state;
    static char text[LARGEST + 1];
    uint16_t port = 0;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_speaker);
    assert_int_equal(tell(&c, 'L'), LARGEST);
    const struct packet first = *next_packet(q, &seen);
    assert_int_equal(first.length, 20 + 8 + LARGEST);
    CLEANUP_FD int fd = open_flow(&g, &first);
    assert_int_equal(queue_verdict(q, first.id, QUEUE_ACCEPT), 0);
    assert_int_equal(take(fd, text, sizeof text, &port), LARGEST);
    assert_int_equal(send(fd, text, LARGEST, 0), LARGEST);
    assert_int_equal(tell(&c, 'r'), LARGEST);
    assert_int_equal(tell(&c, 'L'), LARGEST);
    assert_int_equal(take(fd, text, sizeof text, &port), LARGEST);
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

/* One that is never allowed, sent while sockets of the allowed flow come and go. */
static int body_knocker(int parent)
{
    char go;
    CLEANUP_FD int fd = connected(SOCK_DGRAM, SERVER, PORT);
    const uint16_t port = own_port(fd);
    if (send(parent, &port, sizeof port, 0) != sizeof port)
        return 1;
    while (recv(parent, &go, 1, MSG_DONTWAIT) < 0)
        if (send(fd, "knock", 5, 0) < 0 && errno != ECONNREFUSED)
            return 2;
    return 0;
}

static void test_no_stranger_slips_into_a_new_socket(void **state)
{
    (void)state;
    char text[16];
    uint16_t knocker = 0;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_knocker); /* nobody reads the queue: it drops */
    assert_int_equal(recv(c.fd, &knocker, sizeof knocker, 0), sizeof knocker);
    const struct gate_flow flow = {SERVER, PORT, knocker == 4000 ? 4001 : 4000};
    for (int i = 0; i < 3000; i++) {
        CLEANUP_FD int fd = -1;
        assert_int_equal(gate_open_udp(&g, &flow, 1, &fd), 0);
        assert_true(fd >= 0);
        assert_int_equal(recv(fd, text, sizeof text, 0), -1);
        assert_int_equal(errno, EAGAIN);
    }
    assert_int_equal(send(c.fd, "q", 1, 0), 1);
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

/* The client's socket is gone when the answer comes: its kernel says so, to the flow's socket. */
static int body_leaver(int parent)
{
    char go;
    int fd = connected(SOCK_DGRAM, SERVER, PORT);
    if (send(fd, "x", 1, 0) != 1)
        return 1;
    close(fd);
    return send(parent, "g", 1, 0) == 1 && recv(parent, &go, 1, 0) == 1 ? 0 : 2;
}

static void test_client_that_left_is_told(void **state)
{
    (void)state;
    char text[16];
    uint16_t port = 0;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_leaver);
    const struct packet first = *next_packet(q, &seen);
    CLEANUP_FD int fd = open_flow(&g, &first);
    assert_int_equal(queue_verdict(q, first.id, QUEUE_ACCEPT), 0);
    assert_int_equal(take(fd, text, sizeof text, &port), 1);
    assert_int_equal(recv(c.fd, text, sizeof text, 0), 1); /* its socket is closed */
    assert_int_equal(send(fd, "late", 4, 0), 4);
    assert_true(readable(fd));
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, 1); /* and nobody is asked about that */
    assert_int_equal(send(c.fd, "q", 1, 0), 1);
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

/* Of the network namespace that this process is in. */
static int own_cookie(uint64_t *out)
{
    socklen_t len = sizeof *out;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, out, &len);
}

static void test_flows_that_cannot_be(void **state)
{
    (void)state;
    static const struct gate_flow table[] = {
        {GATE_IP, 9000, 4000},    {GATE_CLIENT_IP, 9000, 4000},
        {0xc0000003, 9000, 4000}, {0x7f000001, 9000, 4000},
        {0, 9000, 4000},          {0x00000001, 9000, 4000},
        {0xe0000001, 9000, 4000}, {0xffffffff, 9000, 4000},
        {SERVER, 53, 4000},       {SERVER, 0, 4000},
        {SERVER, 9000, 0},        {0xf0000001, 9000, 4000},
    };
    /* One that can be, among them, stands; and the caller is back where it was. */
    static const struct gate_flow pair[] = {{SERVER, 53, 4000}, {SERVER, 9000, 4000}};
    int out[ARRAY_SIZE(table)];
    uint64_t before = 0, after = 0;
    struct gate g = open_gate();
    assert_int_equal(own_cookie(&before), 0);
    assert_int_equal(gate_open_udp(&g, table, ARRAY_SIZE(table), out), 0);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        assert_int_equal(out[i], -EINVAL);
    assert_int_equal(gate_open_udp(&g, pair, 2, out), 0);
    assert_int_equal(out[0], -EINVAL);
    assert_true(out[1] >= 0);
    close(out[1]);
    assert_int_equal(own_cookie(&after), 0);
    assert_true(before && before == after);
    gate_close(&g);
}

static const struct unit_test tests[] = {
    REPORT("-", test_flow_is_queued_until_its_socket_stands),
    REPORT("B16", test_another_port_is_another_flow),
    REPORT("-", test_refused_stays_refused_beside_a_socket),
    REPORT("B13", test_largest_datagram_both_ways),
    REPORT("-", test_no_stranger_slips_into_a_new_socket),
    REPORT("-", test_client_that_left_is_told),
    REPORT("B09", test_flows_that_cannot_be),
};

int main(void)
{
    return can_run(tests, ARRAY_SIZE(tests)) ? unit_run(tests, ARRAY_SIZE(tests)) : 0;
}
