/* SPDX-License-Identifier: MIT
 * Reads as one experiment: the event as the rule would have it, each part put back in turn, and the
 * matcher's word on whether the rule still matches. */
#include "review/explain_rule.h"

#include <errno.h>
#include <string.h>

#include "review/diff_fill.h"
#include "review/explain_who.h"
#include "review/witness.h"
#include "rules/address.h"
#include "rules/policy_struct.h"
#include "rules/service.h"

enum { PUBLIC_IP = 0x01010101 }; /* any address that a name may lie at */

/* An event and its process, which can be changed. */
struct draft {
    struct event event;
    struct event_process process;
};

static struct draft draft_of(const struct event *e)
{
    struct draft d = {.event = *e};
    if (e->process)
        d.process = *e->process; /* none at all is one of which nothing is known */
    return d;
}

struct event explain_normal(const struct event *e)
{
    struct event out = *e;
    uint32_t ip;
    bool literal = e->stage == EVENT_REQUEST || e->stage == EVENT_TLS;
    if (!literal || !e->host || !address_parse(e->host, strlen(e->host), &ip) ||
        (e->has_dst && e->dst_ip != ip))
        return out;
    out.host = NULL;
    out.has_dst = true;
    out.dst_ip = ip;
    return out;
}

struct event explain_asked(const struct event *e, enum explain_half half)
{
    struct event out = *e;
    if (half == EXPLAIN_NAME) {
        out.resolver_is_self = true;
    } else if (half == EXPLAIN_RESOLVER) {
        out.resolver_is_self = false;
        out.host = "a.example";
    }
    return out;
}

const struct rule *explain_any_name(void)
{
    static const struct rule any_name = {.action = RULE_ALLOW,
                                         .type = TARGET_DNS_HOST,
                                         .protos = RULE_TCP,
                                         .ports = {.any = true},
                                         .host = {.suffix = "a.example", .suffix_len = 9},
                                         .file = "",
                                         .text = "",
                                         .target = ""};
    return &any_name;
}

struct policy *explain_alone(const struct policy *p, const struct rule *r, enum explain_half half)
{
    struct policy *alone = policy_new();
    if (!alone)
        return NULL;
    if (policy_add(alone, r) == 0 &&
        (half != EXPLAIN_RESOLVER || policy_add(alone, explain_any_name()) == 0) &&
        policy_seal(alone) == 0) {
        alone->of_urls = p->of_urls; /* where bytes of no protocol keep names from counting */
        return alone;
    }
    policy_unref(alone);
    return NULL;
}

static bool matches(const struct policy *alone, const struct draft *d, enum explain_half half)
{
    struct event e = explain_asked(&d->event, half);
    e.process = &d->process;
    return policy_match(alone, &e).action != VERDICT_DENY;
}

