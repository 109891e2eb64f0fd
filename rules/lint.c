/* SPDX-License-Identifier: MIT
 * Warnings about a policy that is correct but hardly what was meant. Each is one entry in a table;
 * the index keeps them affordable for long policies. */
#include "rules/lint.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#include "rules/cover.h"
#include "rules/host.h"
#include "rules/index.h"
#include "rules/service.h"

enum { LOOKS_MAX = 500 * 1000 }; /* at vetoes; a limit on time, not on meaning */

struct lint {
    const struct policy *policy;
    struct reporter *reporter;
    const psl_ctx_t *psl;
    const struct rule *rule; /* being looked at */
    struct rule_index index;
    size_t looks;
    const struct rule **name_vetoes; /* those by name that ports tell apart, in file order */
    size_t n_name_vetoes;
    /* The first of each, of those about the same name or address. */
    const struct rule *duplicate, *veto, *cover, *host;
};

/* A macro for the sake of the format check. */
#define WARN(l, ...)                                                                               \
    reporter_warn_at((l)->reporter, (l)->rule->file, (l)->rule->line, (l)->rule->column,           \
                     __VA_ARGS__)

static void take_first(const struct rule **first, const struct rule *r)
{
    if (!*first || r < *first)
        *first = r;
}

static void look_for_covers(void *context, const struct rule *other)
{
    struct lint *l = context;
    const struct rule *r = l->rule;
    if (other == r || !rule_covers(other, r))
        return;
    if (other->action != r->action) {
        take_first(&l->veto, other);
        return;
    }
    /* What two presets share is nobody's to change. */
    if (rule_is_of_preset(r) && rule_is_of_preset(other))
        return;
    bool same = rule_covers(r, other);
    if (same && other < r)
        take_first(&l->duplicate, other);
    else if (!same) /* of two that say the same, only the later one is too many */
        take_first(&l->cover, other);
}

static void lint_reach(struct lint *l)
{
    const struct rule *other;
    l->duplicate = l->veto = l->cover = NULL;
    rule_index_covers(&l->index, l->rule, look_for_covers, l);
    if ((other = l->duplicate))
        WARN(l, "the rule stands already at %s:%zu; take one of them away", other->file,
             other->line);
    else if ((other = l->veto))
        WARN(l, "the veto at %s:%zu covers this rule entirely; take one of them away", other->file,
             other->line);
    else if ((other = l->cover))
        WARN(l, "the rule at %s:%zu covers this one, which adds nothing; take one of them away",
             other->file, other->line);
}

static bool is_wildcard(const struct rule *r)
{
    bool named = !rule_is(r, SET_ADDRESS) && !(rule_is(r, SET_URL) && r->url.by_address);
    return named && !host_pattern_is_exact(&r->host);
}

static void lint_public_suffix(struct lint *l)
{
    const struct rule *r = l->rule;
    if (r->action != RULE_ALLOW || !is_wildcard(r) || !l->psl ||
        !psl_is_public_suffix2(l->psl, r->host.suffix, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
        return;
    WARN(l, "anyone can register a name under %s, a public suffix; write the names that are meant",
         r->host.suffix);
}

static void lint_apex(struct lint *l)
{
    const struct rule *r = l->rule;
    if (r->action == RULE_ALLOW && r->type == TARGET_WILDCARD_HOST && !r->host.glob &&
        !rule_is_of_preset(r) && memchr(r->host.suffix, '.', r->host.suffix_len) &&
        !rule_index_has_exact(&l->index, r))
        WARN(l, "*.%s does not match %s itself; write a rule for that too, if it is meant",
             r->host.suffix, r->host.suffix);
}

static void look_for_hosts(void *context, const struct rule *other)
{
    struct lint *l = context;
    const struct rule *url = l->rule;
    bool counts = url->action == RULE_ALLOW ? (other->keywords & KEYWORD_PASSTHROUGH) != 0
                                            : (other->protos & RULE_TCP) != 0;
    if (counts && other->action == RULE_ALLOW && rule_is(other, SET_HOST) &&
        ports_cover(&other->ports, &url->ports) && host_pattern_covers(&other->host, &url->host))
        take_first(&l->host, other);
}

static void lint_url(struct lint *l)
{
    const struct rule *r = l->rule;
    if (!rule_is(r, SET_URL) || r->url.by_address)
        return;
    l->host = NULL;
    rule_index_hosts(&l->index, r, look_for_hosts, l);
    if (r->action == RULE_ALLOW) {
        if (l->host)
            WARN(l,
                 "%s:%zu passes the TLS of this host through, so its requests are not judged by "
                 "this rule; take one of them away",
                 l->host->file, l->host->line);
        if ((r->keywords & KEYWORD_INSECURE) && strcmp(r->path, "/*") != 0)
            WARN(l, "insecure is judged before the path is known and covers the whole host; write "
                    "the path as /* to say so");
        return;
    }
    if (r->url.https && l->host)
        WARN(l,
             "this veto makes the filter open the TLS of its host, which %s:%zu allows; the "
             "host is then judged request by request",
             l->host->file, l->host->line);
}

static void lint_udp(struct lint *l)
{
    const struct rule *r = l->rule;
    if (r->action == RULE_ALLOW && rule_is(r, SET_HOST) && r->protos == RULE_UDP)
        WARN(l, "a name opens no UDP, only its lookup; write the address for UDP, or dns:%s",
             r->target);
}

/* DNS is judged wherever it goes, so UDP rules for a local resolver have a meaning. */
static void lint_loopback(struct lint *l)
{
    static const char name[] = "localhost";
    const struct rule *r = l->rule;
    bool address = rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address);
    uint32_t ip = rule_is(r, SET_URL) ? r->url.ip : r->ip;
    bool wide = rule_is(r, SET_ADDRESS) && (r->mask & 0xff000000) != 0xff000000;
    if (r->action != RULE_ALLOW || !(r->protos & RULE_TCP) || rule_is_of_preset(r) || wide)
        return;
    size_t len = r->host.suffix_len;
    bool local = address
                     ? ip >> 24 == 127
                     : len >= strlen(name) &&
                           (len == strlen(name) || r->host.suffix[len - strlen(name) - 1] == '.') &&
                           strcmp(r->host.suffix + len - strlen(name), name) == 0;
    if (local)
        WARN(l, "what a program sends to its own loopback is not judged, and the host's is not "
                "dialled; leave the rule away, or open a port with egress-filter run --host-port");
}

static bool ports_touch(const struct port_list *a, const struct port_list *b)
{
    if (a->any || b->any)
        return true;
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++)
            if (a->ranges[i].low <= b->ranges[j].high && b->ranges[j].low <= a->ranges[i].high)
                return true;
    return false;
}

