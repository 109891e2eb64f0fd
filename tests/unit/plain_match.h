/* SPDX-License-Identifier: MIT
 * The plain matcher: goes through all rules, one after the other, and reads like sections 6 and 7
 * of the language. It judges the compiled one, which must agree in every field. */
#pragma once

#include <string.h>

#include "rules/address.h"
#include "rules/host.h"
#include "rules/path.h"
#include "rules/policy_struct.h"
#include "rules/process.h"
#include "rules/service.h"

enum part {
    PART_NONE,
    PART_VETO,
    PART_URL_VETO, /* at the TLS stage: nothing may go by unread */
    PART_ALLOW,
    PART_INSPECT, /* a url or path rule at the TLS stage */
};

enum class {
    CLASS_VETO,
    CLASS_URL_VETO,
    CLASS_PASSTHROUGH,
    CLASS_INSECURE,
    CLASS_INSECURE_INSPECT, /* insecure on a url rule, at the TLS stage */
    CLASS_ALLOW,
    CLASS_INSPECT,
    CLASS_BLOCKED, /* would allow, were the address not private */
    CLASS_COUNT,
};

struct judge {
    const struct policy *policy;
    const struct event *event;
    struct subject subject;
    const char *name; /* being looked at; NULL while an address is */
    size_t name_len;
    bool own_name;    /* the event's own, not one that was seen for its address */
    bool has_literal; /* a request, or TLS without SNI, to an address instead of a name */
    uint32_t literal;
    bool has_address;
    uint32_t address;
    unsigned method;  /* enum rule_method; 0: none */
    const char *path; /* normal form, or NULL where it has none */
    size_t path_len;
    /* Findings: the first rule of each class, in file order. */
    const struct rule *first[CLASS_COUNT];
    const char *first_name[CLASS_COUNT]; /* by which it matched; NULL: by address */
    bool veto_unknown, url_veto_unknown; /* only an unknown fact made it match */
    bool missed;                         /* an unknown fact kept an allow rule from matching */
    bool websocket, private;
    bool by_address; /* some rule allows the address, whatever the name */
    bool by_exact;   /* a look-up: some rule that allows it names it without a wildcard */
    const struct host_pattern *wildcard; /* the one with the longest fixed part of those others */
};

static const struct rule *earlier(const struct rule *a, const struct rule *b)
{
    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

static bool service_matches(const struct rule *r, const struct event *e)
{
    unsigned proto = e->proto == PROTO_TCP ? RULE_TCP : e->proto == PROTO_UDP ? RULE_UDP : 0;
    return (r->protos & proto) && ports_contain(&r->ports, e->dst_port);
}

/* URLs that carry an address are about requests to that literal address only. */
static bool url_is_about(const struct judge *j, const struct rule *r)
{
    if (!r->url.by_address)
        return j->name != NULL;
    if (j->name || !j->has_literal)
        return false;
    if (r->action == RULE_DENY)
        return r->url.ip == j->literal || (j->has_address && r->url.ip == j->address);
    return r->url.ip == j->literal && (!j->has_address || r->url.ip == j->address);
}

static bool request_matches(const struct judge *j, const struct rule *r)
{
    if (r->url.https != j->event->https || !(r->methods & j->method))
        return false;
    if (!j->path)
        return r->action == RULE_DENY;
    return path_pattern_matches(r->path, j->path, j->path_len);
}

static enum part part_of_url(const struct judge *j, const struct rule *r)
{
    const struct event *e = j->event;
    if (!url_is_about(j, r) || !service_matches(r, e))
        return PART_NONE;
    bool unread = e->stage == EVENT_TLS || (e->stage == EVENT_ADDRESS && e->http);
    if (unread && r->url.https == (e->stage == EVENT_TLS))
        return r->action == RULE_DENY ? PART_URL_VETO : PART_INSPECT;
    /* A name that was only seen for the address does not make a request one for that name. */
    if (e->stage != EVENT_REQUEST || (j->name && !j->own_name) || !request_matches(j, r))
        return PART_NONE;
    return r->action == RULE_DENY ? PART_VETO : PART_ALLOW;
}

static enum part part_of_host(const struct judge *j, const struct rule *r)
{
    const struct event *e = j->event;
    if (!service_matches(r, e))
        return PART_NONE;
    if (r->action == RULE_DENY)
        return PART_VETO;
    bool by_name = e->proto == PROTO_TCP && (j->own_name || e->stage != EVENT_REQUEST);
    if (e->stage == EVENT_ADDRESS && e->unknown_bytes &&
        (e->dst_port == 80 || e->dst_port == 443 || port_set_has(&j->policy->of_urls, e->dst_port)))
        by_name = false;
    return by_name ? PART_ALLOW : PART_NONE;
}

static enum part part_of_address(const struct judge *j, const struct rule *r)
{
    if (j->name || !j->has_address || (j->address & r->mask) != r->ip ||
        !service_matches(r, j->event))
        return PART_NONE;
    return r->action == RULE_DENY ? PART_VETO : PART_ALLOW;
}

static enum part part_of(const struct judge *j, const struct rule *r)
{
    if (j->name && !host_pattern_matches(&r->host, j->name, j->name_len))
        return PART_NONE;
    if (rule_is(r, SET_URL))
        return part_of_url(j, r);
    if (rule_is(r, SET_HOST))
        return part_of_host(j, r);
    return rule_is(r, SET_ADDRESS) ? part_of_address(j, r) : PART_NONE;
}

static bool goes_by_address(const struct rule *r)
{
    return rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address);
}

