/* SPDX-License-Identifier: MIT
 * The way of one query: strict reading, verdict, record, then refusal, an empty answer of our own,
 * or the resolver's answer, learnt before the client sees it. */
#include "dns/exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/places.h"
#include "audit/submit.h"
#include "dns/asking.h"

struct exchange {
    LIST_ENTRY(exchange) all;
    struct engine *engine;
    struct subject subject;
    bool self, tcp;
    struct dns_question question;
    struct verdict verdict;
    struct place place;
    struct places *places; /* in which it has one */
    enum asking paid;
    const char *reason; /* in the record of the query, in place of the verdict's */
    uint64_t conn;
    struct submit_ticket *ticket;
    struct forward_query *forward;
    exchange_reply *reply;
    void *context;
    uint8_t *message; /* what is sent when the record was written; owned */
    size_t message_len;
    size_t len; /* of the query, which follows */
    uint8_t query[];
};

static void exchange_free(struct exchange *x)
{
    struct engine *e = x->engine;
    submit_cancel(x->ticket);
    forward_cancel(x->forward);
    places_give(x->places, &x->place);
    process_unref(x->subject.process);
    free(x->message);
    LIST_REMOVE(x, all);
    free(x);
    engine_end(e);
}

static void finish(struct exchange *x, const void *message, size_t len)
{
    exchange_reply *reply = x->reply;
    void *context = x->context;
    uint8_t *keep = x->message; /* may be what message points to */
    x->message = NULL;
    exchange_free(x);
    reply(context, message, len);
    free(keep);
}

static void on_recorded(void *context, int status)
{
    struct exchange *x = context;
    x->ticket = NULL;
    /* No answer without a record: the client asks again, or fails. */
    finish(x, x->message, status == 0 ? x->message_len : 0);
}

/* Everything of the record but its event and outcome. */
static void describe(const struct exchange *x, struct record *r, char qtype[16])
{
    judge_record(x->engine, &x->subject, &x->verdict, r);
    r->type = RECORD_DNS;
    r->conn = x->conn;
    if (x->question.text[0]) {
        r->name = text_of(x->question.text);
        r->qtype = text_of(dns_type_name(x->question.type, qtype));
    }
}

/* The resolver: "self", or the address that the client named itself. */
static void add_resolver(const struct exchange *x, struct record *r, char room[32])
{
    struct in_addr in = {x->subject.flow.dst_ip};
    if (x->self)
        snprintf(room, 32, "self");
    else
        inet_ntop(AF_INET, &in, room, 32);
    r->resolver = text_of(room);
}

/* Records, then sends x->message. */
static void record(struct exchange *x, struct record *r)
{
    int status;
    x->ticket = submit_record(x->engine->submit, r, on_recorded, x, &status);
    if (!x->ticket)
        on_recorded(x, status);
}

/* Keeps the answer to be sent when its record was written. */
static void *make_room(struct exchange *x, size_t size)
{
    free(x->message);
    x->message_len = 0;
    return x->message = malloc(size);
}

/* What begins every record of this exchange. Strings borrow from room. */
struct words {
    char qtype[16], resolver[32], rcode[16];
};

static struct record begin_record(const struct exchange *x, enum record_event event,
                                  struct words *room)
{
    struct record r = {.event = event};
    describe(x, &r, room->qtype);
    add_resolver(x, &r, room->resolver);
    return r;
}

/* Why it is denied, where the verdict does not say: the name alone would be allowed. */
static const char *reason_of(const struct exchange *x)
{
    const char *host = x->question.is_host ? x->question.host : NULL;
    if (x->self || x->verdict.reason != REASON_NO_RULE)
        return NULL;
    struct verdict by_name = judge_query(x->engine, &x->subject, host, true);
    return by_name.action == VERDICT_ALLOW ? "resolver" : NULL;
}

/* Denied for a reason of its own, or the verdict's (NULL). why: for the client. */
static void deny(struct exchange *x, const char *reason, enum dns_rcode rcode, const char *why)
{
    struct words room;
    struct record r = begin_record(x, RECORD_QUERY, &room);
    r.outcome = RECORD_DENIED;
    if (reason)
        r.reason = text_of(reason);
    if (make_room(x, DNS_UDP_MAX))
        x->message_len = dns_write_reply(&x->question, x->query, rcode, DNS_EDE_BLOCKED, why,
                                         x->message, DNS_UDP_MAX);
    r.rcode = text_of(dns_rcode_name(rcode, room.rcode));
    record(x, &r);
}

/* No message that could be judged: dropped. */
static void drop_malformed(struct exchange *x)
{
    struct words room;
    x->question.text[0] = '\0';
    x->verdict = (struct verdict){.action = VERDICT_DENY};
    struct record r = begin_record(x, RECORD_QUERY, &room);
    r.outcome = RECORD_DENIED;
    r.reason = text_of("malformed");
    record(x, &r);
}

