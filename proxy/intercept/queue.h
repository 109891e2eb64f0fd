/* SPDX-License-Identifier: MIT
 * The packet queue of the gate (NFQUEUE): reads fixed IPv4, UDP, TCP and ICMP headers of what is
 * neither TCP nor DNS, asks for a verdict, gives it. The only place that knows libnetfilter_queue.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"

struct queue;

/* The fixed headers of one packet. */
struct packet {
    uint32_t id;                 /* of the queue */
    uint32_t src_ip, dst_ip;     /* host byte order */
    uint16_t src_port, dst_port; /* UDP and UDP-Lite only, else 0 */
    uint8_t proto;               /* IP protocol number */
    uint8_t icmp_type;
    uint16_t length; /* of the whole packet */
};

/* Reads an IPv4 packet's fixed headers; strict. Returns 0 or -EBADMSG. Pure. */
int packet_read(const void *data, size_t len, struct packet *out) NODISCARD NONNULL(3);

/* Binds to the queue in the current network namespace. seen is called for each packet; its verdict
 * may be given later. Negative errno and *error on failure. */
int queue_open(uint16_t number, void (*seen)(void *context, const struct packet *p), void *context,
               struct queue **out, struct error *error) NODISCARD NONNULL(2, 4, 5);
void queue_close(struct queue *q); /* accepts NULL */
int queue_fd(const struct queue *q) NONNULL(1);
/* Reads a batch without blocking. Returns 0 when nothing more is there, 1 when more may be, or a
 * negative errno (-ENOBUFS: packets were lost, they were dropped). */
int queue_read(struct queue *q) NODISCARD NONNULL(1);

enum queue_verdict { QUEUE_DROP, QUEUE_REJECT, QUEUE_ACCEPT };
/* Drops every packet that waits with this id or an earlier one. */
int queue_drop_up_to(struct queue *q, uint32_t id) NODISCARD NONNULL(1);
int queue_verdict(struct queue *q, uint32_t id, enum queue_verdict v) NODISCARD NONNULL(1);