static const char *method_of(const struct rule *r)
{
    static const char *const names[] = {"GET",    "HEAD",  "POST",    "PUT",
                                        "DELETE", "PATCH", "OPTIONS", "PROPFIND"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (method_of_request(names[i]) & r->methods)
            return names[i];
    return "GET";
}

/* The kind of traffic that the rule is about, as near to the event's own as there is one. */
static void suit_stage(const struct rule *r, struct event *e)
{
    if (rule_is(r, SET_DNS)) {
        e->stage = EVENT_DNS;
        e->resolver_is_self = true;
    } else if (rule_is(r, SET_URL) && e->stage != EVENT_DNS) {
        e->https = r->url.https;
        if (e->stage != EVENT_REQUEST)
            e->stage = r->url.https ? EVENT_TLS : EVENT_ADDRESS;
        e->http = e->stage == EVENT_ADDRESS;
    }
}

/* By the event's own name where it has one or should; else by one seen for its address. */
static bool suit_name(const struct rule *r, struct arena *arena, struct event *e)
{
    const char **seen = arena_array(arena, 1, sizeof(*seen));
    const char *name = witness_of_host(arena, &r->host);
    if (!seen || !name)
        return false;
    bool own = e->host || e->stage == EVENT_REQUEST || e->stage == EVENT_DNS;
    seen[0] = name;
    e->host = own ? name : NULL;
    e->names = seen;
    e->n_names = own ? 0 : 1;
    return true;
}

static void suit_service(const struct rule *r, struct event *e)
{
    bool tcp = r->protos & RULE_TCP;
    e->proto = e->proto == PROTO_UDP && (r->protos & RULE_UDP) ? PROTO_UDP
               : tcp                                           ? PROTO_TCP
                                                               : PROTO_UDP;
    e->dst_port = r->ports.any || r->ports.n == 0 ? 443 : r->ports.ranges[0].low;
}

static bool suit(const struct rule *r, struct arena *arena, struct draft *d)
{
    struct event *e = &d->event;
    suit_stage(r, e);
    suit_service(r, e);
    e->unknown_bytes = false;
    if (rule_goes_by_address(r)) {
        e->host = e->stage == EVENT_DNS ? e->host : NULL;
        e->n_names = 0;
        e->has_dst = true;
        e->dst_ip = rule_is(r, SET_ADDRESS) ? r->ip : r->url.ip;
    } else {
        e->dst_ip = PUBLIC_IP;
        if (!suit_name(r, arena, e))
            return false;
    }
    if (rule_is(r, SET_URL)) {
        e->method = method_of(r);
        e->path = diff_fill(arena, r->path, "x");
        if (!e->path)
            return false;
    }
    struct event_process as = d->process;
    return explain_who_suit(r, &as, arena, &d->process);
}

/* One part of the event as it was; each field belongs to one. */
static void put_back(enum lack lack, const struct draft *was, struct draft *d)
{
    const struct event *from = &was->event;
    struct event *to = &d->event;
    switch (lack) {
    case LACK_STAGE:
        to->stage = from->stage;
        to->http = from->http;
        to->https = from->https;
        to->resolver_is_self = from->resolver_is_self;
        break;
    case LACK_NAME:
        to->host = from->host;
        to->names = from->names;
        to->n_names = from->n_names;
        break;
    case LACK_ADDRESS:
    case LACK_PRIVATE:
        to->has_dst = from->has_dst;
        to->dst_ip = from->dst_ip;
        break;
    case LACK_BYTES:
        to->unknown_bytes = from->unknown_bytes;
        break;
    case LACK_PROTO:
        to->proto = from->proto;
        break;
    case LACK_PORT:
        to->dst_port = from->dst_port;
        break;
    case LACK_METHOD:
        to->method = from->method;
        break;
    case LACK_PATH:
        to->path = from->path;
        break;
    default:
        explain_who_copy(lack, &was->process, &d->process);
    }
}

/* What stays changed, so that the rule matches. Parts hang together (an address counts for a
 * name's sake, a container vouches for files), so it is tried again until nothing more goes back.
 */
static unsigned find_lacks(const struct policy *alone, const struct draft *was, struct draft *d,
                           enum explain_half half, bool by_address)
{
    const unsigned left_out = by_address ? 1u << LACK_PRIVATE : 1u << LACK_ADDRESS;
    unsigned lacks = ((1u << LACK_COUNT) - 1) & ~left_out, before;
    do {
        before = lacks;
        for (unsigned lack = LACK_COUNT; lack-- > 0;) {
            struct draft tried = *d;
            if (!(lacks >> lack & 1))
                continue;
            put_back((enum lack)lack, was, &tried);
            if (!matches(alone, &tried, half))
                continue;
            *d = tried;
            lacks &= ~(1u << lack);
        }
    } while (lacks != before);
    return lacks;
}

static int keep(const struct draft *d, struct arena *arena, struct explain_rule *out)
{
    struct event_process *process = arena_alloc(arena, sizeof(*process));
    struct event *event = arena_alloc(arena, sizeof(*event));
    if (!process || !event)
        return -ENOMEM;
    *process = d->process;
    *event = d->event;
    event->process = process;
    out->changed = event;
    out->process = process;
    return 1;
}

int explain_rule(const struct policy *p, const struct rule *r, const struct event *e,
                 struct arena *arena, struct explain_rule *out)
{
    const struct event normal = explain_normal(e);
    const struct draft was = draft_of(&normal);
    struct draft d = was;
    *out = (struct explain_rule){.rule = r};
    if (e->stage == EVENT_DNS)
        out->half = rule_is(r, SET_ADDRESS) ? EXPLAIN_RESOLVER : EXPLAIN_NAME;
    if (!suit(r, arena, &d))
        return -ENOMEM;
    struct policy *alone = explain_alone(p, r, out->half);
    if (!alone)
        return -ENOMEM;
    int found = 0;
    if (matches(alone, &d, out->half)) {
        out->lacks = find_lacks(alone, &was, &d, out->half, rule_goes_by_address(r));
        found = keep(&d, arena, out);
    }
    policy_unref(alone);
    return found;
}
