/* SPDX-License-Identifier: MIT
 * The second matcher (POLICY-LANGUAGE.md, sections 6 and 7): plain loops over every rule, in the
 * order of the page. Where the page leaves a flag open it is ORACLE_FREE: both are right. */
#pragma once

#include "rules/policy.h"
#include "unit/oracle_who.h"

enum oracle_flag { ORACLE_OFF, ORACLE_ON, ORACLE_FREE };

struct oracle_verdict {
    enum verdict_action action;
    enum verdict_reason reason;
    const struct oracle_rule *by;      /* deciding rule, or NULL */
    const struct oracle_rule *instead; /* what it would be without a URL veto at the TLS stage */
    bool passthrough, expected;
    enum oracle_flag insecure, websocket, private, by_address, unattributed;
    const char *zone; /* of an allowed look-up, see policy.h */
};

static inline bool oracle_is_name_rule(const struct oracle_rule *r)
{
    return r->type == ORACLE_HOST || r->type == ORACLE_WILDCARD;
}

static inline bool oracle_is_address_rule(const struct oracle_rule *r)
{
    return r->type == ORACLE_IP || r->type == ORACLE_CIDR;
}

static inline bool oracle_is_url_rule(const struct oracle_rule *r)
{
    return r->type == ORACLE_URL || r->type == ORACLE_PATH_RULE;
}

static inline bool oracle_in_block(const struct oracle_rule *r, const struct event *e)
{
    return e->has_dst && (e->dst_ip & r->mask) == r->ip;
}

/* The name of the connection; where it has none, the names that were seen for its address. */
static inline bool oracle_named(const struct oracle_rule *r, const struct event *e)
{
    if (r->name[0] == '\0')
        return false;
    if (e->host != NULL)
        return oracle_name_fits(r->name, e->host);
    for (size_t i = 0; i < e->n_names; i++)
        if (oracle_name_fits(r->name, e->names[i]))
            return true;
    return false;
}

static inline bool oracle_port_fits(const struct oracle_rule *r, const struct event *e)
{
    if (oracle_is_url_rule(r))
        return e->proto == PROTO_TCP && e->dst_port == r->url_port;
    if (r->every_port)
        return true;
    if (!r->both && r->f.udp != (e->proto == PROTO_UDP))
        return false;
    for (size_t i = 0; i < r->f.n_ranges; i++)
        if (e->dst_port >= r->f.from[i] && e->dst_port <= r->f.to[i])
            return true;
    return false;
}

static inline bool oracle_method_fits(const struct oracle_rule *r, const char *method)
{
    char list[64], *rest = list;
    if (strcmp(r->f.methods, "*") == 0)
        return true;
    strcpy(list, r->f.methods);
    for (char *m = strtok_r(list, "|", &rest); m != NULL; m = strtok_r(NULL, "|", &rest))
        if (strcmp(m, method) == 0)
            return true;
    return false;
}

/* "Client bytes that are no protocol we know: ip and cidr rules only, on 80, 443 and every port
 * that a URL rule names." */
static inline bool oracle_addresses_only(const struct oracle_policy *p, const struct event *e)
{
    if (e->stage != EVENT_ADDRESS || !e->unknown_bytes || e->proto != PROTO_TCP)
        return false;
    if (e->dst_port == 80 || e->dst_port == 443)
        return true;
    for (size_t i = 0; i < p->n; i++)
        if (oracle_is_url_rule(&p->rule[i]) && p->rule[i].url_port == e->dst_port)
            return true;
    return false;
}

/* A URL or path rule and a request. */
static inline bool oracle_request_fits(const struct oracle_rule *r, const struct event *e)
{
    struct oracle_path path;
    if (r->https != e->https || !oracle_port_fits(r, e) || !oracle_method_fits(r, e->method))
        return false;
    if (r->name[0] != '\0' ? e->host == NULL || !oracle_name_fits(r->name, e->host)
                           : e->host != NULL || !oracle_in_block(r, e))
        return false;
    oracle_path_read(e->path, &path);
    return path.bad ? r->veto : oracle_path_fits(&r->path, &path);
}

