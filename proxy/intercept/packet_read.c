/* SPDX-License-Identifier: MIT
 * Fixed headers of an IPv4 packet of which the queue copied the first bytes. Nothing here follows
 * a pointer or a length that the packet brought without having compared it first. */
#include "intercept/queue.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>

enum { IP_HEADER_MIN = 20, UDP_HEADER = 8, ICMP_HEADER = 8 };
enum { FRAGMENT_MORE = 0x2000, FRAGMENT_OFFSET = 0x1fff };

static uint16_t read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)read16(p) << 16 | read16(p + 2);
}

/* The upper header at p: `have` bytes of it were copied, `whole` is what the packet claims. */
static int read_upper(const uint8_t *p, size_t have, size_t whole, bool more, struct packet *out)
{
    switch (out->proto) {
    case IPPROTO_UDP:
        if (have < UDP_HEADER)
            return -EBADMSG;
        /* The first fragment of several is shorter than the datagram says. */
        if (read16(p + 4) < UDP_HEADER || (!more && read16(p + 4) > whole))
            return -EBADMSG;
        break;
    case IPPROTO_UDPLITE: /* its length field is the checksum's coverage, no bound */
        if (have < UDP_HEADER)
            return -EBADMSG;
        break;
    case IPPROTO_ICMP:
        if (have < ICMP_HEADER)
            return -EBADMSG;
        out->icmp_type = p[0];
        return 0;
    default:
        return 0;
    }
    out->src_port = read16(p);
    out->dst_port = read16(p + 2);
    return 0;
}

int packet_read(const void *data, size_t len, struct packet *out)
{
    const uint8_t *p = data;
    *out = (struct packet){0};
    if (!p || len < IP_HEADER_MIN || p[0] >> 4 != 4)
        return -EBADMSG;
    size_t header = (size_t)(p[0] & 0xf) * 4;
    size_t total = read16(p + 2);
    /* More bytes than the packet has cannot come from the kernel, which cuts padding off. */
    if (header < IP_HEADER_MIN || header > len || total < header || len > total)
        return -EBADMSG;
    uint16_t fragment = read16(p + 6);
    size_t offset = (size_t)(fragment & FRAGMENT_OFFSET) * 8;
    if (offset + total - header > UINT16_MAX)
        return -EBADMSG;
    struct packet packet = {.src_ip = read32(p + 12),
                            .dst_ip = read32(p + 16),
                            .proto = p[9],
                            .length = (uint16_t)total};
    if (offset == 0) {
        int code = read_upper(p + header, len - header, total - header,
                              (fragment & FRAGMENT_MORE) != 0, &packet);
        if (code < 0)
            return code;
    }
    *out = packet;
    return 0;
}
