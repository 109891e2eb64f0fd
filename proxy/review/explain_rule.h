/* SPDX-License-Identifier: MIT
 * What one allow rule lacks to match an event. Nothing is judged here: the event is made into one
 * that the rule matches, then as much of it as possible back into what it was, and the matcher is
 * asked at each step. What had to stay changed is what was missing, neither more nor less. */
#pragma once

#include <stdbool.h>

#include "rules/arena.h"
#include "rules/event.h"
#include "rules/rule.h"

/* What of an event may stand between it and a rule, in the order in which people are told. */
enum lack {
    LACK_STAGE, /* another kind of traffic: TLS, plain HTTP, a look-up */
    LACK_NAME,
    LACK_ADDRESS,
    LACK_PRIVATE, /* the name lies at an address that it may not lie at */
    LACK_BYTES,   /* first bytes of no protocol that is known: names do not count */
    LACK_PROTO,
    LACK_PORT,
    LACK_METHOD,
    LACK_PATH,
    LACK_EXE, /* from here on facts of the process */
    LACK_ARGS,
    LACK_PARENTS,
    LACK_SHA256,
    LACK_USER,
    LACK_CGROUP,
    LACK_CONTAINER,
    LACK_IMAGE,
    LACK_POD,
    LACK_MNTNS,
    LACK_NETNS,
    LACK_STEP,
    LACK_ACTION,
    LACK_FOREIGN, /* files of a mount namespace of the user's own */
    LACK_COUNT,
};

/* Of a look-up, which half the rule is for; otherwise EXPLAIN_WHOLE. */
enum explain_half { EXPLAIN_WHOLE, EXPLAIN_NAME, EXPLAIN_RESOLVER };

struct explain_rule {
    const struct rule *rule;
    enum explain_half half;
    unsigned lacks; /* a bit for each enum lack; 0: the rule matches as it is */
    /* The event with what is lacking changed, and nothing else; judged with the halves that it is
     * not about put right. Both live in the arena. */
    const struct event *changed;
    const struct event_process *process; /* never NULL: known is 0 where nothing is */
};

/* Finds out what r, an allow rule of p, lacks for e. 1 and *out; 0: no event is near enough to
 * this one for the rule to match; -ENOMEM. */
int explain_rule(const struct policy *p, const struct rule *r, const struct event *e,
                 struct arena *arena, struct explain_rule *out) NODISCARD NONNULL(1, 2, 3, 4, 5);

/* A policy of that rule alone, and of a rule that allows the other half of a look-up. It borrows
 * from p, and is dropped with policy_unref. NULL without memory. */
struct policy *explain_alone(const struct policy *p, const struct rule *r,
                             enum explain_half half) NODISCARD NONNULL(1, 2);
/* The event as that policy is asked it: a half of a look-up with the other one put right. */
struct event explain_asked(const struct event *e, enum explain_half half) NONNULL(1);
/* The rule for that: the name of an event asked for EXPLAIN_RESOLVER may be looked up. */
const struct rule *explain_any_name(void);
/* A request or TLS to a literal address has no name: that is said in one way. */
struct event explain_normal(const struct event *e) NONNULL(1);