/* A URL or path rule at the ClientHello: does it name this host and port? */
static inline bool oracle_tls_fits(const struct oracle_rule *r, const struct event *e)
{
    if (!r->https || !oracle_port_fits(r, e))
        return false;
    if (r->name[0] == '\0')
        return e->host == NULL && oracle_in_block(r, e);
    return oracle_named(r, e);
}

/* Target and port of a rule, at every stage but DNS. */
static inline bool oracle_fits(const struct oracle_policy *p, const struct oracle_rule *r,
                               const struct event *e)
{
    if (oracle_is_url_rule(r)) {
        if (e->stage == EVENT_REQUEST)
            return oracle_request_fits(r, e);
        return e->stage == EVENT_TLS && oracle_tls_fits(r, e);
    }
    if (!oracle_port_fits(r, e))
        return false;
    if (oracle_is_address_rule(r))
        return oracle_in_block(r, e);
    if (!oracle_is_name_rule(r))
        return false;
    if (!r->veto) {
        if (e->proto == PROTO_UDP || oracle_addresses_only(p, e))
            return false;
        if (e->stage == EVENT_REQUEST && e->host == NULL)
            return false;
    }
    return oracle_named(r, e);
}

static inline bool oracle_block_holds(const char *const *blocks, size_t n, uint32_t ip)
{
    for (size_t i = 0; i < n; i++) {
        unsigned a, b, c, d, bits;
        if (sscanf(blocks[i], "%u.%u.%u.%u/%u", &a, &b, &c, &d, &bits) != 5)
            abort();
        if (((ip ^ (a << 24 | b << 16 | c << 8 | d)) >> (32 - bits)) == 0)
            return true;
    }
    return false;
}

/* What a name may lie at only with `private`, or never. The page says private, loopback or
 * link-local; rules/policy.h adds shared, multicast and reserved ones, here as IANA lists them. */
static inline bool oracle_kept(const struct oracle_rule *r, const struct event *e)
{
    static const char *const metadata[] = {"169.254.169.254/32", "168.63.129.16/32"};
    static const char *const private[] = {
        "10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8",    "169.254.0.0/16",
        "100.64.0.0/10", "224.0.0.0/4",   "240.0.0.0/4",    "0.0.0.0/8",      "192.0.0.0/24",
        "192.0.2.0/24",  "198.18.0.0/15", "192.88.99.0/24", "203.0.113.0/24", "198.51.100.0/24",
    };
    if (r->name[0] == '\0' || !e->has_dst)
        return false;
    if (oracle_block_holds(metadata, 2, e->dst_ip))
        return true;
    return (r->f.keywords & ORACLE_PRIVATE) == 0 && oracle_block_holds(private, 15, e->dst_ip);
}

/* Precedence among what allows: passthrough, insecure, other allow, inspect. */
static inline int oracle_class(const struct oracle_rule *r, const struct event *e)
{
    if (r->f.keywords & ORACLE_PASSTHROUGH)
        return 0;
    if (r->f.keywords & ORACLE_INSECURE)
        return 1;
    return e->stage == EVENT_TLS && oracle_is_url_rule(r) ? 3 : 2;
}

static inline const struct oracle_rule *
oracle_better(const struct oracle_rule *best, const struct oracle_rule *r, const struct event *e)
{
    return best == NULL || oracle_class(r, e) < oracle_class(best, e) ? r : best;
}

/* Flags that any rule may give, not the deciding one alone. */
struct oracle_seen {
    bool allow; /* a rule other than URL and path allows */
    bool private, websocket, address, address_url, missed;
    const struct oracle_rule *best, *kept, *url_veto; /* url_veto: at the TLS stage */
};

static inline void oracle_see(struct oracle_seen *seen, const struct oracle_rule *r,
                              const struct event *e)
{
    if (oracle_kept(r, e)) {
        seen->kept = seen->kept == NULL ? r : seen->kept;
        return;
    }
    seen->best = oracle_better(seen->best, r, e);
    seen->allow |= !oracle_is_url_rule(r);
    seen->private |= (r->f.keywords & ORACLE_PRIVATE) != 0;
    seen->websocket |= !oracle_is_url_rule(r) || (r->f.keywords & ORACLE_WEBSOCKET) != 0;
    seen->address |= oracle_is_address_rule(r);
    seen->address_url |= oracle_is_url_rule(r) && r->name[0] == '\0';
}

