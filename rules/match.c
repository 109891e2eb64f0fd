/* SPDX-License-Identifier: MIT
 * Verdicts. Reads like sections 6 and 7 of the language: what part a rule plays at a stage, which
 * rank it is in, whether it is about this name, path and process, and at the end which rank
 * decides. What is cheap to ask is asked first, and nothing of a rule that would change nothing. */
#include <string.h>

#include "rules/address.h"
#include "rules/glob.h"
#include "rules/path.h"
#include "rules/policy_struct.h"
#include "rules/process.h"
#include "rules/seek.h"
#include "rules/service.h"

enum rank {
    RANK_VETO,
    RANK_URL_VETO, /* at the TLS stage: nothing may go by unread */
    RANK_PASSTHROUGH,
    RANK_INSECURE,
    RANK_INSECURE_INSPECT, /* insecure on a url rule, at the TLS stage */
    RANK_ALLOW,
    RANK_INSPECT, /* a url or path rule at the TLS stage */
    RANK_BLOCKED, /* would allow, were the address not private */
    RANK_COUNT,
    RANK_NONE = RANK_COUNT, /* not about this event */
};

/* What any rule of the ranks that allow adds, whether or not it is the one that decides. */
enum addition {
    ADDS_PRIVATE = 1 << 0,
    ADDS_BY_ADDRESS = 1 << 1, /* the address is allowed, whatever the name */
    ADDS_WEBSOCKET = 1 << 2,
};

/* Whether a name may lie at an address. */
enum whereabouts { WHERE_NOT_ASKED, WHERE_PUBLIC, WHERE_PRIVATE, WHERE_METADATA };

enum { NO_RULE = UINT32_MAX, MEMO_SIZE = 256 };

/* Truths of selector sets that were asked for this event. Two sets may share a place. */
struct memo {
    uint64_t filled[MEMO_SIZE / 64];
    uint32_t set[MEMO_SIZE];
    uint8_t truth[MEMO_SIZE];
};

struct judge {
    struct seeker seeker;
    const struct policy *policy;
    const struct event *event;
    struct subject subject;
    struct memo *memo;
    const char *name; /* being looked at; NULL while an address is */
    bool own_name;    /* the event's own, not one that was seen for its address */
    bool has_literal; /* a request, or TLS without SNI, to an address instead of a name */
    uint32_t literal;
    bool has_address;
    uint32_t address;
    enum whereabouts where; /* of the address that the event goes to */
    bool unknown_here;      /* bytes of no protocol, at a port where names do not count */
    unsigned protos;        /* ENTRY_TCP, ENTRY_UDP: those that a rule must have one of */
    unsigned method;        /* enum rule_method; 0: none */
    /* Findings: the first rule of each rank, in file order, or NO_RULE. */
    uint32_t first[RANK_COUNT];
    const char *first_name[RANK_COUNT]; /* by which it matched; NULL: by address */
    bool unknown[RANK_COUNT];           /* of vetoes: only an unknown fact made it match */
    bool missed;                        /* an unknown fact kept an allow rule from matching */
    unsigned added;                     /* enum addition */
    uint32_t closest; /* a look-up: the allowing rule with the longest fixed part, or NO_RULE */
    uint8_t fixed;    /* its length, as in struct entry */
};

static const struct rule *rule_of(const struct judge *j, const struct entry *e)
{
    return &j->policy->rules[e->rule];
}

static bool port_matches(const struct judge *j, const struct entry *e)
{
    uint16_t port = j->event->dst_port;
    if (e->low <= e->high)
        return port >= e->low && port <= e->high;
    return ports_contain(&rule_of(j, e)->ports, port);
}

static bool service_matches(const struct judge *j, const struct entry *e)
{
    return (e->flags & j->protos) && port_matches(j, e);
}

static enum whereabouts find_whereabouts(const struct event *e)
{
    if (!e->has_dst)
        return WHERE_PUBLIC;
    if (address_is_metadata(e->dst_ip))
        return WHERE_METADATA;
    return address_is_private(e->dst_ip) ? WHERE_PRIVATE : WHERE_PUBLIC;
}

