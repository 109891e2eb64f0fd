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

enum { LOOKS_MAX = 4 * 1000 * 1000 }; /* pairs of rules; a limit on time, not on meaning */

struct lint {
    const struct policy *policy;
    struct reporter *reporter;
    const psl_ctx_t *psl;
    const struct rule *rule;  /* being looked at */
    const struct rule *found; /* the first partner, of what the lint in hand asks */
    bool (*is_partner)(const struct rule *rule, const struct rule *other);
    size_t looks;
    struct rule_index index;
    const struct rule **name_vetoes; /* those by name, in file order */
    size_t n_name_vetoes;
};

/* A macro for the sake of the format check. */
#define WARN(l, ...)                                                                               \
    reporter_warn_at((l)->reporter, (l)->rule->file, (l)->rule->line, (l)->rule->column,           \
                     __VA_ARGS__)

static void look(void *context, size_t number)
{
    struct lint *l = context;
    const struct rule *other = &l->policy->rules[number];
    if (l->looks >= LOOKS_MAX)
        return;
    l->looks++;
    if (other != l->rule && (!l->found || other < l->found) && l->is_partner(l->rule, other))
        l->found = other;
}

/* The first rule that is_partner says yes to, among those about the same name or address. */
static const struct rule *find(struct lint *l,
                               bool (*is_partner)(const struct rule *, const struct rule *))
{
    const struct rule *r = l->rule;
    bool url = rule_is(r, SET_URL);
    l->is_partner = is_partner;
    l->found = NULL;
    if (rule_is(r, SET_ADDRESS) || (url && r->url.by_address))
        rule_index_by_address(&l->index, url ? r->url.ip : r->ip, look, l);
    else
        rule_index_by_name(&l->index, r->host.suffix, r->host.suffix_len, look, l);
    return l->found;
}

/* What a preset holds is not the reader's to change, nor what two presets share. */
static bool is_of_preset(const struct rule *r)
{
    return r->file[0] == '@';
}

static bool both_of_presets(const struct rule *a, const struct rule *b)
{
    return is_of_preset(a) && is_of_preset(b);
}

static bool is_duplicate(const struct rule *r, const struct rule *other)
{
    return other < r && !both_of_presets(r, other) && rule_covers(other, r) &&
           rule_covers(r, other);
}

static bool is_cover(const struct rule *r, const struct rule *other)
{
    /* Of two that say the same, only the later one is too many. */
    return other->action == r->action && !both_of_presets(r, other) && rule_covers(other, r) &&
           !(other > r && rule_covers(r, other));
}

static bool is_veto_cover(const struct rule *r, const struct rule *other)
{
    return other->action == RULE_DENY && rule_covers(other, r);
}

static void lint_reach(struct lint *l)
{
    const struct rule *other = find(l, is_duplicate);
    if (other) {
        WARN(l, "the rule stands already at %s:%zu; take one of them away", other->file,
             other->line);
        return;
    }
    other = l->rule->action == RULE_ALLOW ? find(l, is_veto_cover) : NULL;
    if (other) {
        WARN(l, "the veto at %s:%zu covers this rule entirely; take one of them away", other->file,
             other->line);
        return;
    }
    other = find(l, is_cover);
    if (other)
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

static bool is_apex(const struct rule *r, const struct rule *other)
{
    return other->action == RULE_ALLOW && rule_is(other, SET_HOST | SET_URL | SET_DNS) &&
           host_pattern_is_exact(&other->host) && other->host.suffix_len == r->host.suffix_len &&
           memcmp(other->host.suffix, r->host.suffix, r->host.suffix_len) == 0;
}

static void lint_apex(struct lint *l)
{
    const struct rule *r = l->rule;
    if (r->action == RULE_ALLOW && r->type == TARGET_WILDCARD_HOST && !r->host.glob &&
        !is_of_preset(r) && memchr(r->host.suffix, '.', r->host.suffix_len) && !find(l, is_apex))
        WARN(l, "*.%s does not match %s itself; write a rule for that too, if it is meant",
             r->host.suffix, r->host.suffix);
}

static bool is_url_below(const struct rule *url, const struct rule *other)
{
    return other->action == RULE_ALLOW && (other->keywords & KEYWORD_PASSTHROUGH) &&
           ports_cover(&other->ports, &url->ports) && host_pattern_covers(&other->host, &url->host);
}

static bool is_host_below(const struct rule *url, const struct rule *other)
{
    return other->action == RULE_ALLOW && rule_is(other, SET_HOST) && (other->protos & RULE_TCP) &&
           ports_cover(&other->ports, &url->ports) && host_pattern_covers(&other->host, &url->host);
}

static void lint_url(struct lint *l)
{
    const struct rule *r = l->rule, *other;
    if (!rule_is(r, SET_URL) || r->url.by_address)
        return;
    if (r->action == RULE_ALLOW) {
        other = find(l, is_url_below);
        if (other)
            WARN(l,
                 "%s:%zu passes the TLS of this host through, so its requests are not judged by "
                 "this rule; take one of them away",
                 other->file, other->line);
        if ((r->keywords & KEYWORD_INSECURE) && strcmp(r->path, "/*") != 0)
            WARN(l, "insecure is judged before the path is known and covers the whole host; write "
                    "the path as /* to say so");
        return;
    }
    other = r->url.https ? find(l, is_host_below) : NULL;
    if (other)
        WARN(l,
             "this veto makes the filter open the TLS of its host, which %s:%zu allows; the "
             "host is then judged request by request",
             other->file, other->line);
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
    if (r->action != RULE_ALLOW || !(r->protos & RULE_TCP) || is_of_preset(r) || wide)
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

/* Found once: most policies have none, and each address rule asks. */
static bool find_name_vetoes(struct lint *l)
{
    const struct policy *p = l->policy;
    l->name_vetoes = calloc(p->n_rules + 1, sizeof(*l->name_vetoes));
    for (size_t i = 0; l->name_vetoes && i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        bool named = rule_is(r, SET_HOST) || (rule_is(r, SET_URL) && !r->url.by_address);
        if (r->action == RULE_DENY && named)
            l->name_vetoes[l->n_name_vetoes++] = r;
    }
    return l->name_vetoes != NULL;
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
        is_of_preset(r))
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
    bool ready = rule_index_build(&l.index, p->rules, p->n_rules) == 0 && find_name_vetoes(&l);
    for (size_t i = 0; ready && i < p->n_rules; i++) {
        l.rule = &p->rules[i];
        for (size_t k = 0; k < ARRAY_SIZE(lints) && !l.rule->open; k++)
            lints[k](&l);
    }
    rule_index_release(&l.index);
    free(l.name_vetoes);
}
