/* SPDX-License-Identifier: MIT
 * UDP other than DNS that may pass: each flow judged once, relayed datagram by datagram between a
 * socket in the gate and one towards the server, and what is DNS among it judged as DNS. */
#pragma once

#include <sys/queue.h>

#include "base/attrib.h"
#include "keeper/ipc.h"
#include "session/engine.h"
#include "session/judge.h"

struct udp;

/* A packet that waits for its flow. done is called once, perhaps from within: 0, its flow is open
 * and the packet may go to it; a negative errno: it may not. */
struct udp_waiter {
    void (*done)(struct udp_waiter *w, int status);
    STAILQ_ENTRY(udp_waiter) next;
};

/* files: how many descriptors this process may have. A flow takes two; they get half of all, up to
 * UDP_FLOWS_MAX flows, and connections the rest. */
#define UDP_FLOWS_MAX 4096
struct udp *udp_new(struct engine *e, struct ipc *keeper, size_t files) NODISCARD NONNULL(1, 2);
/* Every flow has ended; accepts NULL. */
void udp_free(struct udp *u);
/* Whether flows like this are relayed at all. */
bool udp_can_flow(const struct flow_key *flow) NODISCARD NONNULL(1);
/* Opens the flow of a subject whose verdict lets it pass, unless it is open. name: 254 bytes, what
 * was learnt for the address, "" for nothing. Borrows for the call, but for the waiter. */
void udp_open(struct udp *u, const struct subject *s, const struct verdict *v, const char *name,
              struct udp_waiter *w) NONNULL(1, 2, 3, 4, 5);
/* Takes the keeper's IPC_SOCKET, with its descriptor. */
void udp_take_socket(struct udp *u, struct ipc_message *m) NONNULL(1, 2);
/* The command has gone: sends on what it left in its sockets, and ends every flow. */
void udp_drain(struct udp *u) NONNULL(1);