static bool is_blocked(struct judge *j, const struct entry *e)
{
    if (!j->name)
        return false;
    if (j->where == WHERE_NOT_ASKED)
        j->where = find_whereabouts(j->event);
    return j->where == WHERE_METADATA ||
           (j->where == WHERE_PRIVATE && !(e->keywords & KEYWORD_PRIVATE));
}

static enum rank rank_of_allow(struct judge *j, const struct entry *e, bool unread)
{
    if (is_blocked(j, e))
        return RANK_BLOCKED;
    if (e->keywords & KEYWORD_PASSTHROUGH)
        return RANK_PASSTHROUGH;
    if (e->keywords & KEYWORD_INSECURE)
        return unread ? RANK_INSECURE_INSPECT : RANK_INSECURE;
    return unread ? RANK_INSPECT : RANK_ALLOW;
}

/* URLs that carry an address are about requests to that literal address only. */
static bool url_is_about(const struct judge *j, const struct entry *e)
{
    if (j->name || (e->flags & ENTRY_DENY))
        return true;
    return rule_of(j, e)->url.ip == j->literal && j->literal == j->address;
}

static enum rank rank_of_url(struct judge *j, const struct entry *e)
{
    const struct event *event = j->event;
    bool deny = e->flags & ENTRY_DENY, https = e->flags & ENTRY_HTTPS;
    if (!url_is_about(j, e) || !service_matches(j, e))
        return RANK_NONE;
    if (event->stage != EVENT_REQUEST) {
        if (https != (event->stage == EVENT_TLS))
            return RANK_NONE;
        return deny ? RANK_URL_VETO : rank_of_allow(j, e, true);
    }
    /* A name that was only seen for the address does not make a request one for that name. */
    if ((j->name && !j->own_name) || https != event->https || !(e->methods & j->method))
        return RANK_NONE;
    if (!j->seeker.path && !deny)
        return RANK_NONE;
    return deny ? RANK_VETO : rank_of_allow(j, e, false);
}

static enum rank rank_of_host(struct judge *j, const struct entry *e)
{
    const struct event *event = j->event;
    if ((e->flags & ENTRY_DNS) || !service_matches(j, e))
        return RANK_NONE;
    if (e->flags & ENTRY_DENY)
        return RANK_VETO;
    bool by_name = event->proto == PROTO_TCP && !j->unknown_here &&
                   (j->own_name || event->stage != EVENT_REQUEST);
    return by_name ? rank_of_allow(j, e, false) : RANK_NONE;
}

static enum rank rank_of_address(struct judge *j, const struct entry *e)
{
    if (!service_matches(j, e))
        return RANK_NONE;
    return e->flags & ENTRY_DENY ? RANK_VETO : rank_of_allow(j, e, false);
}

static enum rank rank_of(struct judge *j, const struct entry *e)
{
    if (e->flags & ENTRY_URL)
        return rank_of_url(j, e);
    return e->flags & ENTRY_ADDRESS ? rank_of_address(j, e) : rank_of_host(j, e);
}

static bool is_veto(enum rank rank)
{
    return rank == RANK_VETO || rank == RANK_URL_VETO;
}

static unsigned additions(const struct judge *j, const struct entry *e, enum rank rank)
{
    if (is_veto(rank) || rank == RANK_BLOCKED)
        return 0;
    bool websocket = !(e->flags & ENTRY_URL) || (e->keywords & KEYWORD_WEBSOCKET);
    return (e->keywords & KEYWORD_PRIVATE ? ADDS_PRIVATE : 0u) | (j->name ? 0u : ADDS_BY_ADDRESS) |
           (websocket ? ADDS_WEBSOCKET : 0u);
}

/* Whether nothing about the verdict would be different, were the entry to match. */
static bool adds_nothing(const struct judge *j, const struct entry *e, enum rank rank)
{
    if (j->first[RANK_VETO] != NO_RULE && rank != RANK_VETO)
        return true;
    return j->first[rank] <= e->rule && !(additions(j, e, rank) & ~j->added);
}

