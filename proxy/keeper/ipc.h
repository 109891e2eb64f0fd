/* SPDX-License-Identifier: MIT
 * The messages between roles: bounded, numbered, over SOCK_SEQPACKET pairs, on an event loop. An
 * answer carries the id of its question and may come in any order; a peer's death is an event.
 * Whoever receives a message trusts none of its bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct event_base;
struct ipc;

enum ipc_type {
    /* proxy or packet → keeper */
    IPC_READY = 1,   /* set up and confined; proxy: policy loaded. No payload */
    IPC_DIAGNOSTIC,  /* a line for the user about the policy, text */
    IPC_FAILED,      /* cannot start: a sentence, text. The role exits after it */
    IPC_PROCESS_GET, /* struct process_question; answered by IPC_PROCESS. The keeper holds the
                        record until IPC_PROCESS_PUT */
    IPC_PROCESS_PUT, /* struct process_id */
    IPC_RECORD,      /* a packed record; answered by IPC_RECORD_DONE when the id is not 0 */
    IPC_INCLUDE,     /* two strings: who includes, what. Answered by
                        IPC_SOURCE. Only before the first IPC_READY */
    IPC_DRAINED,     /* every connection has ended and was recorded */
    IPC_SOCKET_GET,  /* struct gate_flow; answered by IPC_SOCKET */
    /* digest → keeper */
    IPC_DIGEST, /* struct digest_answer; the role ends after it */
    /* keeper → proxy or packet */
    IPC_PROCESS,     /* a packed process record, empty when it is not known */
    IPC_RECORD_DONE, /* int32_t: 0, or a negative errno: the record was not written */
    IPC_SOURCE,      /* int32_t: 0 with the file as descriptor, or a negative errno; then the
                        name of the file */
    IPC_DRAIN,       /* the command has ended: finish what is under way. The packet role passes it
                        on to the proxy behind the last packet */
    IPC_PEER,        /* a new channel to the other role, with its descriptor */
    IPC_SOCKET,      /* int32_t: 0 with the flow's socket in the gate as descriptor, or a negative
                        errno */
    /* packet → proxy, and back */
    IPC_PACKET,  /* struct packet; answered by IPC_VERDICT */
    IPC_VERDICT, /* int32_t: enum queue_verdict */
};

#define IPC_PAYLOAD_MAX 49152

struct ipc_message {
    enum ipc_type type;
    uint32_t id;
    const void *data; /* aligned for any type; valid during the call */
    size_t len;
    int fd; /* -1, or a descriptor that the receiver may take by setting it to -1 */
};

struct ipc_handlers {
    void (*message)(void *context, struct ipc_message *m);
    /* The peer has gone or broke the rules. Called once; the channel may be freed within. */
    void (*closed)(void *context);
    void *context;
};

/* Makes a channel of a connected SOCK_SEQPACKET socket, which it owns from then on (not on
 * failure). NULL when memory ran out. */
struct ipc *ipc_new(struct event_base *base, int fd, const struct ipc_handlers *handlers) NODISCARD
    NONNULL(1, 3);
/* Closes; accepts NULL. May be called from within a handler of the same channel. */
void ipc_free(struct ipc *ipc);

/* From now on what is sent within one turn of the loop leaves together at the end of that turn, in
 * as few calls and with as few wake-ups of the peer as can be; what carries a descriptor leaves at
 * once, behind what waits. That the peer has gone is then told by `closed` alone. For an owner
 * whose loop goes on turning. */
void ipc_gather(struct ipc *ipc) NONNULL(1);

/* Sends one message; what the socket does not take at once waits in order. fd, where not -1, is
 * duplicated into the peer. Returns 0, -EPIPE when the peer has gone, -EMSGSIZE, or -ENOBUFS when
 * more than IPC_BACKLOG_MAX bytes of memory wait. */
#define IPC_BACKLOG_MAX (64u << 20)
int ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t id, const void *data, size_t len, int fd)
    NONNULL(1);

/* Sends one message that nobody waits for: it leaves, in order, with what is sent next, or alone a
 * moment later, so that it need not wake the peer by itself. At once where ipc_gather() was not
 * called. Returns as ipc_send() does. */
int ipc_send_lazily(struct ipc *ipc, enum ipc_type type, const void *data, size_t len) NONNULL(1);

/* Hands over what lies in the socket now, to its end. For a peer that is known to be dead; the
 * channel may be freed within. */
void ipc_drain(struct ipc *ipc) NONNULL(1);

/* A pair of connected sockets, close-on-exec. Returns 0 or a negative errno. */
int ipc_pair(int fds[2]) NODISCARD;