static inline struct oracle_verdict oracle_veto(const struct oracle_rule *r, const struct event *e)
{
    return (struct oracle_verdict){
        .action = VERDICT_DENY,
        .reason = REASON_VETO,
        .by = r,
        .expected = (r->f.keywords & ORACLE_EXPECTED) != 0,
        .by_address = ORACLE_FREE,
        .unattributed = oracle_who(r, e->process) == ORACLE_UNKNOWN ? ORACLE_ON : ORACLE_OFF,
    };
}

static inline struct oracle_verdict oracle_allowed(const struct oracle_seen *seen,
                                                   const struct event *e)
{
    const struct oracle_rule *r = seen->best;
    unsigned keywords = r->f.keywords;
    bool turned = seen->allow && seen->url_veto != NULL;
    bool inspect = e->stage == EVENT_TLS && (turned || !seen->allow);
    struct oracle_verdict v = {
        .action = inspect ? VERDICT_INSPECT : VERDICT_ALLOW,
        .by = turned ? seen->url_veto : r,
        .instead = turned ? r : NULL,
        .passthrough = !inspect && (keywords & ORACLE_PASSTHROUGH) != 0,
        .insecure = (keywords & ORACLE_INSECURE) != 0 ? ORACLE_ON : ORACLE_OFF,
        .private = seen->private ? ORACLE_FREE : ORACLE_OFF,
        .websocket = seen->websocket ? ORACLE_FREE : ORACLE_OFF,
        .by_address = seen->address       ? ORACLE_ON
                      : seen->address_url ? ORACLE_FREE
                                          : ORACLE_OFF,
        .unattributed = turned && oracle_who(seen->url_veto, e->process) == ORACLE_UNKNOWN
                            ? ORACLE_ON
                            : ORACLE_OFF,
    };
    if (turned && (keywords & ORACLE_PASSTHROUGH)) /* the page does not say what follows */
        v.insecure = ORACLE_FREE;
    if (keywords & ORACLE_PRIVATE)
        v.private = ORACLE_ON;
    if (e->stage != EVENT_REQUEST) /* nothing to upgrade yet */
        v.websocket = ORACLE_OFF;
    else if (oracle_is_name_rule(r) || (keywords & ORACLE_WEBSOCKET))
        v.websocket = ORACLE_ON;
    return v;
}

/* UDP, raw TCP, TLS and requests. */
static inline struct oracle_verdict oracle_judge(const struct oracle_policy *p,
                                                 const struct event *e)
{
    struct oracle_seen seen = {0};
    for (size_t i = 0; i < p->n; i++) {
        const struct oracle_rule *r = &p->rule[i];
        if (!r->veto || !oracle_fits(p, r, e) || !oracle_may(r, e->process))
            continue;
        if (oracle_is_url_rule(r) && e->stage == EVENT_TLS)
            seen.url_veto = seen.url_veto == NULL ? r : seen.url_veto;
        else
            return oracle_veto(r, e);
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct oracle_rule *r = &p->rule[i];
        if (r->veto || !oracle_fits(p, r, e))
            continue;
        if (oracle_may(r, e->process))
            oracle_see(&seen, r, e);
        else if (oracle_who(r, e->process) == ORACLE_UNKNOWN && !oracle_kept(r, e))
            seen.missed = true;
    }
    if (seen.best != NULL)
        return oracle_allowed(&seen, e);
    if (seen.kept != NULL && !seen.missed)
        return (struct oracle_verdict){
            .action = VERDICT_DENY, .reason = REASON_PRIVATE_ADDRESS, .by = seen.kept};
    return (struct oracle_verdict){.action = VERDICT_DENY,
                                   .reason = REASON_NO_RULE,
                                   .unattributed = seen.missed ? ORACLE_ON : ORACLE_OFF};
}

/* An ip or cidr rule for the resolver; one with /udp covers DNS over TCP too. */
static inline bool oracle_dns_resolver(const struct oracle_rule *r, const struct event *e)
{
    struct event udp = *e;
    udp.proto = PROTO_UDP;
    return oracle_is_address_rule(r) && oracle_in_block(r, e) && !e->resolver_is_self &&
           (oracle_port_fits(r, e) || (r->f.udp && oracle_port_fits(r, &udp)));
}