static bool is_blocked(const struct judge *j, const struct rule *r)
{
    if (goes_by_address(r) || !j->event->has_dst)
        return false;
    uint32_t ip = j->event->dst_ip;
    return address_is_metadata(ip) || (address_is_private(ip) && !(r->keywords & KEYWORD_PRIVATE));
}

static enum class class_of(const struct judge *j, const struct rule *r, enum part part) {
    if (is_blocked(j, r)) return CLASS_BLOCKED;
    if (r->keywords & KEYWORD_PASSTHROUGH) return CLASS_PASSTHROUGH;
    if (r->keywords & KEYWORD_INSECURE) return part == PART_INSPECT ? CLASS_INSECURE_INSPECT
                                                                    : CLASS_INSECURE;
    return part == PART_INSPECT ? CLASS_INSPECT : CLASS_ALLOW;
}

static void note(struct judge *j, enum class class, const struct rule *r)
{
    if (j->first[class] && j->first[class] <= r)
        return;
    j->first[class] = r;
    j->first_name[class] = j->name;
}

static void note_veto(struct judge *j, enum class class, const struct rule *r, bool unknown,
                      bool *flag)
{
    note(j, class, r);
    if (j->first[class] == r)
        *flag = unknown;
}

static void consider(struct judge *j, const struct rule *r)
{
    enum part part = part_of(j, r);
    if (part == PART_NONE)
        return;
    enum truth suits = selectors_suit(r->selectors, r->n_selectors, &j->subject);
    if (suits == TRUTH_NO)
        return;
    if (part == PART_VETO)
        return note_veto(j, CLASS_VETO, r, suits == TRUTH_UNKNOWN, &j->veto_unknown);
    if (part == PART_URL_VETO)
        return note_veto(j, CLASS_URL_VETO, r, suits == TRUTH_UNKNOWN, &j->url_veto_unknown);
    if (suits == TRUTH_UNKNOWN) {
        j->missed = j->missed || !is_blocked(j, r);
        return;
    }
    enum class class = class_of(j, r, part);
    note(j, class, r);
    if (class == CLASS_BLOCKED)
        return;
    j->private = j->private || (r->keywords & KEYWORD_PRIVATE);
    j->by_address = j->by_address || goes_by_address(r);
    j->websocket = j->websocket || !rule_is(r, SET_URL) || (r->keywords & KEYWORD_WEBSOCKET);
}

