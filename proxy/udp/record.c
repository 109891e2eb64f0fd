/* SPDX-License-Identifier: MIT
 * The records of a flow: its decision before anything leaves for it, its end, and what was kept out
 * of it. */
#include "udp/flow.h"

#include "audit/submit.h"

static struct record describe(const struct flow *f, enum record_event event,
                              const struct subject *s, const struct verdict *v, const char *name)
{
    struct record r = {.event = event};
    judge_record(f->udp->engine, s, v, &r);
    r.type = RECORD_UDP;
    if (name[0]) {
        r.host = text_of(name);
        r.name_from = RECORD_NAME_DNS;
    }
    return r;
}

struct submit_ticket *flow_record_connect(const struct flow *f, enum record_outcome outcome,
                                          const char *error,
                                          void (*done)(void *context, int status), void *context,
                                          int *status)
{
    struct record r = describe(f, RECORD_CONNECT, &f->subject, &f->verdict, f->name);
    r.conn = f->conn;
    r.outcome = outcome;
    r.error = text_of(error);
    return submit_record(f->udp->engine->submit, &r, done, context, status);
}

void flow_record_close(const struct flow *f, const char *error)
{
    struct record r = describe(f, RECORD_CLOSE, &f->subject, &f->verdict, f->name);
    int status;
    r.conn = f->conn;
    /* The decision was told before; what is new is how it ended. */
    r.policy = RECORD_POLICY_NONE;
    r.outcome = RECORD_OUTCOME_NONE;
    r.reason = text_of(NULL);
    r.error = text_of(error);
    r.has_totals = true;
    r.bytes_up = f->bytes_up;
    r.bytes_down = f->bytes_down;
    r.duration_ms = flow_now_ms() - f->started_ms;
    /* Nobody waits: what it tells has happened. */
    (void)submit_record(f->udp->engine->submit, &r, NULL, NULL, &status);
}

void flow_record_denied(const struct flow *f, const struct subject *s, const struct verdict *v,
                        const char *name)
{
    struct record r = describe(f, RECORD_DATAGRAM, s, v, name);
    int status;
    r.outcome = RECORD_DENIED;
    (void)submit_record(f->udp->engine->submit, &r, NULL, NULL, &status);
}
