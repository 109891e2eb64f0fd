/* SPDX-License-Identifier: MIT
 * Which events there are for a target, and what both policies say of them. */
#include "review/diff_ask.h"

#include <string.h>

#include "review/diff_paths.h"

enum { TARGET_COST_MAX = 200 * 1000 }; /* questions times processes: a limit on memory */

static bool is_named(const struct diff_target *t)
{
    return t->name != NULL;
}

static struct event event_of(const struct diff_target *t, enum event_stage stage, uint16_t port)
{
    struct event e = {.stage = stage, .proto = PROTO_TCP, .dst_port = port};
    if (is_named(t))
        e.host = t->name->name;
    if (t->block) {
        e.has_dst = true;
        e.dst_ip = t->block->low;
    }
    return e;
}

/* Returns its number plus 1; 0 without memory. */
static size_t add(struct diff_target *t, const struct diff_question *q)
{
    if (t->n == t->size) {
        size_t size = t->size ? 2 * t->size : 64;
        struct diff_question *list = arena_array(&t->arena, size, sizeof(*list));
        if (!list)
            return 0;
        if (t->n > 0)
            memcpy(list, t->questions, t->n * sizeof(*list));
        t->questions = list;
        t->size = size;
    }
    t->questions[t->n++] = *q;
    return t->n;
}

static size_t add_simple(struct diff_target *t, enum diff_kind kind, struct event event,
                         size_t port, size_t base)
{
    return add(t,
               &(struct diff_question){.kind = kind, .event = event, .port = port, .base = base});
}

static bool add_requests(struct diff_target *t, bool https, size_t port, size_t base)
{
    uint16_t number = t->ports.cells[port].low;
    struct diff_requests requests;
    bool any = false;
    for (size_t i = 0; i < t->rules.n; i++)
        any = any || (rule_is(t->rules.list[i], SET_URL) && t->rules.list[i]->url.https == https &&
                      t->rules.list[i]->url.port == number);
    if (!any)
        return true;
    if (!diff_requests_make(&t->arena, &t->rules, https, number, &requests))
        return false;
    t->exact = t->exact && requests.exact;
    for (size_t i = 0; i < requests.n_paths; i++) {
        for (size_t k = 0; k < requests.n_methods; k++) {
            struct diff_question q = {.kind = DIFF_REQUEST,
                                      .event = event_of(t, EVENT_REQUEST, number),
                                      .port = port,
                                      .https = https,
                                      .methods = requests.methods[k].set,
                                      .path = requests.paths[i].text,
                                      .base = base};
            q.event.https = https;
            q.event.method = requests.methods[k].method;
            q.event.path = requests.paths[i].path;
            if (!add(t, &q))
                return false;
        }
    }
    return true;
}

static bool add_port(struct diff_target *t, size_t port)
{
    uint16_t number = t->ports.cells[port].low;
    struct event raw = event_of(t, EVENT_ADDRESS, number), unknown = raw, http = raw, udp = raw;
    unknown.unknown_bytes = true;
    http.http = true;
    udp.proto = PROTO_UDP;
    size_t tcp = add_simple(t, DIFF_TCP, raw, port, 0);
    size_t tls = add_simple(t, DIFF_TLS, event_of(t, EVENT_TLS, number), port, 0);
    if (!tcp || !tls || (is_named(t) && !add_simple(t, DIFF_UNKNOWN, unknown, port, tcp)))
        return false;
    size_t plain = add_simple(t, DIFF_HTTP, http, port, tcp);
    if (!plain)
        return false;
    if (!is_named(t) && !add_simple(t, DIFF_UDP, udp, port, 0))
        return false;
    return add_requests(t, true, port, tls) && add_requests(t, false, port, plain);
}

static bool add_all(struct diff_target *t)
{
    if (is_named(t) && !t->block) {
        struct event e = event_of(t, EVENT_DNS, 53);
        e.proto = PROTO_UDP;
        e.resolver_is_self = true;
        if (!add_simple(t, DIFF_DNS, e, t->ports.n, 0))
            return false;
    }
    for (size_t i = 0; i < t->ports.n; i++)
        if (!add_port(t, i))
            return false;
    return true;
}

