/* SPDX-License-Identifier: MIT
 * The policy itself, as its own files see it: the parser fills it in, matching reads it. */
#pragma once

#include <stdatomic.h>

#include "rules/arena.h"
#include "rules/matcher.h"
#include "rules/rule.h"

enum { RULES_MAX = 100000 };

/* One bit for each port. */
struct port_set {
    uint64_t words[65536 / 64];
};

static inline bool port_set_has(const struct port_set *s, uint16_t port)
{
    return s->words[port / 64] >> (port % 64) & 1;
}

struct policy {
    atomic_size_t count;
    struct arena arena;
    struct rule *rules; /* owned, in file order */
    size_t n_rules, size;
    bool open;               /* a placeholder has no value: every verdict is deny */
    unsigned facts;          /* enum process_fact: those that selectors ask for */
    struct port_set allowed; /* ports of allow rules for TCP */
    struct port_set of_urls; /* ports that a url or path rule names */
    struct matcher matcher;  /* what judging reads */
};

/* With one count; NULL when memory ran out. */
struct policy *policy_new(void);
/* -ENOMEM, or -E2BIG where there are too many. */
int policy_add(struct policy *p, const struct rule *rule) NODISCARD NONNULL(1, 2);
/* Makes what matching needs; after this the policy does not change. */
int policy_seal(struct policy *p) NODISCARD NONNULL(1);