/* Whether a veto adds a port to those of the vetoes before it: one that does not is never the first
 * that an address rule's ports touch. */
static bool adds_ports(struct port_set *seen, const struct port_list *ports)
{
    static const struct port_range every = {1, UINT16_MAX};
    const struct port_range *ranges = ports->any ? &every : ports->ranges;
    bool added = false;
    for (size_t i = 0; i < (ports->any ? 1 : ports->n); i++) {
        for (unsigned port = ranges[i].low; port <= ranges[i].high; port++) {
            if (port % 64 == 0 && port + 63 <= ranges[i].high && !~seen->words[port / 64]) {
                port += 63;
                continue;
            }
            added = added || !port_set_has(seen, (uint16_t)port);
            seen->words[port / 64] |= UINT64_C(1) << port % 64;
        }
    }
    return added;
}

/* Found once: most policies have none, and each address rule asks. */
static bool find_name_vetoes(struct lint *l)
{
    const struct policy *p = l->policy;
    struct port_set *seen = calloc(1, sizeof(*seen));
    l->name_vetoes = calloc(p->n_rules + 1, sizeof(*l->name_vetoes));
    for (size_t i = 0; seen && l->name_vetoes && i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        bool named = rule_is(r, SET_HOST) || (rule_is(r, SET_URL) && !r->url.by_address);
        if (r->action == RULE_DENY && named && adds_ports(seen, &r->ports))
            l->name_vetoes[l->n_name_vetoes++] = r;
    }
    bool good = seen && l->name_vetoes;
    free(seen);
    return good;
}

static const struct rule *first_name_veto(struct lint *l)
{
    for (size_t i = 0; i < l->n_name_vetoes && l->looks < LOOKS_MAX; i++, l->looks++)
        if (ports_touch(&l->name_vetoes[i]->ports, &l->rule->ports))
            return l->name_vetoes[i];
    return NULL;
}

static void lint_address(struct lint *l)
{
    const struct rule *r = l->rule;
    if (r->action != RULE_ALLOW || !rule_is(r, SET_ADDRESS) || !(r->protos & RULE_TCP) ||
        rule_is_of_preset(r))
        return;
    const struct rule *veto = first_name_veto(l);
    if (veto)
        WARN(l,
             "a connection by address without a name goes by this rule, also to what %s:%zu "
             "vetoes; veto its addresses too",
             veto->file, veto->line);
}

void policy_lint(const struct policy *p, struct reporter *r)
{
    static void (*const lints[])(struct lint *) = {
        lint_reach, lint_public_suffix, lint_apex, lint_url, lint_udp, lint_loopback, lint_address,
    };
    struct lint l = {.policy = p, .reporter = r, .psl = psl_builtin()};
    bool ready = rule_index_build(&l.index, p) == 0 && find_name_vetoes(&l);
    for (size_t i = 0; ready && i < p->n_rules; i++) {
        l.rule = &p->rules[i];
        for (size_t k = 0; k < ARRAY_SIZE(lints) && !l.rule->open; k++)
            lints[k](&l);
    }
    rule_index_release(&l.index);
    free(l.name_vetoes);
}
