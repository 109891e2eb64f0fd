/* SPDX-License-Identifier: MIT
 * The client's first bytes: what they are, and what the policy says to that. They may come before
 * or after the server's. */
#include "session/session_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A whole ClientHello with its record headers; more is no client's first word. */
#define FIRST_MAX    (CLIENT_HELLO_MAX + 4096)
#define READ_AT_ONCE 4096
/* How long a first message may take from its first byte to its last. */
#define WHOLE_MS 10000
/* How long bytes that could still become a protocol we know may leave that open. */
#define UNDECIDED_MS 200
/* How long a client that may not go anywhere by address alone gets to say a name. */
#define NAME_MS 2000
/* Of a handshake record: nobody else begins so, and a hello whose second byte is late is a hello.
 */
#define TLS_FIRST_BYTE 0x16

void session_settle(struct session *s)
{
    const size_t holds = s->first_len + (s->hello ? s->hello_len : 0);
    if (holds < s->held) {
        holder_give(&s->holder, LIMIT_BYTES, s->held - holds);
        s->held = holds;
    }
}

void session_forget(struct session *s, size_t n)
{
    s->first_len -= n;
    s->first_passed -= MIN(s->first_passed, n);
    memmove(s->first, s->first + n, s->first_len);
    if (s->first_len == 0)
        free(STEAL(s->first));
    session_settle(s);
}

/* Puts what was read behind what is held, in no more memory than that takes. */
static int keep(struct session *s, const uint8_t *said, size_t n)
{
    if (!holder_take(&s->holder, LIMIT_BYTES, n))
        return -ENOBUFS;
    s->held += n;
    uint8_t *grown = realloc(s->first, s->first_len + n);
    if (!grown)
        return -ENOMEM;
    memcpy(grown + s->first_len, said, n);
    s->first = grown;
    s->first_len += n;
    return 1;
}

int session_read(struct session *s)
{
    uint8_t said[READ_AT_ONCE];
    if (s->first_len >= FIRST_MAX)
        return -EMSGSIZE;
    ssize_t n = recv(s->client_fd, said, sizeof said, MSG_DONTWAIT);
    if (n == 0)
        return -ENODATA;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (!s->first_us)
        s->first_us = session_now_us();
    return keep(s, said, (size_t)n);
}

void session_wait_for_more(struct session *s, unsigned limit_ms)
{
    uint64_t passed = s->first_us ? (session_now_us() - s->first_us) / 1000 : 0;
    unsigned left = passed < WHOLE_MS ? (unsigned)(WHOLE_MS - passed) : 1;
    session_wait(s, MIN(limit_ms, left), true);
}

/* What the client said after the server may follow: a second decision about it, where there was
 * one, is in the log. */
static void on_late_recorded(void *context, int status)
{
    struct session *s = context;
    s->ticket = NULL;
    if (status < 0)
        session_fail(s, "unrecorded");
    else
        session_pass_first(s);
}

/* The server was reached by address or learnt name; a name that came later must hold there. */
static void go_on_late(struct session *s, const struct verdict *before)
{
    if (s->name_from == RECORD_NAME_SNI && !s->verdict.by_address &&
        !names_holds(s->engine->names, ENGINE_CLIENT, s->host, s->dialed_ip, engine_now())) {
        if (!s->engine->audit_mode) {
            session_deny(s, "dst-mismatch");
            return;
        }
        s->reason = "dst-mismatch";
    }
    s->state = SESSION_RECORDING;
    session_wait(s, 0, false);
    bool told =
        !s->is_tls && s->verdict.action == before->action && s->verdict.rule == before->rule;
    if (told)
        on_late_recorded(s, 0);
    else
        session_record_connect(s, RECORD_ALLOWED, on_late_recorded);
}

/* Goes on after the bytes were judged: to the server, which may be connected already by the verdict
 * before. */
static void go_on(struct session *s, const struct verdict *before)
{
    s->spoke = true;
    if (s->relay)
        go_on_late(s, before);
    else
        session_resolve(s);
}

static void judge_hello(struct session *s, const struct client_hello *hello)
{
    const struct verdict before = s->verdict;
    s->is_tls = true;
    s->hello_len = hello->consumed;
    if (hello->sni_invalid) {
        session_deny(s, "malformed");
        return;
    }
    if (hello->has_sni) { /* else a name that was learnt for the address stays */
        memcpy(s->host, hello->sni, sizeof s->host);
        s->name_from = RECORD_NAME_SNI;
    }
    s->verdict = judge_tls(s->engine, &s->subject, hello->has_sni ? hello->sni : NULL,
                           ntohl(s->subject.flow.dst_ip));
    if (!judge_passes(s->engine, &s->verdict)) {
        session_deny(s, NULL);
        return;
    }
    if (hello->ech && s->verdict.action == VERDICT_ALLOW)
        s->reason = "ech"; /* the outer name was judged; what is inside cannot be seen */
    go_on(s, &before);
}

