/* SPDX-License-Identifier: MIT
 * Sockets beside those of IP: asked for, and where they are had, used to put whole frames on a
 * wire, past everything that looks at sockets. Says by errno's name how it went. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_QDISC_BYPASS
#define PACKET_QDISC_BYPASS 20
#endif

struct frame {
    uint8_t to[6], from[6];
    uint16_t type;
    struct iphdr ip;
    union {
        struct tcphdr tcp;
        struct udphdr udp;
    };
} __attribute__((packed));

static int fail(const char *what)
{
    printf("%s: %s\n", what, strerrorname_np(errno));
    return 1;
}

static uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
    const uint8_t *p = data;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* The gateway's, from the table of neighbours of the namespace. */
static bool find_gateway(uint8_t mac[6])
{
    char line[256];
    FILE *table = fopen("/proc/net/arp", "re");
    bool found = false;
    while (table && !found && fgets(line, sizeof(line), table))
        found = sscanf(line, "192.0.0.1 %*s %*s %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
                       &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
    if (table)
        fclose(table);
    return found;
}

/* A SYN or an empty datagram from the command's address and a port of its own. */
static size_t fill(struct frame *f, bool tcp, const char *ip, uint16_t port)
{
    const size_t payload = tcp ? sizeof(f->tcp) : sizeof(f->udp);
    f->type = htons(ETHERTYPE_IP);
    f->ip = (struct iphdr){.version = 4,
                           .ihl = 5,
                           .ttl = 64,
                           .protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
                           .tot_len = htons((uint16_t)(sizeof(f->ip) + payload)),
                           .saddr = inet_addr("192.0.0.2"),
                           .daddr = inet_addr(ip)};
    f->ip.check = folded(sum16(&f->ip, sizeof(f->ip), 0));
    if (tcp)
        f->tcp = (struct tcphdr){.source = htons(40999),
                                 .dest = htons(port),
                                 .syn = 1,
                                 .doff = 5,
                                 .window = htons(1024)};
    else
        f->udp = (struct udphdr){
            .source = htons(40999), .dest = htons(port), .len = htons(sizeof(f->udp))};
    const uint32_t pseudo = sum16(&f->ip.saddr, 8, f->ip.protocol + (uint32_t)payload);
    if (tcp)
        f->tcp.check = folded(sum16(&f->tcp, payload, pseudo));
    else
        f->udp.check = folded(sum16(&f->udp, payload, pseudo));
    return offsetof(struct frame, tcp) + payload;
}

/* send DEVICE IP PORT: a SYN and a datagram, each by way of the queue of the device and past it. */
static int frames_send(char **argv)
{
    struct frame f = {.from = {2, 0, 0, 0, 0, 2}};
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_halen = 6};
    at.sll_ifindex = (int)if_nametoindex(argv[0]);
    if (!find_gateway(f.to)) {
        puts("no gateway is known");
        return 2;
    }
    for (int i = 0; i < 4; i++) {
        const int past = i / 2;
        const size_t len = fill(&f, i % 2, argv[1], (uint16_t)strtoul(argv[2], NULL, 10));
        int fd = socket(AF_PACKET, SOCK_RAW, 0);
        if (fd < 0)
            return fail("socket");
        if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &past, sizeof(past)) ||
            sendto(fd, &f, len, 0, (struct sockaddr *)&at, sizeof(at)) != (ssize_t)len)
            return fail("send");
        close(fd);
    }
    puts("sent");
    return 0;
}

/* socket packet|vsock|xdp */
static int frames_socket(char **argv)
{
    static const struct {
        const char *name;
        int family, type;
    } kinds[] = {{"packet", AF_PACKET, SOCK_RAW},
                 {"vsock", AF_VSOCK, SOCK_STREAM},
                 {"xdp", AF_XDP, SOCK_RAW}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[0], kinds[i].name) != 0)
            continue;
        if (socket(kinds[i].family, kinds[i].type, 0) < 0)
            return fail("socket");
        puts("OK");
        return 0;
    }
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "send") == 0)
        return frames_send(argv + 2);
    if (argc == 3 && strcmp(argv[1], "socket") == 0)
        return frames_socket(argv + 2);
    fputs("usage: frames send DEVICE IP PORT | socket packet|vsock|xdp\n", stderr);
    return 2;
}
