/* SPDX-License-Identifier: MIT
 * The gate's queue on the running kernel: whatever is neither TCP nor DNS is seen once, whole, and
 * goes no further than its verdict. */
#include <cap-ng.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdio.h>

#include "base/fd.h"
#include "intercept/queue.h"
#include "unit/gate_live.h"

#ifndef PACKET_QDISC_BYPASS
#define PACKET_QDISC_BYPASS 20
#endif

enum { SERVER = 0x09090909, RESOLVER = 0x01020304, STRANGER = 0x0a000009, SEEN_MAX = 32 };

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

/* In their order: one read may bring several. */
static const struct packet *next_packet(struct queue *q, struct seen *seen)
{
    while (seen->n == seen->taken) {
        assert_true(readable(queue_fd(q)));
        assert_int_equal(queue_read(q), 0);
    }
    return &seen->packets[seen->taken++];
}

/* The errno that waits at a connected socket after each datagram. */
static int body_udp(int parent)
{
    char go;
    CLEANUP_FD int fd = connected(SOCK_DGRAM, SERVER, 123);
    uint16_t port = own_port(fd);
    if (fd < 0 || send(parent, &port, sizeof port, 0) != sizeof port)
        return 1;
    for (int i = 0; i < 3; i++) {
        int error = 0;
        socklen_t len = sizeof error;
        if (send(fd, "time", 4, 0) != 4 || recv(parent, &go, 1, 0) != 1)
            return 2;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (go == 'r' && poll(&p, 1, PATIENCE_MS) != 1)
            return 3;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ||
            error != (go == 'r' ? ECONNREFUSED : 0))
            return 4;
    }
    return 0;
}

static void test_udp_gets_its_verdict(void **state)
{
    (void)state;
    static const struct {
        enum queue_verdict verdict;
        char go;
    } table[] = {{QUEUE_REJECT, 'r'}, {QUEUE_DROP, 'd'}, {QUEUE_REJECT, 'r'}};
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_udp);
    uint16_t port = 0;
    assert_int_equal(recv(c.fd, &port, sizeof port, 0), sizeof port);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct packet *p = next_packet(q, &seen);
        assert_int_equal(p->proto, IPPROTO_UDP);
        assert_int_equal(p->src_ip, GATE_CLIENT_IP);
        assert_int_equal(p->dst_ip, SERVER);
        assert_int_equal(p->src_port, port);
        assert_int_equal(p->dst_port, 123);
        assert_int_equal(p->length, 20 + 8 + 4);
        assert_int_equal(queue_verdict(q, p->id, table[i].verdict), 0);
        assert_int_equal(send(c.fd, &table[i].go, 1, 0), 1);
    }
    assert_int_equal(client_end(&c), 0);
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, ARRAY_SIZE(table)); /* a refused packet is not queued again */
    assert_int_equal(queue_verdict(q, 12345, QUEUE_DROP), 0);
    assert_int_equal(queue_read(q), 0); /* an unknown id harms nobody */
    queue_close(q);
    gate_close(&g);
}

static const uint8_t odd_protocols[] = {IPPROTO_ICMP, IPPROTO_SCTP,    IPPROTO_GRE, IPPROTO_IPIP,
                                        IPPROTO_DCCP, IPPROTO_UDPLITE, 253};

static int send_ping(void)
{
    const struct icmphdr echo = {.type = ICMP_ECHO};
    const struct sockaddr_in to = address_of(SERVER, 0);
    FILE *f = fopen("/proc/sys/net/ipv4/ping_group_range", "w");
    if (!f || fputs("0 0", f) < 0 || fclose(f) != 0)
        return 1;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    return sendto(fd, &echo, sizeof echo, 0, (const struct sockaddr *)&to, sizeof to) > 0 ? 0 : 2;
}

static int body_odd(int parent)
{
    (void)parent;
    const struct sockaddr_in to = address_of(SERVER, 0);
    const uint8_t payload[16] = {ICMP_ECHO, 0, 0, 53, 0, 16};
    for (size_t i = 0; i < ARRAY_SIZE(odd_protocols); i++) {
        CLEANUP_FD int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, odd_protocols[i]);
        if (sendto(fd, payload, sizeof payload, 0, (const struct sockaddr *)&to, sizeof to) < 0)
            return 10 + (int)i;
    }
    return send_ping();
}

static void test_other_protocols_are_queued(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_odd);
    for (size_t i = 0; i <= ARRAY_SIZE(odd_protocols); i++) {
        const struct packet *p = next_packet(q, &seen);
        assert_int_equal(p->proto, i < ARRAY_SIZE(odd_protocols) ? odd_protocols[i] : IPPROTO_ICMP);
        assert_int_equal(p->dst_ip, SERVER);
        assert_int_equal(p->icmp_type, p->proto == IPPROTO_ICMP ? ICMP_ECHO : 0);
        assert_int_equal(p->src_port, p->proto == IPPROTO_UDPLITE ? ICMP_ECHO << 8 : 0);
        assert_int_equal(queue_verdict(q, p->id, QUEUE_DROP), 0);
    }
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