static void judge_raw(struct session *s, enum first_bytes said)
{
    static const enum client_bytes as[] = {
        [FIRST_BYTES_NONE] = CLIENT_SILENT, [FIRST_BYTES_SSH] = CLIENT_KNOWN,
        [FIRST_BYTES_HTTP1] = CLIENT_HTTP,  [FIRST_BYTES_H2C] = CLIENT_HTTP,
        [FIRST_BYTES_DNS] = CLIENT_UNKNOWN, [FIRST_BYTES_UNKNOWN] = CLIENT_UNKNOWN};
    const struct verdict before = s->verdict;
    s->said = said;
    s->verdict = judge_address(s->engine, &s->subject, as[said], s->host);
    s->name_from = s->host[0] ? RECORD_NAME_DNS : RECORD_NAME_NONE;
    if (judge_passes(s->engine, &s->verdict))
        go_on(s, &before);
    else
        session_deny(s, NULL);
}

void session_judge_hello(struct session *s)
{
    struct client_hello hello;
    switch (client_hello_parse(s->first, s->first_len, &hello, NULL)) {
    case CLIENT_HELLO_OK:
        judge_hello(s, &hello);
        break;
    case CLIENT_HELLO_INCOMPLETE:
        session_wait_for_more(s, WHOLE_MS);
        break;
    case CLIENT_HELLO_BAD:
        s->is_tls = true;
        session_deny(s, "malformed");
        break;
    }
}

/* A query on any port is the DNS stage's; but not where a server has heard or said something
 * already, which was not judged as DNS. */
static void judge_dns(struct session *s)
{
    if (!s->relay ||
        (relay_bytes(s->relay, RELAY_UP) == 0 && relay_bytes(s->relay, RELAY_DOWN) == 0))
        session_hand_to_dns(s);
    else if (s->engine->audit_mode)
        judge_raw(s, FIRST_BYTES_UNKNOWN);
    else
        session_deny(s, "malformed");
}

void session_judge_first(struct session *s)
{
    enum first_bytes said = first_bytes_classify(s->first, s->first_len);
    switch (said) {
    case FIRST_BYTES_NONE:
        session_wait_for_more(s, s->first[0] == TLS_FIRST_BYTE ? WHOLE_MS : UNDECIDED_MS);
        break;
    case FIRST_BYTES_TLS:
        session_judge_hello(s);
        break;
    case FIRST_BYTES_DNS:
        judge_dns(s);
        break;
    case FIRST_BYTES_UNKNOWN:
    case FIRST_BYTES_HTTP1:
    case FIRST_BYTES_H2C:
    case FIRST_BYTES_SSH:
        judge_raw(s, said);
        break;
    }
}

/* The stream ended, or broke, before its first message was whole. */
static void judge_end(struct session *s, int error)
{
    if (error == -EMSGSIZE || error == -ENOMEM || error == -ENOBUFS)
        session_deny(s, "limit");
    else if (error != -ENODATA)
        session_fail(s, "client-reset");
    else if (!s->first_len && s->spoke)
        session_pass_first(s); /* it was judged, and ends */
    else if (s->first_len && s->first[0] == TLS_FIRST_BYTE)
        session_deny(s, "malformed");
    else /* that was all: judged by address, and recorded */
        judge_raw(s, s->first_len ? FIRST_BYTES_UNKNOWN : FIRST_BYTES_NONE);
}

static void go_on_read(struct session *s, int got)
{
    if (got > 0)
        session_judge_first(s);
    else
        judge_end(s, got);
}

void session_read_first(struct session *s)
{
    int got = session_read(s);
    if (got == 0)
        session_wait_for_more(s, WHOLE_MS);
    else
        go_on_read(s, got);
}

void session_listen(struct session *s, unsigned limit_ms)
{
    int got = session_read(s);
    if (got == 0)
        session_wait(s, limit_ms, true);
    else
        go_on_read(s, got);
}

/* The client waits for the server to speak first, or for nothing at all. */
void session_first_timeout(struct session *s)
{
    if (s->first_len) {
        if (s->first[0] != TLS_FIRST_BYTE &&
            first_bytes_classify(s->first, s->first_len) == FIRST_BYTES_NONE)
            judge_raw(s, FIRST_BYTES_UNKNOWN);
        else
            session_deny(s, "limit");
    } else if (s->state != SESSION_FIRST_BYTES) {
        session_wait(s, 0, true); /* while the server speaks, a silent client may stay silent */
    } else if (judge_passes(s->engine, &s->verdict)) {
        session_resolve(s);
    } else if (s->waited_for_name ||
               !policy_may_allow_port(s->engine->policy, s->subject.flow.dst_port)) {
        /* It had its time, or no name that it could say would help. */
        session_deny(s, NULL);
    } else {
        s->waited_for_name = true;
        session_wait(s, NAME_MS, true);
    }
}