static void consider_name(struct judge *j, const char *name, bool own)
{
    j->name = name;
    j->name_len = strlen(name);
    j->own_name = own;
    for (size_t i = 0; i < j->policy->n_rules; i++)
        if (!goes_by_address(&j->policy->rules[i]))
            consider(j, &j->policy->rules[i]);
    j->name = NULL;
}

static void consider_address(struct judge *j, uint32_t ip)
{
    for (size_t i = 0; i < j->policy->n_rules; i++) {
        const struct rule *r = &j->policy->rules[i];
        if (rule_is(r, SET_ADDRESS) ? (ip & r->mask) == r->ip
                                    : goes_by_address(r) && r->url.ip == ip)
            consider(j, r);
    }
}

static void consider_all(struct judge *j)
{
    const struct event *e = j->event;
    if (e->host && !j->has_literal)
        consider_name(j, e->host, true);
    for (size_t i = 0; i < e->n_names && (!e->host || j->has_literal); i++)
        consider_name(j, e->names[i], false);
    if (j->has_address)
        consider_address(j, j->address);
    if (j->has_literal && (!j->has_address || j->literal != j->address))
        consider_address(j, j->literal);
}

static void fill_rule(struct verdict *v, const struct judge *j, const struct rule *r)
{
    for (size_t class = 0; class < CLASS_COUNT && !v->name; class ++)
        if (j->first[class] == r)
            v->name = j->first_name[class];
    v->file = r->file;
    v->line = r->line;
    v->rule = r->text;
}

static struct verdict deny_by(const struct judge *j, const struct rule *veto, bool unknown)
{
    struct verdict v = {.action = VERDICT_DENY, .reason = REASON_VETO, .unattributed = unknown};
    v.expected = (veto->keywords & KEYWORD_EXPECTED) != 0;
    fill_rule(&v, j, veto);
    return v;
}

static struct verdict deny_without(const struct judge *j)
{
    struct verdict v = {.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (j->missed) {
        v.unattributed = true;
    } else if (j->first[CLASS_BLOCKED]) {
        v.reason = REASON_PRIVATE_ADDRESS;
        fill_rule(&v, j, j->first[CLASS_BLOCKED]);
    }
    return v;
}

static struct verdict decide(const struct judge *j)
{
    const struct rule *const *first = j->first;
    if (first[CLASS_VETO])
        return deny_by(j, first[CLASS_VETO], j->veto_unknown);
    const struct rule *insecure = earlier(first[CLASS_INSECURE], first[CLASS_INSECURE_INSPECT]);
    const struct rule *rule = first[CLASS_PASSTHROUGH];
    rule = rule ? rule : insecure;
    rule = rule ? rule : first[CLASS_ALLOW];
    rule = rule ? rule : first[CLASS_INSPECT];
    if (!rule)
        return deny_without(j);
    bool allow = first[CLASS_PASSTHROUGH] || first[CLASS_INSECURE] || first[CLASS_ALLOW];
    bool stopped = allow && first[CLASS_URL_VETO];
    struct verdict v = {
        .action = allow && !stopped ? VERDICT_ALLOW : VERDICT_INSPECT,
        .passthrough = first[CLASS_PASSTHROUGH] && !stopped,
        .private = j->private,
        .websocket = j->event->stage == EVENT_REQUEST && j->websocket,
        .by_address = j->by_address,
        .unattributed = stopped && j->url_veto_unknown,
    };
    v.insecure = insecure && !v.passthrough;
    fill_rule(&v, j, stopped ? first[CLASS_URL_VETO] : rule);
    return v;
}

/* The two halves of a DNS query are two questions with one set of findings each. */
static enum part part_of_lookup(const struct judge *j, const struct rule *r)
{
    const struct event *e = j->event;
    if (!j->name) {
        unsigned proto = e->proto == PROTO_TCP   ? RULE_TCP | RULE_UDP
                         : e->proto == PROTO_UDP ? RULE_UDP
                                                 : 0;
        if (!rule_is(r, SET_ADDRESS) || (e->dst_ip & r->mask) != r->ip || !(r->protos & proto) ||
            !ports_contain(&r->ports, e->dst_port))
            return PART_NONE;
        return r->action == RULE_DENY ? PART_VETO : PART_ALLOW;
    }
    if (rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address) ||
        !host_pattern_matches(&r->host, j->name, j->name_len))
        return PART_NONE;
    if (r->action == RULE_ALLOW)
        return PART_ALLOW;
    return rule_is(r, SET_URL) || r->port_limited ? PART_NONE : PART_VETO;
}

