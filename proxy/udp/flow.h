/* SPDX-License-Identifier: MIT
 * The inside of a flow of UDP, shared by the files of this folder. */
#pragma once

#include "audit/record.h"
#include "udp/table.h"
#include "udp/udp.h"

struct batch;
struct event;
struct submit_ticket;

enum flow_state {
    FLOW_WAITING,   /* until fewer are being asked for */
    FLOW_ASKING,    /* the keeper writes the decision and makes its socket */
    FLOW_RECORDING, /* the decision is being written; nothing has left for it yet */
    FLOW_OPEN,
    FLOW_JUDGING, /* another process sends by it: who, and may he? */
    FLOW_REFUSED, /* by the server; the client's next datagram is told so */
    FLOW_ENDED,   /* what is still under way for it finds nobody */
};

struct flow {
    struct udp_entry entry;
    TAILQ_ENTRY(flow) queued; /* FLOW_WAITING and FLOW_ASKING */
    struct udp *udp;
    enum flow_state state;
    struct subject subject;
    struct holder holder; /* whose share its descriptors are of, where it has any */
    bool admitted;
    struct verdict verdict;
    char name[254];
    uint64_t conn, started_ms, bytes_up, bytes_down;
    int gate_fd, server_fd;
    struct event *gate_event, *server_event;
    STAILQ_HEAD(udp_waiters, udp_waiter) waiters;
    struct submit_ticket *ticket;
    unsigned holds; /* questions under way that will come back to it */
    unsigned
        accepted;  /* packets that were let go to its socket and not read yet, as far as known */
    bool recorded; /* as allowed: so there will be a closing record */
};

/* Descriptors of one: in the gate and towards the server. */
enum { FLOW_FILES = 2 };

/* How long a flow stands when nothing passes, in milliseconds. */
enum {
    /* A client that was never answered asks again within seconds, or gives up. */
    FLOW_IDLE_ASKED = 60000,
    /* RFC 4787 wants mappings to last two minutes at the least (REQ-5). */
    FLOW_IDLE = 180000,
    /* The refusal of a server is remembered for the client's next datagram. */
    FLOW_IDLE_REFUSED = 5000,
};

TAILQ_HEAD(flow_queue, flow);

struct udp {
    struct engine *engine;
    struct ipc *keeper;
    struct udp_table *table;
    struct batch *batch;
    struct flow_queue waiting, asking;
    size_t n_asking;
    struct event *sweep;
    bool draining;
    uint64_t drain_ms; /* since when */
};

/* flow.c: its life. */
uint64_t flow_now_ms(void);
struct flow *flow_find(const struct udp *u, const struct flow_key *key) NONNULL(1, 2);
/* A new flow, on its way to be opened; NULL when memory ran out. */
struct flow *flow_new(struct udp *u, const struct subject *s, const struct verdict *v,
                      const char *name) NODISCARD NONNULL(1, 2, 3, 4);
/* Opens its socket towards the server and submits its record, while it is FLOW_WAITING. Returns
 * false where that failed: it has been told of then, and is gone. */
bool flow_prepare(struct flow *f) NODISCARD NONNULL(1);
/* Its socket in the gate, from FLOW_ASKING on: it is open as soon as its record is written. Takes
 * the descriptor over. */
void flow_take_socket(struct flow *f, int fd) NONNULL(1);
/* It could not be opened. error: the log's word. */
void flow_fail(struct flow *f, const char *error) NONNULL(1);
/* Ends it; error NULL: as flows end. The flow may be gone afterwards. */
void flow_end(struct flow *f, const char *error) NONNULL(1);
/* The server has answered that nobody is there. */
void flow_refused(struct flow *f) NONNULL(1);
/* Somebody else sends by it: judged anew, before anything of his is read. */
void flow_judge_again(struct flow *f) NONNULL(1);
/* A question for it has come back, or it has ended: gone when both is so. */
void flow_release(struct flow *f) NONNULL(1);
/* The log's word for an errno. */
const char *flow_error(int code);

/* relay.c: its datagrams. */
struct batch *batch_new(void) NODISCARD;
/* Pass on what waits, as far as one turn of the loop should. The flow may have ended, and be gone
 * where nobody holds it. */
void flow_pump_up(struct flow *f) NONNULL(1);
void flow_pump_down(struct flow *f) NONNULL(1);
/* As flow_pump_up(), for who ends the flow when there is no more: true when more may wait. */
bool flow_empty(struct flow *f) NONNULL(1);

/* record.c: its records. done (may be NULL) as of submit_record. */
struct submit_ticket *flow_record_connect(const struct flow *f, enum record_outcome outcome,
                                          const char *error,
                                          void (*done)(void *context, int status), void *context,
                                          int *status) NONNULL(1, 6);
void flow_record_close(const struct flow *f, const char *error) NONNULL(1);
/* Datagrams of that subject, which may not use the flow, were dropped. */
void flow_record_denied(const struct flow *f, const struct subject *s, const struct verdict *v,
                        const char *name) NONNULL(1, 2, 3, 4);