/* A UDP datagram with its IP header, as a raw socket or a frame carries it. */
struct datagram {
    struct iphdr ip;
    struct udphdr udp;
    char text[8];
};

static uint16_t checksum(const struct iphdr *header)
{
    const uint16_t *words = (const uint16_t *)header;
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof *header / 2; i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static struct datagram datagram(uint32_t from, uint32_t to, uint16_t port, uint16_t fragment)
{
    struct datagram d = {
        .ip = {.version = 4,
               .ihl = 5,
               .tot_len = htons(sizeof d),
               .id = htons(77),
               .frag_off = htons(fragment),
               .ttl = 64,
               .protocol = IPPROTO_UDP,
               .saddr = htonl(from),
               .daddr = htonl(to)},
        .udp = {.uh_sport = htons(4000), .uh_dport = htons(port), .uh_ulen = htons(16)},
    };
    d.ip.check = checksum(&d.ip);
    return d;
}

static int send_raw(const struct datagram *d)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = d->ip.daddr};
    CLEANUP_FD int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    return sendto(fd, d, sizeof *d, 0, (const struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}

static int send_frame(const struct datagram *d, int bypass)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_ifindex = (int)if_nametoindex("egress0"),
                             .sll_halen = ETH_ALEN};
    memset(to.sll_addr, 0xff, ETH_ALEN);
    CLEANUP_FD int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof bypass) < 0)
        return -1;
    return sendto(fd, d, sizeof *d, 0, (const struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}

/* Frames reach the queue like packets of a socket do. */
static int body_frames(int parent)
{
    (void)parent;
    struct datagram d = datagram(GATE_CLIENT_IP, SERVER, 123, 0);
    return send_frame(&d, 0) < 0 || send_frame(&d, 1) < 0 ? 1 : 0;
}

static void test_frames_are_queued(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_frames);
    for (int i = 0; i < 2; i++) {
        const struct packet *p = next_packet(q, &seen);
        assert_int_equal(p->dst_ip, SERVER);
        assert_int_equal(p->dst_port, 123);
        assert_int_equal(queue_verdict(q, p->id, QUEUE_DROP), 0);
    }
    assert_int_equal(client_end(&c), 0);
    queue_close(q);
    gate_close(&g);
}

/* A handshake over the wire: addresses are resolved, and what was sent before is behind it. */
static bool went_through(void)
{
    CLEANUP_FD int fd = connected(SOCK_STREAM, SERVER, 80);
    return fd >= 0;
}

/* DNS by way of another host: the sender names the route. */
static int send_source_routed(void)
{
    const uint8_t route[] = {IPOPT_LSRR, 7, 4, 8, 8, 8, 8, IPOPT_END};
    const struct sockaddr_in to = address_of(SERVER, 53);
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof route) < 0)
        return -1;
    return sendto(fd, "routed", 6, 0, (const struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}

/* What must not arrive goes first, to the queue's way and the resolver's; packets keep their order,
 * so the honest ones that follow show that the others did not come. */
static int body_forged(int parent)
{
    (void)parent;
    static const uint16_t ports[] = {53, 123};
    if (!went_through() || send_source_routed() < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        struct datagram forged = datagram(STRANGER, SERVER, ports[i], 0);
        struct datagram gate = datagram(GATE_IP, SERVER, ports[i], 0);
        struct datagram piece = datagram(GATE_CLIENT_IP, SERVER, ports[i], IP_MF);
        struct datagram late = datagram(GATE_CLIENT_IP, SERVER, ports[i], 100);
        struct datagram honest = datagram(GATE_CLIENT_IP, SERVER, ports[i], 0);
        if (send_raw(&forged) < 0 || send_raw(&gate) < 0 || send_raw(&piece) < 0 ||
            send_raw(&late) < 0 || send_raw(&honest) < 0)
            return 10 + (int)i;
    }
    return 0;
}

static void test_forged_sources_and_lone_fragments_end_here(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_forged);
    const struct packet *p = next_packet(q, &seen);
    assert_int_equal(client_end(&c), 0);
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(p->src_ip, GATE_CLIENT_IP);
    assert_int_equal(p->dst_port, 123);
    struct sockaddr_in from = {0};
    socklen_t len = sizeof from;
    char text[16];
    assert_true(readable(g.dns_udp));
    assert_int_equal(recvfrom(g.dns_udp, text, sizeof text, 0, (struct sockaddr *)&from, &len), 8);
    assert_int_equal(ntohl(from.sin_addr.s_addr), GATE_CLIENT_IP);
    assert_int_equal(recv(g.dns_udp, text, sizeof text, 0), -1);
    queue_close(q);
    gate_close(&g);
}

