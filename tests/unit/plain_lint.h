/* SPDX-License-Identifier: MIT
 * The warnings that come of two rules, found by comparing each with each: what the index of
 * rules/index.c must not change. Each in a line: that of the rule, a word, that of the other. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "rules/cover.h"
#include "rules/host.h"
#include "rules/lint.h"
#include "rules/rule.h"
#include "rules/service.h"

static inline void plain_reach(const struct policy *p, const struct rule *r, struct buffer *out)
{
    const struct rule *same = NULL, *veto = NULL, *cover = NULL;
    for (size_t i = policy_rule_count(p); i-- > 0;) {
        const struct rule *other = policy_rule(p, i);
        bool back = rule_covers(r, other);
        if (other == r || !rule_covers(other, r))
            continue;
        if (other->action != r->action)
            veto = other;
        else if (back && other < r)
            same = other;
        else if (!back)
            cover = other;
    }
    if (same)
        buffer_printf(out, "%zu same %zu\n", r->line, same->line);
    else if (veto)
        buffer_printf(out, "%zu veto %zu\n", r->line, veto->line);
    else if (cover)
        buffer_printf(out, "%zu cover %zu\n", r->line, cover->line);
}

static inline void plain_apex(const struct policy *p, const struct rule *r, struct buffer *out)
{
    bool found = r->action != RULE_ALLOW || r->type != TARGET_WILDCARD_HOST || r->host.glob ||
                 !strchr(r->host.suffix, '.');
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        const struct rule *other = policy_rule(p, i);
        found = found || (other->action == RULE_ALLOW && !rule_is(other, SET_ADDRESS) &&
                          host_pattern_is_exact(&other->host) && other->host.suffix &&
                          strcmp(other->host.suffix, r->host.suffix) == 0);
    }
    if (!found)
        buffer_printf(out, "%zu apex 0\n", r->line);
}

static inline void plain_url(const struct policy *p, const struct rule *r, struct buffer *out)
{
    bool veto = r->action == RULE_DENY;
    if (!rule_is(r, SET_URL) || r->url.by_address || (veto && !r->url.https))
        return;
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        const struct rule *other = policy_rule(p, i);
        if (other->action != RULE_ALLOW || !rule_is(other, SET_HOST) ||
            !ports_cover(&other->ports, &r->ports) || !host_pattern_covers(&other->host, &r->host))
            continue;
        if (veto ? !(other->protos & RULE_TCP) : !(other->keywords & KEYWORD_PASSTHROUGH))
            continue;
        buffer_printf(out, "%zu %s %zu\n", r->line, veto ? "opens" : "passes", other->line);
        return;
    }
}

static inline void plain_lint(const struct policy *p, struct buffer *out)
{
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        plain_reach(p, policy_rule(p, i), out);
        plain_apex(p, policy_rule(p, i), out);
        plain_url(p, policy_rule(p, i), out);
    }
}

/* The same line of a warning that was given; others are left aside. */
static inline void plain_lint_read(const struct diagnostic *d, struct buffer *out)
{
    static const struct {
        const char *says, *word;
    } kinds[] = {
        {"the rule stands already at ", "same"},
        {"the veto at ", "veto"},
        {"the rule at ", "cover"},
        {"does not match", "apex"},
        {"makes the filter open the TLS", "opens"},
        {"passes the TLS of this host", "passes"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strstr(d->text, kinds[i].says))
            continue;
        const char *at = strstr(d->text, "t:");
        size_t line = at && strcmp(kinds[i].word, "apex") != 0 ? strtoul(at + 2, NULL, 10) : 0;
        buffer_printf(out, "%zu %s %zu\n", d->line, kinds[i].word, line);
        return;
    }
}
