/* SPDX-License-Identifier: MIT
 * Asks the policy once as it is, and once for each part. */
#include "review/explain_find.h"

#include <errno.h>

#include "rules/policy_struct.h"
#include "rules/process.h"

/* A policy of those rules of p that `wanted` takes, and of one more; NULL without memory. */
static struct policy *policy_of(const struct policy *p, bool (*wanted)(const struct rule *r),
                                const struct rule *more)
{
    struct policy *out = policy_new();
    bool good = out != NULL;
    for (size_t i = 0; good && i < policy_rule_count(p); i++)
        if (wanted(policy_rule(p, i)))
            good = policy_add(out, policy_rule(p, i)) == 0;
    if (good && more)
        good = policy_add(out, more) == 0;
    if (good && policy_seal(out) == 0) {
        out->of_urls = p->of_urls;
        return out;
    }
    policy_unref(out);
    return NULL;
}

static bool allows(const struct rule *r)
{
    return r->action == RULE_ALLOW;
}

static bool is_address(const struct rule *r)
{
    return rule_is(r, SET_ADDRESS);
}

/* The rule of the resolver half is not in the verdict of a look-up, so it is looked for. */
static int find_resolver_rule(const struct policy *p, const struct event *e, struct arena *arena,
                              struct verdict *v)
{
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        const struct rule *r = policy_rule(p, i);
        struct explain_rule one;
        if (!allows(r) || !is_address(r) || (e->dst_ip & r->mask) != r->ip)
            continue;
        int found = explain_rule(p, r, e, arena, &one);
        if (found < 0)
            return found;
        if (found == 0 || one.lacks != 0)
            continue;
        v->file = r->file;
        v->line = r->line;
        v->rule = r->text;
        return 0;
    }
    return 0;
}

static int ask_resolver(const struct policy *p, const struct event *e, struct arena *arena,
                        struct explain_part *out)
{
    const struct event asked = explain_asked(e, EXPLAIN_RESOLVER);
    struct policy *half = policy_of(p, is_address, explain_any_name());
    if (!half)
        return -ENOMEM;
    out->asked = true;
    out->verdict = policy_match(half, &asked);
    out->verdict.name = NULL;
    policy_unref(half);
    if (out->verdict.action == VERDICT_DENY)
        return 0;
    out->verdict.file = NULL;
    return find_resolver_rule(p, e, arena, &out->verdict);
}

static int ask_lookup(const struct policy *p, const struct event *e, struct arena *arena,
                      struct explanation *out)
{
    const struct event name = explain_asked(e, EXPLAIN_NAME);
    if (e->resolver_is_self)
        return 0;
    out->by_name = (struct explain_part){true, policy_match(p, &name)};
    return ask_resolver(p, e, arena, &out->by_address);
}

/* Rules about addresses alone, and rules about names alone. */
static void ask_parts(const struct policy *p, const struct event *e, struct explanation *out)
{
    const struct event normal = explain_normal(e);
    struct event address = normal, name = normal;
    if (!normal.has_dst || (!normal.host && normal.n_names == 0))
        return;
    address.stage = EVENT_ADDRESS;
    address.host = NULL;
    address.n_names = 0;
    address.http = address.unknown_bytes = false;
    name.has_dst = false;
    out->by_address = (struct explain_part){true, policy_match(p, &address)};
    out->by_name = (struct explain_part){true, policy_match(p, &name)};
}

static unsigned unknown_facts(const struct policy *p, const struct verdict *v,
                              const struct event *e)
{
    struct subject subject = {e->process, 0};
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        const struct rule *r = policy_rule(p, i);
        unsigned facts = 0;
        if (r->text != v->rule) /* borrowed from the rule that decided */
            continue;
        for (size_t k = 0; k < r->n_selectors; k++)
            if (selectors_suit(&r->selectors[k], 1, &subject) == TRUTH_UNKNOWN)
                facts |= selector_fact(&r->selectors[k]);
        return facts;
    }
    return 0;
}

static int ask_without_vetoes(const struct policy *p, const struct event *e,
                              struct explain_part *out)
{
    struct policy *without = policy_of(p, allows, NULL);
    if (!without)
        return -ENOMEM;
    out->asked = true;
    out->verdict = policy_match(without, e);
    policy_unref(without);
    return 0;
}

/* Another resolver would have helped: the word for it is the filter's own. */
static const char *reason_of(const struct explanation *x, const struct event *e)
{
    if (e->stage == EVENT_DNS && x->verdict.reason == REASON_NO_RULE && x->by_name.asked &&
        x->by_name.verdict.action == VERDICT_ALLOW)
        return "resolver";
    return verdict_reason_name(&x->verdict, e->process != NULL);
}

/* Of a look-up of which one half is allowed, the other is to be explained. */
static enum explain_half half_of(const struct explanation *x, const struct event *e)
{
    if (e->stage != EVENT_DNS)
        return EXPLAIN_WHOLE;
    if (e->resolver_is_self || x->by_address.verdict.action == VERDICT_ALLOW)
        return EXPLAIN_NAME;
    return x->by_name.verdict.action == VERDICT_ALLOW ? EXPLAIN_RESOLVER : EXPLAIN_WHOLE;
}

int explain_find(const struct policy *p, const struct event *e, struct arena *arena,
                 struct explanation *out)
{
    int result = 0;
    *out = (struct explanation){.verdict = policy_match(p, e)};
    const struct verdict *v = &out->verdict;
    if (e->stage == EVENT_DNS)
        result = ask_lookup(p, e, arena, out);
    else if (e->stage != EVENT_OTHER)
        ask_parts(p, e, out);
    out->reason = reason_of(out, e);
    if (result == 0 && v->reason == REASON_VETO) {
        out->unknown = v->unattributed ? unknown_facts(p, v, e) : 0;
        result = ask_without_vetoes(p, e, &out->without_vetoes);
    } else if (result == 0 && v->action == VERDICT_DENY) {
        result = explain_near_find(p, e, half_of(out, e), arena, &out->near);
    }
    return result;
}
