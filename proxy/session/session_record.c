/* SPDX-License-Identifier: MIT
 * The records of a session: one for its decision, one at its close. */
#include "audit/submit.h"
#include "session/session_state.h"

#include <time.h>

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static void describe(const struct session *s, struct record *r)
{
    judge_record(s->engine, &s->subject, &s->verdict, r);
    r->type = s->is_tls ? RECORD_HTTPS : RECORD_TCP;
    r->conn = s->conn;
    if (s->host[0]) {
        r->host = text_of(s->host);
        r->name_from = s->name_from;
    }
    r->has_opened = s->is_tls;
    r->dialed_ip = s->dialed_ip != r->dst_ip ? s->dialed_ip : 0;
    if (s->reason)
        r->reason = text_of(s->reason);
}

void session_record_connect(struct session *s, enum record_outcome outcome, const char *error,
                            void (*done)(void *context, int status))
{
    struct record r = {.event = RECORD_CONNECT};
    int status;
    describe(s, &r);
    r.outcome = outcome;
    r.error = text_of(error);
    s->ticket = submit_record(s->engine->submit, &r, done, s, &status);
    if (!s->ticket && done)
        done(s, status);
}

void session_record_close(struct session *s)
{
    struct record r = {.event = RECORD_CLOSE};
    int status;
    describe(s, &r);
    r.policy = RECORD_POLICY_NONE;
    r.outcome = RECORD_OUTCOME_NONE;
    r.reason = text_of(NULL);
    r.has_totals = true;
    r.bytes_up = relay_bytes(s->relay, RELAY_UP);
    r.bytes_down = relay_bytes(s->relay, RELAY_DOWN);
    r.duration_ms = (now_us() - s->started_us) / 1000;
    /* Nobody waits: what it tells has happened. */
    (void)submit_record(s->engine->submit, &r, NULL, NULL, &status);
}
