/* SPDX-License-Identifier: MIT
 * The inside of a session, shared by the files that move it. */
#pragma once

#include "session/judge.h"
#include "session/relay.h"
#include "session/session.h"
#include "tls/client_hello.h"

struct event;
struct submit_ticket;

enum session_state {
    SESSION_FIRST_BYTES, /* waiting for what the client says first */
    SESSION_RESOLVING,   /* the name's addresses are asked for */
    SESSION_RECORDING,   /* the decision is being written; nothing has left for it yet */
    SESSION_DIALING,     /* connecting to the server */
    SESSION_GREETING, /* the server speaks, the client has not yet: its first bytes are awaited */
    SESSION_RELAYING, /* both ways */
    SESSION_REFUSING, /* denied; the record is being written */
    SESSION_PARTING,  /* the alert was sent; waiting for the client to go */
};

struct session {
    LIST_ENTRY(session) all;
    struct engine *engine;
    enum session_state state;
    enum session_kind kind;
    struct subject subject;
    uint64_t conn, started_us;
    int client_fd, server_fd;
    struct event *client_event, *server_event, *timer;
    uint8_t *first; /* the client's first bytes, until they were sent on; owned */
    size_t first_len;
    bool spoke;           /* the client's first bytes were judged */
    bool waited_for_name; /* it may not go by address, and got its time to say a name */
    bool is_tls;
    const char *first_bytes; /* what else they were, in the log's word; NULL: not known */
    bool ech;
    char host[254]; /* what was judged: SNI, or the name learnt for the address; "" for none */
    enum record_name_from name_from;
    uint64_t first_us; /* when the first of those bytes came; 0: none yet */
    bool recorded;     /* as allowed: so there will be a closing record */
    const char *error; /* why it ended before its time, for that record */
    struct verdict verdict;
    const char *reason; /* in the record, in place of the verdict's */
    uint32_t dialed_ip; /* host order */
    struct forward_query *resolving;
    struct submit_ticket *ticket;
    struct relay *relay;
};

/* session.c */
/* Microseconds of the clock that sessions are timed by. */
uint64_t session_now_us(void);
/* It cannot go on, for another reason than the policy's. */
void session_fail(struct session *s, const char *error);
/* It may not go on; reason overrides the verdict's. */
void session_deny(struct session *s, const char *reason);
/* Waits for the client's bytes, or the server's connection while dialling; 0: without a limit. */
void session_wait(struct session *s, unsigned timeout_ms, bool readable);
/* session_dial.c: finds the address for the judged name, records, connects. */
void session_resolve(struct session *s);
/* The connect has ended: goes on, or fails with its error. */
bool session_dialed(struct session *s);
/* session_first.c: reads and judges what the client says first. */
void session_read_first(struct session *s);
void session_first_timeout(struct session *s);
/* session_record.c: the decision; done is called with the status of writing, perhaps at once. */
void session_record_connect(struct session *s, enum record_outcome outcome,
                            void (*done)(void *context, int status));
void session_record_close(struct session *s);
