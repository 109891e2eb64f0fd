/* SPDX-License-Identifier: MIT
 * The records of a session: one for its decision, written before anything leaves for it, and one at
 * its close. */
#include "audit/submit.h"
#include "session/session_state.h"

#include <assert.h>

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
    r->first_bytes =
        text_of(s->is_tls || s->said == FIRST_BYTES_NONE ? NULL : first_bytes_name(s->said));
    r->dialed_ip = s->dialed_ip != r->dst_ip ? s->dialed_ip : 0;
    if (s->reason)
        r->reason = text_of(s->reason);
    r->error = text_of(s->error);
}

void session_record_connect(struct session *s, enum record_outcome outcome,
                            void (*done)(void *context, int status))
{
    struct record r = {.event = RECORD_CONNECT};
    int status;
    assert(!s->ticket); /* it waits for one record at a time */
    describe(s, &r);
    r.outcome = outcome;
    s->ticket = submit_record(s->engine->submit, &r, done, s, &status);
    if (!s->ticket)
        done(s, status);
}

void session_record_close(struct session *s)
{
    struct record r = {.event = RECORD_CLOSE};
    int status;
    describe(s, &r);
    /* The decision was told before; what is new is how it ended. */
    r.policy = RECORD_POLICY_NONE;
    r.outcome = s->relay ? RECORD_OUTCOME_NONE : RECORD_FAILED;
    r.reason = text_of(NULL);
    r.has_totals = true;
    r.bytes_up = s->relay ? relay_bytes(s->relay, RELAY_UP) : 0;
    r.bytes_down = s->relay ? relay_bytes(s->relay, RELAY_DOWN) : 0;
    r.duration_ms = (session_now_us() - s->started_us) / 1000;
    /* Nobody waits: what it tells has happened. */
    (void)submit_record(s->engine->submit, &r, NULL, NULL, &status);
}