void exchange_drop(const struct exchange_options *o, const char *reason)
{
    const struct exchange x = {.engine = o->engine,
                               .subject = {o->flow, o->process},
                               .self = o->self,
                               .verdict = {.action = VERDICT_DENY},
                               .conn = engine_next_conn(o->engine)};
    struct words room;
    struct record r = begin_record(&x, RECORD_QUERY, &room);
    int status;
    r.outcome = RECORD_DENIED;
    r.reason = text_of(reason);
    (void)submit_record(o->engine->submit, &r, NULL, NULL, &status);
    process_unref(o->process);
}

/* A zone transfer is many messages, and no client of an allowlist needs one. */
static void refuse_transfer(struct exchange *x)
{
    struct words room;
    struct record r = begin_record(x, RECORD_QUERY, &room);
    r.outcome = RECORD_DENIED;
    r.reason = text_of("zone-transfer");
    r.rcode = text_of("REFUSED");
    if (make_room(x, DNS_UDP_MAX))
        x->message_len =
            dns_write_reply(&x->question, x->query, DNS_REFUSED, -1, NULL, x->message, DNS_UDP_MAX);
    record(x, &r);
}

/* IPv6 is closed, and service records would carry ECH keys and h3 hints: allowed names have none.
 */
static void answer_empty(struct exchange *x)
{
    struct words room;
    struct record r = begin_record(x, RECORD_QUERY, &room);
    r.outcome = RECORD_ALLOWED;
    r.rcode = text_of("NOERROR");
    if (make_room(x, DNS_UDP_MAX))
        x->message_len =
            dns_write_reply(&x->question, x->query, DNS_NOERROR, -1, NULL, x->message, DNS_UDP_MAX);
    record(x, &r);
}

/* Records what came of an allowed question, and sends the client what was made ready. The decision
 * is in the log already, so the answer need not wait for this record. */
static void conclude(struct exchange *x, struct record *r)
{
    int status;
    (void)submit_record(x->engine->submit, r, NULL, NULL, &status);
    finish(x, x->message, x->message_len);
}

static void fail(struct exchange *x, int status)
{
    struct words room;
    struct record r = begin_record(x, RECORD_ANSWER, &room);
    r.policy = RECORD_POLICY_NONE; /* it was told with the question */
    r.reason = text_of(NULL);
    r.outcome = RECORD_FAILED;
    if (status != -ECANCELED)
        r.rcode = text_of("SERVFAIL");
    r.error = text_of(status == -ETIMEDOUT      ? "resolver-timeout"
                      : status == -ECONNREFUSED ? "resolver-refused"
                      : status == -EBADMSG      ? "resolver-malformed"
                      : status == -ECANCELED    ? "interrupted"
                      : status == -EAGAIN       ? "limit"
                                                : "resolver-failed");
    /* Of one that was interrupted nobody is left to hear. */
    if (status != -ECANCELED && make_room(x, DNS_UDP_MAX))
        x->message_len = dns_write_reply(&x->question, x->query, DNS_SERVFAIL, -1, NULL, x->message,
                                         DNS_UDP_MAX);
    conclude(x, &r);
}

/* Whether the answers of whoever was asked bind names to machines: the filter's own resolvers, and
 * servers that a rule lets the client ask on the port of DNS. A rule for another port says that the
 * client may talk to that server, and not that the server says where other names lie. */
static bool teaches(const struct exchange *x)
{
    return x->question.is_host && (x->self || x->subject.flow.dst_port == 53);
}

/* What is learnt is in the log: of more addresses than a record holds, there are more records. */
static void learn(struct exchange *x, const struct dns_answer *a, struct record *r)
{
    int status;
    for (size_t i = 0; i < a->n_addresses; i++) {
        if (teaches(x))
            engine_learn(x->engine, x->question.host, a->addresses[i].ip, a->addresses[i].ttl);
        if (r->n_answers == RECORD_ANSWERS_MAX) {
            (void)submit_record(x->engine->submit, r, NULL, NULL, &status);
            r->n_answers = 0;
        }
        r->answers[r->n_answers++] =
            (struct record_answer){a->addresses[i].ip, a->addresses[i].ttl};
    }
}

static void on_answer(void *context, int status, const void *message, size_t len,
                      const struct dns_answer *a)
{
    struct exchange *x = context;
    struct words room;
    x->forward = NULL;
    if (status < 0) {
        fail(x, status);
        return;
    }
    struct record r = begin_record(x, RECORD_ANSWER, &room);
    r.outcome = RECORD_ALLOWED;
    r.rcode = text_of(dns_rcode_name(a->rcode, room.rcode));
    learn(x, a, &r);
    size_t limit = x->tcp ? DNS_MESSAGE_MAX : MIN(x->question.udp_size, DNS_UDP_MAX);
    size_t size = MAX(len + 64, DNS_UDP_MAX);
    if (make_room(x, size))
        x->message_len =
            dns_write_answer(&x->question, x->query, message, len, limit, x->message, size);
    conclude(x, &r);
}

/* Where the client sent it; of use only where that is not the filter itself. */
static struct resolver_address named_resolver(const struct exchange *x)
{
    return (struct resolver_address){ntohl(x->subject.flow.dst_ip), x->subject.flow.dst_port};
}

static struct process_key owner_of(const struct exchange *x)
{
    return x->subject.process ? x->subject.process->key : (struct process_key){0};
}

