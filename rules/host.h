/* SPDX-License-Identifier: MIT
 * Names with and without wildcards, as rules write them. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"
#include "rules/rule.h"

/* Reads a name or wildcard; false when it is none, after saying why. */
bool host_pattern_parse(struct reporter *r, struct arena *arena, struct span s,
                        struct host_pattern *out) NODISCARD NONNULL(1, 2, 4);
/* name is in normal form. */
bool host_pattern_matches(const struct host_pattern *h, const char *name, size_t len) NONNULL(1, 2);
/* Whether every name that b matches is matched by a; may say no where it is hard to tell. */
bool host_pattern_covers(const struct host_pattern *a, const struct host_pattern *b) NONNULL(1, 2);

static inline bool host_pattern_is_exact(const struct host_pattern *h)
{
    return !h->subdomains && !h->glob;
}