static bool patterns_match(const struct judge *j, const struct entry *e, const char *label,
                           size_t label_len)
{
    const struct rule *r = rule_of(j, e);
    if (label && !glob_matches(r->host.glob, strlen(r->host.glob), label, label_len))
        return false;
    if (!(e->flags & ENTRY_URL) || j->event->stage != EVENT_REQUEST)
        return true;
    /* A path without a normal form is what every veto is about. */
    return !j->seeker.path || path_pattern_matches(r->path, j->seeker.path, j->seeker.path_len);
}

/* Each set is asked once an event, but where two of more than MEMO_SIZE sets come in turn. */
static enum truth set_suits(struct judge *j, uint32_t set)
{
    struct memo *memo = j->memo;
    size_t at = set % MEMO_SIZE;
    uint64_t bit = UINT64_C(1) << at % 64;
    if (set == 0)
        return TRUTH_YES;
    if (!j->subject.process)
        return TRUTH_UNKNOWN;
    if ((memo->filled[at / 64] & bit) && memo->set[at] == set)
        return (enum truth)memo->truth[at];
    const struct selector_set *s = &j->seeker.matcher->sets[set];
    enum truth truth = selectors_suit(s->list, s->n, &j->subject);
    memo->filled[at / 64] |= bit;
    memo->set[at] = set;
    memo->truth[at] = (uint8_t)truth;
    return truth;
}

static void note(struct judge *j, enum rank rank, const struct entry *e, enum truth suits)
{
    if (j->first[rank] <= e->rule)
        return;
    j->first[rank] = e->rule;
    j->first_name[rank] = j->name;
    j->unknown[rank] = suits == TRUTH_UNKNOWN;
}

static void consider(void *context, const struct entry *e, const char *label, size_t label_len)
{
    struct judge *j = context;
    enum rank rank = rank_of(j, e);
    if (rank == RANK_NONE || adds_nothing(j, e, rank) || !patterns_match(j, e, label, label_len))
        return;
    enum truth suits = set_suits(j, e->set);
    if (suits == TRUTH_NO)
        return;
    if (suits == TRUTH_UNKNOWN && !is_veto(rank)) {
        j->missed = j->missed || rank != RANK_BLOCKED;
        return;
    }
    note(j, rank, e, suits);
    j->added |= additions(j, e, rank);
}

static void consider_name(struct judge *j, const char *name, bool own)
{
    j->name = name;
    j->own_name = own;
    seek_name(&j->seeker, name, strlen(name));
    j->name = NULL;
}

static void consider_all(struct judge *j)
{
    const struct event *e = j->event;
    if (e->host && !j->has_literal)
        consider_name(j, e->host, true);
    for (size_t i = 0; i < e->n_names && (!e->host || j->has_literal); i++)
        consider_name(j, e->names[i], false);
    if (j->has_address)
        seek_blocks(&j->seeker, j->address);
    if (!j->has_literal)
        return;
    seek_address_urls(&j->seeker, j->literal);
    if (j->literal != j->address)
        seek_address_urls(&j->seeker, j->address);
}

static void fill_rule(struct verdict *v, const struct judge *j, uint32_t number)
{
    const struct rule *r = &j->policy->rules[number];
    for (size_t rank = 0; rank < RANK_COUNT && !v->name; rank++)
        if (j->first[rank] == number)
            v->name = j->first_name[rank];
    v->file = r->file;
    v->line = r->line;
    v->rule = r->text;
}

static struct verdict deny_by(const struct judge *j)
{
    uint32_t veto = j->first[RANK_VETO];
    struct verdict v = {
        .action = VERDICT_DENY,
        .reason = REASON_VETO,
        .unattributed = j->unknown[RANK_VETO],
        .expected = j->policy->rules[veto].keywords & KEYWORD_EXPECTED,
    };
    fill_rule(&v, j, veto);
    return v;
}