/* A veto at DNS: of the name, which takes one without ports, or of the resolver. */
static inline bool oracle_dns_veto(const struct oracle_rule *r, const struct event *e)
{
    if (r->type == ORACLE_DNS || r->type == ORACLE_DNS_WILDCARD ||
        (oracle_is_name_rule(r) && !r->limited))
        return e->host != NULL && oracle_name_fits(r->name, e->host);
    return oracle_dns_resolver(r, e);
}

/* What is fixed of a name: all of it, or what stands behind the label with the wildcard. */
static inline const char *oracle_fixed(const char *name)
{
    const char *star = strrchr(name, '*');
    return star == NULL ? name : strchr(star, '.') + 1;
}

static inline struct oracle_verdict oracle_dns(const struct oracle_policy *p, const struct event *e)
{
    const struct oracle_rule *name = NULL, *resolver = NULL, *closest = NULL;
    bool missed_name = false, missed_resolver = false; /* for an unknown fact alone */
    for (size_t i = 0; i < p->n; i++)
        if (p->rule[i].veto && oracle_dns_veto(&p->rule[i], e) &&
            oracle_may(&p->rule[i], e->process))
            return oracle_veto(&p->rule[i], e);
    for (size_t i = 0; i < p->n; i++) {
        const struct oracle_rule *r = &p->rule[i];
        bool is_resolver = oracle_dns_resolver(r, e);
        bool is_name = r->name[0] != '\0' && e->host != NULL && oracle_name_fits(r->name, e->host);
        if (r->veto || !(is_resolver || is_name))
            continue;
        bool unknown = oracle_who(r, e->process) == ORACLE_UNKNOWN;
        bool may = oracle_may(r, e->process);
        if (is_resolver) {
            missed_resolver |= unknown;
            resolver = resolver == NULL && may ? r : resolver;
        } else {
            missed_name |= unknown;
            name = name == NULL && may ? r : name;
            bool closer = closest == NULL || strchr(r->name, '*') == NULL ||
                          (strchr(closest->name, '*') != NULL &&
                           strlen(oracle_fixed(r->name)) > strlen(oracle_fixed(closest->name)));
            closest = may && closer ? r : closest;
        }
    }
    bool answers = resolver != NULL || e->resolver_is_self;
    if (name != NULL && answers)
        return (struct oracle_verdict){
            .action = VERDICT_ALLOW,
            .by = name,
            .insecure = ORACLE_FREE,
            .private = ORACLE_FREE,
            .websocket = ORACLE_FREE,
            .by_address = ORACLE_FREE,
            .zone = strchr(closest->name, '*') == NULL ? NULL : oracle_fixed(closest->name)};
    return (struct oracle_verdict){
        .action = VERDICT_DENY,
        .reason = REASON_NO_RULE,
        .unattributed =
            (name != NULL || missed_name) && (answers || missed_resolver) ? ORACLE_ON : ORACLE_OFF};
}

static inline struct oracle_verdict oracle_match(const struct oracle_policy *p,
                                                 const struct event *e)
{
    if (e->stage == EVENT_OTHER || e->proto == PROTO_OTHER)
        return (struct oracle_verdict){.action = VERDICT_DENY, .reason = REASON_NO_RULE};
    return e->stage == EVENT_DNS ? oracle_dns(p, e) : oracle_judge(p, e);
}

/* Whether any rule could allow a TCP connection to this port, whatever its name: DNS over TCP goes
 * by address rules with /udp too. */
static inline bool oracle_may_allow_port(const struct oracle_policy *p, uint16_t port)
{
    struct event e = {.stage = EVENT_ADDRESS, .proto = PROTO_TCP, .dst_port = port};
    for (size_t i = 0; i < p->n; i++) {
        const struct oracle_rule *r = &p->rule[i];
        if (r->veto || r->type == ORACLE_DNS || r->type == ORACLE_DNS_WILDCARD)
            continue;
        e.proto = oracle_is_address_rule(r) && r->f.udp ? PROTO_UDP : PROTO_TCP;
        if (oracle_port_fits(r, &e))
            return true;
    }
    return false;
}
