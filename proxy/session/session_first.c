/* SPDX-License-Identifier: MIT
 * The client's first bytes: what they are, and what the policy says to that. They may come before
 * or after the server's. */
#include "session/first_bytes.h"
#include "session/session_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

/* A whole ClientHello with its record headers; more is no client's first word. */
#define FIRST_MAX (CLIENT_HELLO_MAX + 4096)
/* How long the rest of a first message that began may take. */
#define REST_MS 10000
/* How long bytes that could still become a protocol we know may leave that open. */
#define UNDECIDED_MS 200
/* How long a client that may not go anywhere by address alone gets to say a name. */
#define NAME_MS 2000

/* Appends what can be read now. Returns 1 for more bytes, 0 for none yet, or a negative errno;
 * -ENODATA at the end of the stream. */
static int read_more(struct session *s)
{
    size_t room = 4096;
    if (s->first_len >= FIRST_MAX)
        return -EMSGSIZE;
    uint8_t *grown = realloc(s->first, s->first_len + room);
    if (!grown)
        return -ENOMEM;
    s->first = grown;
    ssize_t n = recv(s->client_fd, s->first + s->first_len, room, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    s->first_len += (size_t)n;
    return n == 0 ? -ENODATA : 1;
}

/* Goes on after the bytes were judged: to the server, which may be connected already. */
static void go_on(struct session *s)
{
    s->spoke = true;
    if (s->state != SESSION_GREETING) {
        session_resolve(s);
        return;
    }
    /* The server was reached by address or learnt name; a name that came later must hold there. */
    if (s->name_from == RECORD_NAME_SNI && !s->verdict.by_address && !s->engine->audit_mode &&
        !names_holds(s->engine->names, ENGINE_CLIENT, s->host, s->dialed_ip, engine_now())) {
        session_deny(s, "dst-mismatch");
        return;
    }
    s->state = SESSION_RELAYING;
    int failed = relay_start(s->relay, RELAY_UP, s->first, s->first_len);
    free(STEAL(s->first));
    s->first_len = 0;
    if (failed)
        session_deny(s, "limit");
}

static void judge_hello(struct session *s, const struct client_hello *hello)
{
    s->is_tls = true;
    s->ech = hello->ech;
    if (hello->sni_invalid) {
        session_deny(s, "malformed");
        return;
    }
    if (hello->has_sni) {
        memcpy(s->host, hello->sni, sizeof s->host);
        s->name_from = RECORD_NAME_SNI;
    }
    s->verdict = judge_tls(s->engine, &s->subject, hello->has_sni ? hello->sni : NULL,
                           ntohl(s->subject.flow.dst_ip));
    if (!judge_passes(s->engine, &s->verdict)) {
        session_deny(s, NULL);
        return;
    }
    if (s->ech && s->verdict.action == VERDICT_ALLOW)
        s->reason = "ech"; /* the outer name was judged; what is inside cannot be seen */
    go_on(s);
}

static void judge_raw(struct session *s, bool unknown)
{
    s->verdict = judge_address(s->engine, &s->subject, unknown, s->host);
    s->name_from = s->host[0] ? RECORD_NAME_DNS : RECORD_NAME_NONE;
    if (judge_passes(s->engine, &s->verdict))
        go_on(s);
    else
        session_deny(s, NULL);
}

static void judge_first(struct session *s)
{
    struct client_hello hello;
    switch (first_bytes_classify(s->first, s->first_len)) {
    case FIRST_BYTES_NONE:
        session_wait(s, UNDECIDED_MS, true);
        break;
    case FIRST_BYTES_TLS:
        switch (client_hello_parse(s->first, s->first_len, &hello, NULL)) {
        case CLIENT_HELLO_OK:
            judge_hello(s, &hello);
            break;
        case CLIENT_HELLO_INCOMPLETE:
            session_wait(s, REST_MS, true);
            break;
        case CLIENT_HELLO_BAD:
            s->is_tls = true;
            session_deny(s, "malformed");
            break;
        }
        break;
    case FIRST_BYTES_UNKNOWN:
        judge_raw(s, true);
        break;
    case FIRST_BYTES_HTTP1:
    case FIRST_BYTES_H2C:
    case FIRST_BYTES_SSH:
        judge_raw(s, false);
        break;
    }
}

void session_read_first(struct session *s)
{
    int got = read_more(s);
    if (got > 0)
        judge_first(s);
    else if (got == 0)
        session_wait(s, REST_MS, true);
    else if (got == -ENODATA && first_bytes_classify(s->first, s->first_len) != FIRST_BYTES_TLS)
        judge_raw(s, s->first_len != 0); /* that was all: judged by address, and recorded */
    else
        session_deny(s, got == -ENODATA ? "malformed" : "limit");
}

/* The client waits for the server to speak first, or for nothing at all. */
void session_first_timeout(struct session *s)
{
    if (s->first_len) {
        if (first_bytes_classify(s->first, s->first_len) == FIRST_BYTES_NONE)
            judge_raw(s, true);
        else
            session_deny(s, "limit");
        return;
    }
    if (s->state != SESSION_FIRST_BYTES)
        return; /* in GREETING a silent client may stay silent */
    if (judge_passes(s->engine, &s->verdict)) {
        session_resolve(s);
    } else if (s->waited_for_name) {
        session_deny(s, NULL);
    } else {
        s->waited_for_name = true;
        session_wait(s, NAME_MS, true);
    }
}
