/* SPDX-License-Identifier: MIT
 * The life of a policy: made, filled, sealed, counted, freed. */
#include <errno.h>
#include <stdlib.h>

#include "rules/policy_struct.h"
#include "rules/process.h"

struct policy *policy_new(void)
{
    struct policy *p = calloc(1, sizeof(*p));
    if (p)
        atomic_init(&p->count, 1);
    return p;
}

struct policy *policy_ref(struct policy *p)
{
    atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    return p;
}

void policy_unref(struct policy *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) > 1)
        return;
    matcher_release(&p->matcher);
    arena_release(&p->arena);
    free(p->rules);
    free(p);
}

int policy_add(struct policy *p, const struct rule *rule)
{
    if (p->n_rules >= RULES_MAX)
        return -E2BIG;
    if (p->n_rules == p->size) {
        size_t size = p->size ? p->size * 2 : 64;
        struct rule *rules = reallocarray(p->rules, size, sizeof(*rules));
        if (!rules)
            return -ENOMEM;
        p->rules = rules;
        p->size = size;
    }
    p->rules[p->n_rules++] = *rule;
    p->open = p->open || rule->open;
    return 0;
}

/* By words: 100,000 rules may each name every port. */
static void port_set_add_range(struct port_set *s, unsigned low, unsigned high)
{
    for (unsigned word = low / 64; word <= high / 64; word++) {
        unsigned from = word == low / 64 ? low % 64 : 0;
        unsigned to = word == high / 64 ? high % 64 : 63;
        s->words[word] |= UINT64_MAX << from & UINT64_MAX >> (63 - to);
    }
}

static void port_set_add(struct port_set *s, const struct port_list *ports)
{
    if (ports->any)
        port_set_add_range(s, 0, UINT16_MAX);
    for (size_t i = 0; i < ports->n; i++)
        port_set_add_range(s, ports->ranges[i].low, ports->ranges[i].high);
}

int policy_seal(struct policy *p)
{
    struct rule *rules = reallocarray(p->rules, p->n_rules + 1, sizeof(*rules));
    p->rules = rules ? rules : p->rules; /* without the room for more */
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        if (rule_is(r, SET_URL))
            port_set_add(&p->of_urls, &r->ports);
        for (size_t k = 0; k < r->n_selectors; k++)
            p->facts |= selector_fact(&r->selectors[k]);
        /* An address rule for UDP covers DNS over TCP. */
        if (r->action == RULE_ALLOW && !r->open &&
            ((r->protos & RULE_TCP) || rule_is(r, SET_ADDRESS)))
            port_set_add(&p->allowed, &r->ports);
    }
    return matcher_build(&p->matcher, p->rules, p->n_rules);
}

size_t policy_rule_count(const struct policy *p)
{
    return p->n_rules;
}

const struct rule *policy_rule(const struct policy *p, size_t i)
{
    return &p->rules[i];
}

unsigned policy_facts(const struct policy *p)
{
    return p->facts;
}

bool policy_is_open(const struct policy *p)
{
    return p->open;
}

bool policy_may_allow_port(const struct policy *p, uint16_t port)
{
    return port_set_has(&p->allowed, port);
}

const char *verdict_action_name(enum verdict_action action)
{
    static const char *const names[] = {
        [VERDICT_DENY] = "deny", [VERDICT_ALLOW] = "allow", [VERDICT_INSPECT] = "inspect"};
    return names[action];
}

const char *verdict_reason_name(const struct verdict *v, bool attributed)
{
    static const char *const names[] = {[REASON_NO_RULE] = "no-rule",
                                        [REASON_VETO] = "veto",
                                        [REASON_PRIVATE_ADDRESS] = "private-address"};
    if (v->action == VERDICT_ALLOW)
        return NULL;
    if (v->action == VERDICT_INSPECT)
        return "inspect"; /* a URL rule names it: TLS would have to be opened to judge */
    if (v->unattributed && !attributed)
        return "unattributed";
    return v->reason < ARRAY_SIZE(names) ? names[v->reason] : NULL;
}