static void note_pattern(struct judge *j, const struct host_pattern *h)
{
    if (host_pattern_is_exact(h))
        j->by_exact = true;
    else if (!j->wildcard || h->suffix_len > j->wildcard->suffix_len)
        j->wildcard = h;
}

static void consider_lookup(struct judge *j, const struct rule *r)
{
    enum part part = part_of_lookup(j, r);
    enum truth suits =
        part == PART_NONE ? TRUTH_NO : selectors_suit(r->selectors, r->n_selectors, &j->subject);
    if (suits == TRUTH_NO)
        return;
    if (part == PART_VETO) {
        note_veto(j, CLASS_VETO, r, suits == TRUTH_UNKNOWN, &j->veto_unknown);
    } else if (suits == TRUTH_YES) {
        note(j, CLASS_ALLOW, r);
        if (j->name)
            note_pattern(j, &r->host);
    } else {
        j->missed = true;
    }
}

static struct verdict match_dns(const struct policy *p, const struct event *e)
{
    struct judge name = {.policy = p, .event = e, .subject = {e->process, 0}};
    struct judge resolver = name;
    bool self = e->resolver_is_self;
    if (e->host) {
        name.name = e->host;
        name.name_len = strlen(e->host);
        for (size_t i = 0; i < p->n_rules; i++)
            consider_lookup(&name, &p->rules[i]);
    }
    if (e->has_dst && !self)
        for (size_t i = 0; i < p->n_rules; i++)
            consider_lookup(&resolver, &p->rules[i]);
    const struct rule *veto = earlier(name.first[CLASS_VETO], resolver.first[CLASS_VETO]);
    if (veto) {
        const struct judge *half = veto == name.first[CLASS_VETO] ? &name : &resolver;
        return deny_by(half, veto, half->veto_unknown);
    }
    const struct rule *by_name = name.first[CLASS_ALLOW];
    bool by_resolver = self || resolver.first[CLASS_ALLOW];
    struct verdict v = {.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (by_name && by_resolver) {
        v = (struct verdict){.action = VERDICT_ALLOW};
        v.zone = name.by_exact ? NULL : name.wildcard->suffix;
        fill_rule(&v, &name, by_name);
    } else {
        v.unattributed = (by_name || name.missed) && (by_resolver || resolver.missed);
    }
    return v;
}

static void judge_init(struct judge *j, const struct policy *p, const struct event *e)
{
    *j = (struct judge){.policy = p, .event = e, .subject = {e->process, 0}};
    j->has_address = e->has_dst;
    j->address = e->dst_ip;
    if (e->host)
        j->has_literal = address_parse(e->host, strlen(e->host), &j->literal);
    else if (e->has_dst && (e->stage == EVENT_REQUEST || e->stage == EVENT_TLS))
        j->has_literal = true, j->literal = e->dst_ip;
    if (!j->has_address && j->has_literal) {
        j->has_address = true;
        j->address = j->literal;
    }
    if (e->stage == EVENT_REQUEST && e->method)
        j->method = method_of_request(e->method);
}

static inline struct verdict plain_match(const struct policy *p, const struct event *e)
{
    struct judge j;
    char path[RULE_PATH_MAX];
    if (e->stage == EVENT_OTHER || p->open)
        return (struct verdict){.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (e->stage == EVENT_DNS)
        return match_dns(p, e);
    judge_init(&j, p, e);
    if (e->stage == EVENT_REQUEST && e->path &&
        rule_path_normalize(e->path, strlen(e->path), path, sizeof(path), &j.path_len) == 0)
        j.path = path;
    consider_all(&j);
    return decide(&j);
}
