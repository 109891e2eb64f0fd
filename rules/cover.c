/* SPDX-License-Identifier: MIT
 * Whether one rule makes another one superfluous. Careful on one side only: a missed case costs a
 * warning, a wrong one would have people delete rules they need. */
#include "rules/cover.h"

#include <string.h>

#include "rules/host.h"
#include "rules/path.h"
#include "rules/selector.h"
#include "rules/service.h"

static bool selectors_cover(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; i < a->n_selectors; i++) {
        bool there = false;
        for (size_t j = 0; j < b->n_selectors && !there; j++)
            there = selector_equal(&a->selectors[i], &b->selectors[j]);
        if (!there)
            return false;
    }
    return true;
}

static bool urls_cover(const struct rule *a, const struct rule *b)
{
    if (a->url.https != b->url.https || a->url.by_address != b->url.by_address ||
        (b->methods & ~a->methods))
        return false;
    if (a->url.by_address ? a->url.ip != b->url.ip : !host_pattern_covers(&a->host, &b->host))
        return false;
    /* The pattern of b as text stands for what it matches only where it has no wildcard. */
    return strcmp(a->path, b->path) == 0 || strcmp(a->path, "/*") == 0 ||
           (!strchr(b->path, '*') && path_pattern_matches(a->path, b->path, strlen(b->path)));
}

static bool targets_cover(const struct rule *a, const struct rule *b)
{
    if (rule_is(a, SET_ADDRESS))
        return rule_is(b, SET_ADDRESS) && (b->mask & a->mask) == a->mask &&
               (b->ip & a->mask) == a->ip;
    if (rule_is(a, SET_URL))
        return rule_is(b, SET_URL) && urls_cover(a, b);
    if (rule_is(a, SET_DNS))
        return rule_is(b, SET_DNS) && host_pattern_covers(&a->host, &b->host);
    /* A host rule over a URL: the URL's keywords, ways of judging and ports are its own. */
    bool named = rule_is(b, SET_HOST) ||
                 (a->action == RULE_DENY && !rule_is(b, SET_ADDRESS) && !b->url.by_address);
    return named && host_pattern_covers(&a->host, &b->host);
}

bool rule_covers(const struct rule *a, const struct rule *b)
{
    if (!targets_cover(a, b) || !selectors_cover(a, b))
        return false;
    bool service = rule_is(b, SET_DNS)
                       ? !a->port_limited
                       : (ports_cover(&a->ports, &b->ports) && !(b->protos & ~a->protos));
    if (a->action != b->action)
        return service && a->action == RULE_DENY;
    return service && a->keywords == b->keywords && a->port_limited == b->port_limited;
}