/* Another needs the place more. */
static void give_way(struct place *place)
{
    struct exchange *x = (struct exchange *)((char *)place - offsetof(struct exchange, place));
    forward_cancel(STEAL(x->forward));
    fail(x, -EAGAIN);
}

/* From the places of those that are judged to those that wait for a resolver. */
static bool change_place(struct exchange *x)
{
    const struct process_key owner = owner_of(x);
    places_give(x->places, &x->place);
    x->places = x->engine->asking;
    x->place.yield = give_way;
    return places_take(x->places, &x->place, &owner) == 0;
}

/* By a wildcard alone only so much may be asked. */
static enum asking pay(struct exchange *x)
{
    const struct resolver_address named = named_resolver(x);
    const struct kept_key key = forward_key(&x->question, x->self ? NULL : &named);
    return asking_pay(x->engine, x->subject.process, x->verdict.zone, &key);
}

static void deny_too_much(struct exchange *x)
{
    deny(x, ASKING_TOO_MUCH, DNS_REFUSED, "too much asked below a wildcard (egress-filter)");
}

static void forward(struct exchange *x)
{
    const struct resolver_address named = named_resolver(x);
    /* A rule that lets the client ask a server over TCP lets nothing go there over UDP. */
    const int tcp = !x->tcp ? 0 : x->self ? FORWARD_TCP : FORWARD_TCP_ALONE;
    const int how = tcp | (x->paid == ASKING_FREE ? FORWARD_KEPT : 0);
    x->forward = forward_query(x->engine->forwarder, &x->question, x->query,
                               x->self ? NULL : &named, how, on_answer, x);
    if (x->forward)
        return;
    const int error = errno;
    if (error != EKEYEXPIRED) {
        fail(x, -error);
        return;
    }
    /* What was kept is so no more: asked anew it tells something. */
    x->paid = pay(x);
    if (x->paid == ASKING_OVER && !x->engine->audit_mode)
        deny_too_much(x);
    else
        forward(x);
}

/* The question is in the log: now, and not before, it may leave. */
static void on_question_recorded(void *context, int status)
{
    struct exchange *x = context;
    x->ticket = NULL;
    if (status < 0) {
        finish(x, NULL, 0); /* no question without a record: the client asks again, or fails */
        return;
    }
    if (x->engine->ending) {
        fail(x, -ECANCELED);
        return;
    }
    if (change_place(x))
        forward(x);
    else
        fail(x, -EAGAIN);
}

static void ask(struct exchange *x)
{
    struct words room;
    struct record r = begin_record(x, RECORD_QUERY, &room);
    int status;
    r.outcome = RECORD_ALLOWED;
    if (x->reason)
        r.reason = text_of(x->reason);
    x->ticket = submit_record(x->engine->submit, &r, on_question_recorded, x, &status);
    if (!x->ticket)
        on_question_recorded(x, status);
}

/* What the verdict means for this question. */
static void go_on(struct exchange *x)
{
    uint16_t type = x->question.type;
    if (!judge_passes(x->engine, &x->verdict))
        deny(x, reason_of(x), DNS_NXDOMAIN, "denied by egress-filter");
    else if (type == DNS_AXFR || type == DNS_AXFR - 1)
        refuse_transfer(x);
    else if (type == DNS_AAAA || type == DNS_HTTPS || type == DNS_SVCB)
        answer_empty(x);
    else if ((x->paid = pay(x)) != ASKING_OVER)
        ask(x);
    else if (x->engine->audit_mode)
        x->reason = ASKING_TOO_MUCH, ask(x);
    else
        deny_too_much(x);
}

void exchange_start(const struct exchange_options *o)
{
    struct exchange *x = malloc(sizeof *x + o->len);
    if (!x) {
        process_unref(o->process);
        o->reply(o->context, NULL, 0);
        return;
    }
    *x = (struct exchange){.engine = o->engine,
                           .subject = {o->flow, o->process},
                           .self = o->self,
                           .tcp = o->tcp,
                           .conn = engine_next_conn(o->engine),
                           .reply = o->reply,
                           .context = o->context,
                           .places = o->engine->judging,
                           .len = o->len};
    const struct process_key owner = owner_of(x);
    if (places_take(x->places, &x->place, &owner)) {
        free(x);
        exchange_drop(o, "limit");
        o->reply(o->context, NULL, 0);
        return;
    }
    memcpy(x->query, o->query, o->len);
    LIST_INSERT_HEAD(&o->engine->exchanges, x, all);
    engine_begin(o->engine);
    if (dns_read_query(x->query, x->len, &x->question, NULL) < 0) {
        drop_malformed(x);
        return;
    }
    x->verdict =
        judge_query(o->engine, &x->subject, x->question.is_host ? x->question.host : NULL, o->self);
    go_on(x);
}

void exchanges_interrupt(struct engine *e)
{
    struct exchange *x = LIST_FIRST(&e->exchanges);
    while (x) {
        struct exchange *next = LIST_NEXT(x, all);
        if (x->forward) {
            forward_cancel(STEAL(x->forward));
            fail(x, -ECANCELED);
        }
        x = next;
    }
}