static struct verdict deny_without(const struct judge *j)
{
    struct verdict v = {.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (j->missed) {
        v.unattributed = true;
    } else if (j->first[RANK_BLOCKED] != NO_RULE) {
        v.reason = REASON_PRIVATE_ADDRESS;
        fill_rule(&v, j, j->first[RANK_BLOCKED]);
    }
    return v;
}

static struct verdict decide(const struct judge *j)
{
    const uint32_t *first = j->first;
    if (first[RANK_VETO] != NO_RULE)
        return deny_by(j);
    uint32_t insecure = MIN(first[RANK_INSECURE], first[RANK_INSECURE_INSPECT]);
    uint32_t rule = first[RANK_PASSTHROUGH];
    rule = rule != NO_RULE ? rule : insecure;
    rule = rule != NO_RULE ? rule : first[RANK_ALLOW];
    rule = rule != NO_RULE ? rule : first[RANK_INSPECT];
    if (rule == NO_RULE)
        return deny_without(j);
    bool allow = first[RANK_PASSTHROUGH] != NO_RULE || first[RANK_INSECURE] != NO_RULE ||
                 first[RANK_ALLOW] != NO_RULE;
    bool stopped = allow && first[RANK_URL_VETO] != NO_RULE;
    struct verdict v = {
        .action = allow && !stopped ? VERDICT_ALLOW : VERDICT_INSPECT,
        .passthrough = first[RANK_PASSTHROUGH] != NO_RULE && !stopped,
        .private = j->added & ADDS_PRIVATE,
        .websocket = j->event->stage == EVENT_REQUEST && (j->added & ADDS_WEBSOCKET),
        .by_address = j->added & ADDS_BY_ADDRESS,
        .unattributed = stopped && j->unknown[RANK_URL_VETO],
    };
    v.insecure = insecure != NO_RULE && !v.passthrough;
    fill_rule(&v, j, stopped ? first[RANK_URL_VETO] : rule);
    return v;
}

/* Of the two halves of a DNS query: that of the resolver asks for a service, that of the name
 * whether the name may be looked up at all. */
static enum rank rank_of_lookup(const struct judge *j, const struct entry *e)
{
    bool deny = e->flags & ENTRY_DENY;
    if (!j->name)
        return !service_matches(j, e) ? RANK_NONE : deny ? RANK_VETO : RANK_ALLOW;
    if (!deny)
        return RANK_ALLOW;
    return e->flags & (ENTRY_URL | ENTRY_PORT_LIMITED) ? RANK_NONE : RANK_VETO;
}

/* The same of a look-up, where a rule below the first that allows may fix more of the name. */
static bool adds_nothing_to_lookup(const struct judge *j, const struct entry *e, enum rank rank)
{
    if (j->first[RANK_VETO] != NO_RULE && rank != RANK_VETO)
        return true;
    return j->first[rank] <= e->rule && (rank == RANK_VETO || e->fixed <= j->fixed);
}

static void note_fixed(struct judge *j, const struct entry *e)
{
    if (j->closest != NO_RULE && e->fixed <= j->fixed)
        return;
    j->closest = e->rule;
    j->fixed = e->fixed;
}

static void consider_lookup(void *context, const struct entry *e, const char *label,
                            size_t label_len)
{
    struct judge *j = context;
    enum rank rank = rank_of_lookup(j, e);
    if (rank == RANK_NONE || adds_nothing_to_lookup(j, e, rank) ||
        !patterns_match(j, e, label, label_len))
        return;
    enum truth suits = set_suits(j, e->set);
    if (suits == TRUTH_NO)
        return;
    if (suits == TRUTH_UNKNOWN && rank != RANK_VETO) {
        j->missed = true;
        return;
    }
    note(j, rank, e, suits);
    if (rank == RANK_ALLOW)
        note_fixed(j, e);
}

static void judge_init(struct judge *j, const struct policy *p, const struct event *e,
                       struct memo *memo)
{
    *j = (struct judge){
        .seeker = {.matcher = &p->matcher,
                   .event = e,
                   .visit = e->stage == EVENT_DNS ? consider_lookup : consider,
                   .context = j},
        .policy = p,
        .event = e,
        .subject = {e->process, 0},
        .memo = memo,
    };
    for (size_t rank = 0; rank < RANK_COUNT; rank++)
        j->first[rank] = NO_RULE;
    j->closest = NO_RULE;
    j->protos = e->proto == PROTO_TCP ? ENTRY_TCP : e->proto == PROTO_UDP ? ENTRY_UDP : 0u;
}

static struct verdict match_dns(const struct policy *p, const struct event *e)
{
    struct judge name, resolver;
    struct memo memo;
    bool self = e->resolver_is_self;
    memset(memo.filled, 0, sizeof(memo.filled));
    judge_init(&name, p, e, &memo);
    judge_init(&resolver, p, e, &memo);
    if (resolver.protos & ENTRY_TCP) /* a /udp rule covers DNS over TCP */
        resolver.protos |= ENTRY_UDP;
    if (e->host) {
        name.name = e->host;
        seek_name(&name.seeker, e->host, strlen(e->host));
    }
    if (e->has_dst && !self)
        seek_blocks(&resolver.seeker, e->dst_ip);
    uint32_t name_veto = name.first[RANK_VETO], resolver_veto = resolver.first[RANK_VETO];
    if (name_veto != NO_RULE || resolver_veto != NO_RULE)
        return deny_by(name_veto < resolver_veto ? &name : &resolver);
    bool by_name = name.first[RANK_ALLOW] != NO_RULE;
    bool by_resolver = self || resolver.first[RANK_ALLOW] != NO_RULE;
    struct verdict v = {.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (by_name && by_resolver) {
        v = (struct verdict){.action = VERDICT_ALLOW};
        v.zone = name.fixed == FIXED_ALL ? NULL : p->rules[name.closest].host.suffix;
        fill_rule(&v, &name, name.first[RANK_ALLOW]);
    } else {
        v.unattributed = (by_name || name.missed) && (by_resolver || resolver.missed);
    }
    return v;
}

/* What address it is about, and whether rules by name count for it. */
static void judge_destination(struct judge *j)
{
    const struct event *e = j->event;
    j->has_address = e->has_dst;
    j->address = e->dst_ip;
    if (e->host) /* no name begins with a digit and ends like an address; most need no parsing */
        j->has_literal = e->host[0] >= '0' && e->host[0] <= '9' &&
                         address_parse(e->host, strlen(e->host), &j->literal);
    else if (e->has_dst && (e->stage == EVENT_REQUEST || e->stage == EVENT_TLS))
        j->has_literal = true, j->literal = e->dst_ip;
    if (!j->has_address && j->has_literal) {
        j->has_address = true;
        j->address = j->literal;
    }
    j->unknown_here =
        e->stage == EVENT_ADDRESS && e->unknown_bytes &&
        (e->dst_port == 80 || e->dst_port == 443 || port_set_has(&j->policy->of_urls, e->dst_port));
}

struct verdict policy_match(const struct policy *p, const struct event *e)
{
    struct judge j;
    struct memo memo;
    char path[RULE_PATH_MAX];
    if (e->stage == EVENT_OTHER || p->open)
        return (struct verdict){.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    if (e->stage == EVENT_DNS)
        return match_dns(p, e);
    memset(memo.filled, 0, sizeof(memo.filled)); /* the rest is read where filled says so */
    judge_init(&j, p, e, &memo);
    judge_destination(&j);
    if (e->stage == EVENT_REQUEST && e->method)
        j.method = method_of_request(e->method);
    if (e->stage == EVENT_REQUEST && e->path &&
        rule_path_normalize(e->path, strlen(e->path), path, sizeof(path), &j.seeker.path_len) == 0)
        j.seeker.path = path;
    consider_all(&j);
    return decide(&j);
}
