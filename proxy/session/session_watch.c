/* SPDX-License-Identifier: MIT
 * Between the first judgement and the splice: what a server answers to a ClientHello, the second
 * one that it may ask for, and plaintext that may turn into TLS. Nothing of the client's that ought
 * to be judged reaches the server before it was. */
#include "session/session_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "tls/second_hello.h"

/* How long a server may take to answer a ClientHello. */
#define ANSWER_MS 60000
/* How long a client may take to say its second hello, or its first in a plaintext protocol. */
#define HELLO_MS 10000
/* How long what looks like TLS waits for the first word of a server that has said nothing. */
#define HOLD_MS 1000

/* From within the relay nothing may be done; from the loop everything. */
static void wake(struct session *s)
{
    event_active(s->server_event, EV_READ, 0);
}

void session_seen(void *context, const void *data, size_t len)
{
    struct session *s = context;
    upgrade_server(&s->upgrade, data, len);
    if (s->state == SESSION_HELLO_ANSWER) {
        enum server_hello_result result = server_hello_feed(&s->answer, data, len);
        if (len == 0 && result == SERVER_HELLO_INCOMPLETE)
            s->answer.result = SERVER_HELLO_OTHER;
        if (s->answer.result != SERVER_HELLO_INCOMPLETE)
            wake(s);
    } else if (s->state == SESSION_UPGRADING || s->state == SESSION_RELAYING) {
        wake(s);
    } else if (s->upgrade.family == UPGRADE_NONE) {
        relay_observe(s->relay, false);
    }
}

void session_pushed(void *context)
{
    struct session *s = context;
    if (s->state == SESSION_UPGRADING)
        wake(s);
}

/* Both ways, unread from here on. */
static void splice_rest(struct session *s)
{
    int failed = relay_start(s->relay, RELAY_UP, s->first ? s->first + s->first_passed : NULL,
                             s->first_len - s->first_passed);
    relay_observe(s->relay, s->unread);
    free(STEAL(s->first));
    free(STEAL(s->hello));
    s->first_len = s->first_passed = 0;
    session_settle(s);
    s->state = SESSION_RELAYING;
    session_wait(s, 0, false);
    if (failed)
        session_fail(s, "limit");
}

/* The hello goes, and stays with us to be compared; what came behind it does not go yet. */
static void send_hello(struct session *s)
{
    size_t rest = s->first_len - s->hello_len;
    uint8_t *behind = rest ? malloc(rest) : NULL;
    if ((rest && !behind) ||
        relay_push(s->relay, s->first + s->first_passed, s->hello_len - s->first_passed) < 0) {
        free(behind);
        session_fail(s, "limit");
        return;
    }
    if (rest)
        memcpy(behind, s->first + s->hello_len, rest);
    uint8_t *alone = realloc(s->first, s->hello_len);
    s->hello = alone ? alone : s->first;
    s->first = behind;
    s->first_len = rest;
    s->first_passed = 0;
    s->answer = (struct server_hello){0};
    relay_observe(s->relay, true);
    s->state = SESSION_HELLO_ANSWER;
    session_wait(s, ANSWER_MS, false);
}

static void on_second_recorded(void *context, int status)
{
    struct session *s = context;
    s->ticket = NULL;
    if (status < 0)
        session_fail(s, "unrecorded");
    else
        splice_rest(s);
}

/* The second hello is judged like the first, and must say the same: the server may have answered to
 * either (RFC 8446 section 4.1.2). */
static void judge_second(struct session *s, const struct client_hello *hello, bool same)
{
    if (hello->has_sni && !hello->sni_invalid)
        memcpy(s->host, hello->sni, sizeof s->host);
    s->verdict = judge_tls(s->engine, &s->subject, hello->sni[0] ? hello->sni : NULL,
                           ntohl(s->subject.flow.dst_ip));
    if (!same && !s->engine->audit_mode) {
        session_deny(s, "hello-changed");
    } else if (!judge_passes(s->engine, &s->verdict)) {
        session_deny(s, NULL);
    } else if (same) {
        splice_rest(s);
    } else {
        s->reason = "hello-changed";
        s->state = SESSION_RECORDING;
        session_wait(s, 0, false);
        session_record_connect(s, RECORD_ALLOWED, on_second_recorded);
    }
}

