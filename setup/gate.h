/* SPDX-License-Identifier: MIT
 * The network of one run: the command's namespace, and the gate, a nameless namespace of ours that
 * it is wired to and that leads nowhere else. Every packet that leaves the command's namespace
 * arrives in the gate and finds only our listening sockets and our queue. Both namespaces go with
 * the last descriptor and process that hold them; nothing on the host changes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"

/* RFC 7335's block, which is routed nowhere. Host byte order. */
#define GATE_CLIENT_IP 0xC0000002u /* 192.0.0.2, of the command */
#define GATE_IP        0xC0000001u /* 192.0.0.1, of the gate */
/* NFQUEUE number in the gate. */
#define GATE_QUEUE 0
/* Verdict NF_REPEAT with this mark: answered with ICMP port unreachable. */
#define GATE_MARK_REJECT 2

/* At most so many loops share the connections. */
#define GATE_LOOPS_MAX 16

struct gate {
    int host_ns; /* the namespace of the caller */
    int gate_ns;
    int client_ns;          /* the command's */
    uint64_t client_cookie; /* SO_NETNS_COOKIE of client_ns */
    /* Listening in the gate on one port, IP_TRANSPARENT: each TCP connection that leaves comes to
     * one of them, chosen by a hash of its source port (SO_REUSEPORT); getsockname(2) of an
     * accepted socket is the original destination. The first `loops` of them are open. */
    int tcp[GATE_LOOPS_MAX];
    int dns_udp; /* UDP port 53 of every address, in the gate; IP_PKTINFO on, IP_TRANSPARENT */
    int client_dns_udp; /* UDP port 53 of every address of the command's namespace (127.0.0.53 …) */
    int client_dns_tcp; /* TCP port 53 of the same, listening */
};

/* Makes both namespaces, the wire, addresses and routes, IPv6 off in both, the rules of the gate,
 * and the sockets, of TCP one for each of 1 to GATE_LOOPS_MAX loops; or nothing. Must be called by
 * a process with one thread and CAP_SYS_ADMIN and CAP_NET_ADMIN, whose network namespace is the
 * same afterwards. Negative errno and *error on failure. */
int gate_open(struct gate *g, unsigned loops, struct error *error) NODISCARD NONNULL(1, 3);
/* Closes what is open; accepts a half-built one that began as GATE_INIT. */
void gate_close(struct gate *g);
#define GATE_INIT                                                                                  \
    {                                                                                              \
        .host_ns = -1, .gate_ns = -1, .client_ns = -1,                                             \
        .tcp = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, .dns_udp = -1,    \
        .client_dns_udp = -1, .client_dns_tcp = -1                                                 \
    }

/* A socket that listens in the command's namespace on 127.0.0.1:port (TCP), for --host-port.
 * Returns the descriptor, or a negative errno with *error. */
int gate_listen_client(const struct gate *g, uint16_t port, struct error *error) NODISCARD
    NONNULL(1, 3);

/* One flow of UDP that leaves the command's namespace, in host byte order. The other end is
 * GATE_CLIENT_IP. */
struct gate_flow {
    uint32_t dst_ip;
    uint16_t dst_port, src_port;
};

/* Whether a flow can be relayed at all: to one host that is neither the gate nor a loopback, and
 * not to port 53, which the socket for DNS serves. Pure. */
bool gate_can_flow(const struct gate_flow *f) NODISCARD NONNULL(1);
/* gate_udp.c: for each of n flows a UDP socket in the gate that is the flow's server for the
 * command: what is sent on it comes from there, and packets of the flow, of that one alone, pass to
 * it without the queue for as long as it is open. out: of each the descriptor, the caller's, or a
 * negative errno. All are made in one visit to the gate. Returns 0, or a negative errno, which each
 * has too; -ENOTRECOVERABLE: the caller is in the wrong namespace now and must end, and has none.
 */
int gate_open_udp(const struct gate *g, const struct gate_flow *flows, size_t n, int *out) NODISCARD
    NONNULL(1, 2, 4);
