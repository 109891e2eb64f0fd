/* SPDX-License-Identifier: MIT
 * Nearness by the predicates of the language. It chooses which rules are told of, and in which
 * order; what they lack is found out by asking the matcher (explain_rule.c). */
#include "review/explain_near.h"

#include <libpsl.h>
#include <string.h>

#include "rules/address.h"
#include "rules/host.h"
#include "rules/matcher.h"
#include "rules/path.h"
#include "rules/process.h"
#include "rules/service.h"

/* More than are told, since of some it turns out that nothing could make them match. */
enum { TRIED_MAX = 32, FAR = 1000, NEIGHBOURS = 24 };

enum weight {
    MISSES_STAGE = 1,
    MISSES_PATH = 2,
    MISSES_METHOD = 2,
    MISSES_PROTO = 4,
    MISSES_PORT = 4,
    MISSES_ADDRESS = 20,
    MISSES_RESOLVER = 21, /* whoever asks another resolver wants to know which one may be asked */
    MISSES_NAME = 20,     /* and 1 for each label that differs */
    MISSES_ANY_NAME = 60,
};

struct scale {
    const struct policy *policy;
    const struct event *event;
    const psl_ctx_t *psl;
    enum explain_half half;
    struct subject subject;
    char path[RULE_PATH_MAX];
    size_t path_len;
    bool has_path;
};

struct candidate {
    unsigned target, who; /* how much is missing */
    size_t rule;
};

static size_t labels_of(const char *name, size_t len)
{
    size_t n = len > 0;
    for (size_t i = 0; i < len; i++)
        n += name[i] == '.';
    return n;
}

/* The last labels that two names have in common. */
static const char *common_end(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *end = a + a_len, *found = end;
    for (size_t n = 1; n <= a_len && n <= b_len && end[-(ptrdiff_t)n] == b[b_len - n]; n++) {
        bool starts = n == a_len || end[-(ptrdiff_t)n - 1] == '.';
        bool other = n == b_len || b[b_len - n - 1] == '.';
        if (starts && other)
            found = end - n;
    }
    return found;
}

/* Names of one domain: somebody's, not what many register under. */
static unsigned name_distance(const struct scale *s, const struct rule *r, const char *name)
{
    size_t len = strlen(name);
    const struct host_pattern *h = &r->host;
    if (host_pattern_matches(h, name, len))
        return 0;
    const char *common = common_end(name, len, h->suffix, h->suffix_len);
    if (!*common || (s->psl && psl_is_public_suffix2(s->psl, common, PSL_TYPE_ANY)))
        return FAR;
    size_t shared = labels_of(common, strlen(common));
    size_t differ = labels_of(name, len) + labels_of(h->suffix, h->suffix_len) - 2 * shared;
    return MISSES_NAME + (unsigned)MIN(differ, MISSES_NAME - 1);
}

/* A name must not lie at that address. */
static bool is_astray(const struct event *e, const struct rule *r)
{
    return e->stage != EVENT_DNS && e->has_dst && !rule_goes_by_address(r) &&
           (address_is_metadata(e->dst_ip) ||
            (address_is_private(e->dst_ip) && !(r->keywords & KEYWORD_PRIVATE)));
}

static unsigned distance_by_name(const struct scale *s, const struct rule *r)
{
    const struct event *e = s->event;
    unsigned nearest = e->host ? name_distance(s, r, e->host) : FAR;
    for (size_t i = 0; i < e->n_names && !e->host; i++)
        nearest = MIN(nearest, name_distance(s, r, e->names[i]));
    /* A connection to an address of which no name is known could be to any that may lie there. */
    if (!e->host && e->n_names == 0 && ports_contain(&r->ports, e->dst_port) && !is_astray(e, r))
        nearest = MISSES_ANY_NAME;
    return nearest;
}

static unsigned distance_by_address(const struct event *e, uint32_t ip, uint32_t mask)
{
    if (!e->has_dst)
        return FAR;
    if ((e->dst_ip & mask) == ip)
        return 0;
    mask &= address_mask(NEIGHBOURS);
    if ((e->dst_ip & mask) == (ip & mask))
        return MISSES_ADDRESS;
    return e->stage == EVENT_DNS ? MISSES_RESOLVER : FAR;
}

static unsigned distance_of_service(const struct event *e, const struct rule *r)
{
    unsigned proto = e->proto == PROTO_TCP ? RULE_TCP : RULE_UDP;
    if (e->stage == EVENT_DNS && e->proto == PROTO_TCP)
        proto |= RULE_UDP;
    /* Names are no way for UDP. */
    bool same = (r->protos & proto) && (e->proto == PROTO_TCP || rule_is(r, SET_ADDRESS));
    return (same ? 0u : MISSES_PROTO) + (ports_contain(&r->ports, e->dst_port) ? 0u : MISSES_PORT);
}

