/* SPDX-License-Identifier: MIT
 * The inside of a session, shared by the files that move it. */
#pragma once

#include "attribution/places.h"
#include "dns/asking.h"
#include "session/first_bytes.h"
#include "session/judge.h"
#include "session/limits.h"
#include "session/relay.h"
#include "session/session.h"
#include "session/upgrade.h"
#include "tls/client_hello.h"
#include "tls/server_hello.h"

struct event;
struct submit_ticket;

enum session_state {
    SESSION_FIRST_BYTES, /* waiting for what the client says first */
    SESSION_RESOLVING,   /* the name's addresses are asked for */
    SESSION_SHARE,       /* waiting until its process may have one descriptor more */
    SESSION_RECORDING,   /* the decision is being written; nothing has left for it yet */
    SESSION_DIALING,     /* connecting to the server */
    SESSION_GREETING, /* the server speaks, the client has not yet: its first bytes are awaited */
    SESSION_HELLO_ANSWER, /* a ClientHello was sent: nothing more is, until it was answered */
    SESSION_SECOND_HELLO, /* the server asked for another one, which is awaited */
    SESSION_UPGRADING,    /* plaintext that may turn into TLS passes, and is watched */
    SESSION_LATE_HELLO,   /* TLS has begun in it: the ClientHello is awaited */
    SESSION_RELAYING,     /* both ways */
    SESSION_REFUSING,     /* denied; the record is being written */
    SESSION_PARTING,      /* the alert was sent; waiting for the client to go */
};

struct session {
    LIST_ENTRY(session) all;
    struct engine *engine;
    enum session_state state;
    enum session_kind kind;
    struct subject subject;
    struct holder holder; /* whose share this connection is of */
    unsigned files;       /* descriptors of that share; 0: it is refused */
    size_t held;          /* bytes of it: first and hello */
    uint64_t conn, started_us;
    int client_fd, server_fd;
    struct event *client_event, *server_event, *timer;
    bool client_awaited; /* else the client's event says nothing, and is not wanted again */
    uint8_t *first;      /* what the client said that was not sent on, or not judged yet; owned */
    size_t first_len, first_passed; /* so many of them were sent on already */
    uint8_t *hello;                 /* the first ClientHello, until it was answered; owned */
    size_t hello_len;
    struct server_hello answer;
    struct upgrade upgrade;
    bool guessed; /* judged as unknown for want of more bytes: what they become is still watched */
    bool unread;  /* spliced before the server's first word */
    bool spoke;   /* the client's first bytes were judged */
    bool waited_for_name; /* it may not go by address, and got its time to say a name */
    bool is_tls;
    enum first_bytes said; /* what else they were */
    bool ech;
    char host[254]; /* what was judged: SNI, or the name learnt for the address; "" for none */
    enum record_name_from name_from;
    uint64_t first_us; /* when the first of those bytes came; 0: none yet */
    bool recorded;     /* as allowed: so there will be a closing record */
    const char *error; /* why it ended before its time, for that record */
    struct verdict verdict;
    const char *reason; /* in the record, in place of the verdict's */
    uint32_t dialed_ip; /* host order */
    uint64_t share_us;  /* since when it waits for its share */
    struct forward_query *resolving;
    struct place asking; /* its place while it resolves */
    enum asking paid;    /* its look-up */
    const char *zone;    /* of the wildcard that allows that look-up, or NULL */
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
/* What it says is DNS: the DNS stage takes the connection over, and this session ends. */
void session_hand_to_dns(struct session *s);
/* Connected: the server may speak, and what of the client's was judged may pass. */
void session_relay(struct session *s);
/* Waits for the client's bytes, or the server's connection while dialling; 0: without a limit. */
void session_wait(struct session *s, unsigned timeout_ms, bool readable);
/* session_dial.c: finds the address for the judged name, records, connects. */
void session_resolve(struct session *s);
/* Dials, or asks again after a moment, until it has waited for too long. */
void session_dial_by_share(struct session *s);
/* The connect has ended: goes on, or fails with its error. */
void session_dialed(struct session *s);
/* session_first.c: reads and judges what the client says first. */
void session_read_first(struct session *s);
/* The same of what has come already; where nothing has, waits for it for so long. */
void session_listen(struct session *s, unsigned limit_ms);
void session_first_timeout(struct session *s);
/* Judges what was read as TLS from its first byte, once it is whole. */
void session_judge_hello(struct session *s);
/* Appends what the client says now to s->first. Returns 1 for more bytes, 0 for none yet, or a
 * negative errno; -ENODATA at the end of the stream, -ENOBUFS when its process holds too much. */
int session_read(struct session *s);
/* The first n bytes of s->first are not needed any more. */
void session_forget(struct session *s, size_t n);
/* Gives back the share of bytes that are not held any more. */
void session_settle(struct session *s);
/* Judges s->first. */
void session_judge_first(struct session *s);
/* Waits for more of the client's message; the limit holds for all of it, however it drips. */
void session_wait_for_more(struct session *s, unsigned limit_ms);
/* session_watch.c: between the first judgement and the splice. */
void session_seen(void *context, const void *data, size_t len);
void session_pushed(void *context);
/* The bytes that were judged may go to the server, and what must be watched behind them is. */
void session_pass_first(struct session *s);
void session_watch_client(struct session *s);
/* Something that was seen of the server, or sent to it, asks for a step. */
void session_watch_woken(struct session *s);
void session_watch_timeout(struct session *s);
/* session_record.c: the decision; done is called with the status of writing, perhaps at once. */
void session_record_connect(struct session *s, enum record_outcome outcome,
                            void (*done)(void *context, int status));
void session_record_close(struct session *s);