static void read_second(struct session *s)
{
    struct client_hello hello;
    size_t at;
    switch (second_hello_parse(s->first, s->first_len, &hello, &at, NULL)) {
    case CLIENT_HELLO_OK:
        judge_second(s, &hello,
                     client_hello_same(s->hello, s->hello_len, s->first + at, s->first_len - at));
        break;
    case CLIENT_HELLO_INCOMPLETE:
        session_wait_for_more(s, HELLO_MS);
        break;
    case CLIENT_HELLO_BAD:
        session_deny(s, "malformed");
        break;
    }
}

/* A client that gives up says so in an alert, or only ends. */
static void end_second(struct session *s)
{
    struct client_hello hello;
    size_t at;
    if (second_hello_parse(s->first, s->first_len, &hello, &at, NULL) == CLIENT_HELLO_INCOMPLETE &&
        at == s->first_len)
        splice_rest(s);
    else
        session_deny(s, "malformed");
}

/* No TLS is spoken here, so the name in the hello says nothing about what is: whatever the client
 * says next is judged like first bytes. */
static void await_other(struct session *s)
{
    free(STEAL(s->hello));
    session_settle(s);
    s->is_tls = false;
    s->first_us = s->first_len ? session_now_us() : 0;
    s->state = SESSION_GREETING;
    session_wait(s, 0, true);
    if (s->first_len)
        session_judge_first(s);
}

static void go_on_answered(struct session *s)
{
    switch (s->answer.result) {
    case SERVER_HELLO_INCOMPLETE:
        break;
    case SERVER_HELLO_FINAL:
        splice_rest(s);
        break;
    case SERVER_HELLO_RETRY:
        s->state = SESSION_SECOND_HELLO;
        relay_observe(s->relay, false);
        s->first_us = session_now_us();
        read_second(s);
        break;
    case SERVER_HELLO_OTHER:
        await_other(s);
        break;
    }
}

/* It goes on unread. A server that has not said a word yet may show still that it should not have.
 */
static void stop_watching(struct session *s)
{
    s->unread = s->upgrade.family == UPGRADE_UNDECIDED;
    splice_rest(s);
}

/* Sends on what may go. Returns 0, or -ENOMEM. */
static int pass(struct session *s, size_t n)
{
    int failed = n ? relay_push(s->relay, s->first + s->first_passed, n) : 0;
    s->first_passed += n;
    if (!s->guessed)
        session_forget(s, s->first_passed);
    return failed;
}

/* TLS begins where a plaintext protocol asked for it. */
static void begin_tls(struct session *s)
{
    session_forget(s, s->first_passed);
    s->guessed = false;
    s->state = SESSION_LATE_HELLO;
    s->first_us = session_now_us();
    session_judge_hello(s);
}

/* Waits for what is missing: that the server takes what was sent, that it speaks, or the client. */
static void wait_upgrading(struct session *s)
{
    if (!relay_flushed(s->relay, RELAY_UP))
        session_wait(s, 0, false);
    else if (s->first_len > s->first_passed)
        session_wait(s, HOLD_MS, false);
    else
        session_wait(s, 0, true);
}

/* Whether the bytes that were judged too early have become something that is judged otherwise. */
static bool guess_again(struct session *s)
{
    enum first_bytes said = first_bytes_classify(s->first, s->first_len);
    if (said == FIRST_BYTES_NONE)
        return false;
    s->guessed = false;
    if (said == FIRST_BYTES_UNKNOWN) {
        session_forget(s, s->first_passed);
        return false;
    }
    session_judge_first(s);
    return true;
}