/* Larger than the wire: the kernel cuts it into pieces. */
static int body_large(int parent)
{
    (void)parent;
    static const char text[4000];
    CLEANUP_FD int dns = connected(SOCK_DGRAM, RESOLVER, 53);
    CLEANUP_FD int other = connected(SOCK_DGRAM, SERVER, 123);
    return send(dns, text, sizeof text, 0) == sizeof text &&
                   send(other, text, sizeof text, 0) == sizeof text
               ? 0
               : 1;
}

static void test_fragments_are_judged_as_one(void **state)
{
    (void)state;
    static char text[5000];
    struct seen seen = {0};
    struct gate g = open_gate();
    struct queue *q = open_queue(&g, &seen);
    struct client c = client_start(&g, body_large);
    const struct packet *p = next_packet(q, &seen);
    assert_int_equal(client_end(&c), 0);
    assert_int_equal(p->length, 4028);
    assert_int_equal(p->dst_port, 123);
    assert_int_equal(queue_verdict(q, p->id, QUEUE_DROP), 0);
    assert_int_equal(queue_read(q), 0);
    assert_int_equal(seen.n, 1);
    assert_true(readable(g.dns_udp));
    assert_int_equal(recv(g.dns_udp, text, sizeof text, 0), 4000);
    queue_close(q);
    gate_close(&g);
}

static int body_unread(int parent)
{
    char go;
    CLEANUP_FD int fd = connected(SOCK_DGRAM, SERVER, 123);
    if (!went_through() || send(fd, "lost", 4, 0) != 4 || !went_through())
        return 1;
    if (send(parent, "s", 1, 0) != 1 || recv(parent, &go, 1, 0) != 1)
        return 2;
    return send(fd, "seen it", 7, 0) == 7 ? 0 : 3;
}

static void test_closed_while_nobody_reads(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct gate g = open_gate();
    struct client c = client_start(&g, body_unread);
    char sent;
    assert_int_equal(recv(c.fd, &sent, 1, 0), 1);
    struct queue *q = open_queue(&g, &seen);
    assert_int_equal(send(c.fd, "g", 1, 0), 1);
    assert_int_equal(next_packet(q, &seen)->length, 20 + 8 + 7);
    assert_int_equal(client_end(&c), 0);
    struct queue *second = NULL;
    struct error error = {0};
    assert_int_equal(setns(g.gate_ns, CLONE_NEWNET), 0);
    int code = queue_open(GATE_QUEUE, remember, &seen, &second, &error);
    assert_int_equal(setns(g.host_ns, CLONE_NEWNET), 0);
    assert_int_equal(code, -EPERM); /* the queue has one reader */
    assert_null(second);
    queue_close(q);
    queue_close(NULL);
    gate_close(&g);
}

static int body_refused(int parent)
{
    char go;
    CLEANUP_FD int fd = connected(SOCK_DGRAM, SERVER, 123);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (recv(parent, &go, 1, 0) != 1 || send(fd, "time", 4, 0) != 4)
        return 1;
    return poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &go, 1, 0) < 0 && errno == ECONNREFUSED ? 0
                                                                                             : 2;
}

/* The packet process: another user, one capability, in the gate's namespace. */
static int serve_without_rights(const struct gate *g, int ready)
{
    struct seen seen = {0};
    struct queue *q = NULL;
    struct error error;
    if (setns(g->gate_ns, CLONE_NEWNET) < 0)
        return 1;
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0 ||
        capng_change_id(65534, 65534, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
        return 2;
    if (queue_open(GATE_QUEUE, remember, &seen, &q, &error) < 0 || send(ready, "r", 1, 0) != 1)
        return 3;
    while (seen.n == 0) {
        if (!readable(queue_fd(q)) || queue_read(q) < 0)
            return 4;
    }
    int code = queue_verdict(q, seen.packets[0].id, QUEUE_REJECT);
    queue_close(q);
    return code < 0 ? 5 : 0;
}

static void test_one_capability_is_enough(void **state)
{
    (void)state;
    int status = 0;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_refused);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(serve_without_rights(&g, c.fd));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

static const struct unit_test tests[] = {
    REPORT("-", test_udp_gets_its_verdict),
    REPORT("B05", test_other_protocols_are_queued),
    REPORT("B04", test_frames_are_queued),
    REPORT("B13", test_forged_sources_and_lone_fragments_end_here),
    REPORT("B13", test_fragments_are_judged_as_one),
    REPORT("-", test_closed_while_nobody_reads),
    REPORT("-", test_one_capability_is_enough),
};

int main(void)
{
    return can_run(tests, ARRAY_SIZE(tests)) ? unit_run(tests, ARRAY_SIZE(tests)) : 0;
}