static unsigned distance_of_request(const struct scale *s, const struct rule *r)
{
    const struct event *e = s->event;
    if (e->stage != EVENT_REQUEST)
        return r->url.https == (e->stage == EVENT_TLS) ? 0 : MISSES_STAGE;
    bool path = s->has_path && path_pattern_matches(r->path, s->path, s->path_len);
    bool method = r->methods & method_of_request(e->method ? e->method : "GET");
    return (r->url.https == e->https ? 0u : MISSES_STAGE) + (path ? 0u : MISSES_PATH) +
           (method ? 0u : MISSES_METHOD);
}

static unsigned target_distance(const struct scale *s, const struct rule *r)
{
    const struct event *e = s->event;
    bool by_name = !rule_goes_by_address(r);
    unsigned distance = by_name                   ? distance_by_name(s, r)
                        : rule_is(r, SET_ADDRESS) ? distance_by_address(e, r->ip, r->mask)
                                                  : distance_by_address(e, r->url.ip, UINT32_MAX);
    if (distance == FAR || (e->stage == EVENT_DNS && by_name))
        return distance;
    if (rule_is(r, SET_DNS))
        return distance + MISSES_STAGE;
    unsigned service = distance_of_service(e, r);
    if (service && distance == MISSES_RESOLVER) /* that one is no resolver */
        return FAR;
    distance += service;
    return rule_is(r, SET_URL) ? distance + distance_of_request(s, r) : distance;
}

/* Selectors, and an address that a name must not lie at. */
static unsigned who_distance(struct scale *s, const struct rule *r)
{
    unsigned missing = is_astray(s->event, r);
    for (size_t i = 0; i < r->n_selectors; i++)
        missing += selectors_suit(&r->selectors[i], 1, &s->subject) != TRUTH_YES;
    return missing;
}

/* Which half of a look-up it could be for is the one that is asked about. */
static bool is_asked(const struct scale *s, const struct rule *r)
{
    if (r->action != RULE_ALLOW)
        return false;
    if (s->event->stage != EVENT_DNS || s->half == EXPLAIN_WHOLE)
        return true;
    return rule_is(r, SET_ADDRESS) == (s->half == EXPLAIN_RESOLVER);
}

static bool is_nearer(const struct candidate *a, const struct candidate *b)
{
    if (a->target != b->target)
        return a->target < b->target;
    return a->who != b->who ? a->who < b->who : a->rule < b->rule;
}

/* Into a short list in order. */
static void enter(struct candidate *list, size_t *n, struct candidate c)
{
    size_t at = *n;
    if (at == TRIED_MAX && !is_nearer(&c, &list[at - 1]))
        return;
    if (at == TRIED_MAX)
        at--;
    else
        ++*n;
    for (; at > 0 && is_nearer(&c, &list[at - 1]); at--)
        list[at] = list[at - 1];
    list[at] = c;
}

static size_t rank(struct scale *s, struct candidate *list)
{
    size_t n = 0;
    for (size_t i = 0; i < policy_rule_count(s->policy); i++) {
        const struct rule *r = policy_rule(s->policy, i);
        if (!is_asked(s, r))
            continue;
        struct candidate c = {target_distance(s, r), 0, i};
        if (c.target >= FAR || (n == TRIED_MAX && c.target > list[n - 1].target))
            continue;
        c.who = who_distance(s, r);
        enter(list, &n, c);
    }
    return n;
}

int explain_near_find(const struct policy *p, const struct event *e, enum explain_half half,
                      struct arena *arena, struct explain_near *out)
{
    struct candidate list[TRIED_MAX];
    const struct event normal = explain_normal(e);
    struct scale s = {.policy = p,
                      .event = &normal,
                      .psl = psl_builtin(),
                      .half = half,
                      .subject = {e->process, 0}};
    out->n = 0;
    if (e->stage == EVENT_OTHER)
        return 0;
    if (e->path)
        s.has_path =
            rule_path_normalize(e->path, strlen(e->path), s.path, sizeof(s.path), &s.path_len) == 0;
    size_t n = rank(&s, list);
    for (size_t i = 0; i < n && out->n < EXPLAIN_NEAR_MAX; i++) {
        int found = explain_rule(p, policy_rule(p, list[i].rule), e, arena, &out->list[out->n]);
        if (found < 0)
            return found;
        /* One that lacks nothing is no miss: it allows this half, or stands behind a veto. */
        out->n += found == 1 && out->list[out->n].lacks != 0;
    }
    return 0;
}