static bool verdicts_differ(const struct verdict *a, const struct verdict *b)
{
    if (a->action != b->action)
        return true;
    return a->action != VERDICT_DENY &&
           (a->passthrough != b->passthrough || a->insecure != b->insecure ||
            a->websocket != b->websocket);
}

/* Nothing else differs than whether a request may become a WebSocket. */
static bool differ_by_websocket(const struct diff_answer *a)
{
    return a->before.action == a->after.action && a->before.passthrough == a->after.passthrough &&
           a->before.insecure == a->after.insecure;
}

static struct diff_answer judge(const struct diff_target *t, const struct event *e)
{
    struct diff_answer a = {policy_match(t->before, e), policy_match(t->after, e), false};
    a.differs = verdicts_differ(&a.before, &a.after);
    return a;
}

bool diff_same_change(const struct diff_answer *a, const struct diff_answer *b)
{
    return a->differs == b->differs && !verdicts_differ(&a->before, &b->before) &&
           !verdicts_differ(&a->after, &b->after);
}

/* A name at an address: what the name alone, or the address alone, tells already is not told
 * again. */
static bool is_told_by_half(const struct diff_target *t, const struct event *e,
                            const struct diff_answer *a)
{
    struct event name = *e, address = *e;
    if (!is_named(t) || !t->block)
        return false;
    name.has_dst = false;
    address.host = NULL;
    struct diff_answer by_name = judge(t, &name), by_address = judge(t, &address);
    return (by_name.differs && diff_same_change(a, &by_name)) ||
           (by_address.differs && diff_same_change(a, &by_address));
}

static bool answer(struct diff_target *t)
{
    size_t width = t->who.n + 1;
    t->answers = arena_array(&t->arena, t->n * width + 1, sizeof(*t->answers));
    if (!t->answers)
        return false;
    for (size_t k = 0; k < width; k++) {
        const struct event_process *process;
        if (!diff_who_process(&t->arena, &t->who, k, &process))
            return false;
        for (size_t i = 0; i < t->n; i++) {
            const struct diff_question *q = &t->questions[i];
            struct diff_answer *a = &t->answers[i * width + k];
            struct event e = q->event;
            e.process = process;
            *a = judge(t, &e);
            if (a->differs && is_told_by_half(t, &e, a))
                a->differs = false;
        }
    }
    /* After all were asked: a base may itself have been told by a half. */
    for (size_t i = t->n; i-- > 0;) {
        const struct diff_question *q = &t->questions[i];
        for (size_t k = 0; q->base && k < width; k++) {
            struct diff_answer *a = &t->answers[i * width + k];
            const struct diff_answer *base = &t->answers[(q->base - 1) * width + k];
            if (base->differs && (diff_same_change(a, base) || differ_by_websocket(a)))
                a->differs = false;
        }
    }
    return true;
}

/* That a connection is opened, or no longer, is told by its requests, where there are any. */
static void leave_to_requests(struct diff_target *t)
{
    size_t width = t->who.n + 1;
    for (size_t i = 0; i < t->n; i++) {
        const struct diff_question *q = &t->questions[i];
        for (size_t k = 0; q->kind == DIFF_REQUEST && k < width; k++) {
            struct diff_answer *base = &t->answers[(q->base - 1) * width + k];
            bool inspects =
                base->before.action == VERDICT_INSPECT || base->after.action == VERDICT_INSPECT;
            if (t->answers[i * width + k].differs && inspects &&
                base->before.action != base->after.action)
                base->differs = false;
        }
    }
}

bool diff_ask(struct diff_target *t, const struct diff_rules *all, const struct diff_cells *cells,
              size_t *budget)
{
    uint32_t ip = t->block ? t->block->low : 0;
    t->exact = true;
    if (!diff_rules_about(&t->arena, all, t->name, t->block != NULL, ip, &t->rules) ||
        !diff_ports_make(&t->arena, &t->rules, cells, &t->ports) ||
        !diff_who_make(&t->arena, &t->rules, &t->who) || !add_all(t))
        return false;
    t->exact = t->exact && t->who.exact;
    size_t cost = t->n * (t->who.n + 1);
    if (cost > MIN(*budget, TARGET_COST_MAX)) {
        t->n = 0;
        t->exact = false;
        cost = 0;
    }
    *budget -= cost;
    if (!answer(t))
        return false;
    leave_to_requests(t);
    return true;
}