/* The server's word is none of a protocol that turns into TLS, and the client waits for the rest of
 * it: an answer of gigabytes must not come through user space. */
static bool nothing_to_watch(const struct session *s)
{
    return s->upgrade.family == UPGRADE_NONE && !s->guessed && s->first_len == s->first_passed;
}

/* Nothing will become TLS any more, but what was judged as unknown bytes for want of more may still
 * become a request or a question, whatever the server said in between: it goes on, and is watched
 * until that is plain. */
static void pass_guessed(struct session *s)
{
    if (pass(s, s->first_len - s->first_passed) < 0)
        session_fail(s, "limit");
    else
        wait_upgrading(s);
}

static void step_upgrading(struct session *s)
{
    enum upgrade_step step = UPGRADE_PASS;
    size_t n = 1;
    if (!relay_flushed(s->relay, RELAY_UP)) {
        wait_upgrading(s);
        return;
    }
    if (s->guessed && guess_again(s))
        return;
    while (step == UPGRADE_PASS && n > 0 && s->first_len > s->first_passed) {
        step = upgrade_client(&s->upgrade, s->first + s->first_passed,
                              s->first_len - s->first_passed, &n);
        if (step == UPGRADE_PASS && pass(s, n) < 0) {
            session_fail(s, "limit");
            return;
        }
    }
    if (step == UPGRADE_TLS)
        begin_tls(s);
    else if (step == UPGRADE_OVER && s->guessed)
        pass_guessed(s);
    else if (step == UPGRADE_OVER || nothing_to_watch(s))
        stop_watching(s);
    else if (step == UPGRADE_BAD)
        session_deny(s, "malformed");
    else
        wait_upgrading(s);
}

void session_pass_first(struct session *s)
{
    if (s->kind == SESSION_HOST_PORT) {
        splice_rest(s);
    } else if (s->is_tls) {
        send_hello(s);
    } else {
        s->guessed =
            s->first_len && first_bytes_classify(s->first, s->first_len) == FIRST_BYTES_NONE;
        s->state = SESSION_UPGRADING;
        step_upgrading(s);
    }
}

void session_watch_woken(struct session *s)
{
    if (s->state == SESSION_HELLO_ANSWER)
        go_on_answered(s);
    else if (s->state == SESSION_UPGRADING)
        step_upgrading(s);
    else if (s->state != SESSION_RELAYING || !s->unread || s->upgrade.family == UPGRADE_UNDECIDED)
        return;
    else if (upgrade_was_hidden(&s->upgrade))
        session_deny(s, "malformed");
    else
        relay_observe(s->relay, false);
}

void session_watch_timeout(struct session *s)
{
    if (s->state == SESSION_HELLO_ANSWER)
        session_fail(s, "upstream-timeout");
    else if (s->state == SESSION_UPGRADING)
        stop_watching(s);
    else
        session_deny(s, "limit");
}

static void watch_end(struct session *s, int error)
{
    if (error == -EMSGSIZE || error == -ENOMEM || error == -ENOBUFS)
        session_deny(s, "limit");
    else if (error != -ENODATA)
        session_fail(s, "reset");
    else if (s->state == SESSION_UPGRADING)
        stop_watching(s);
    else if (s->state == SESSION_SECOND_HELLO)
        end_second(s);
    else
        session_deny(s, "malformed");
}

void session_watch_client(struct session *s)
{
    bool reads = s->state == SESSION_UPGRADING || s->state == SESSION_SECOND_HELLO ||
                 s->state == SESSION_LATE_HELLO;
    int got = reads ? session_read(s) : 0;
    if (got < 0)
        watch_end(s, got);
    else if (s->state == SESSION_UPGRADING)
        step_upgrading(s);
    else if (s->state == SESSION_SECOND_HELLO)
        read_second(s);
    else if (s->state == SESSION_LATE_HELLO)
        session_judge_hello(s);
}
