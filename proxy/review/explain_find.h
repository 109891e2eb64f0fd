/* SPDX-License-Identifier: MIT
 * Everything there is to say of one event under one policy: the verdict, what each half of the
 * question came to, and how near the rules came that do not match. Pure; verdicts are those of
 * policy_match, of the same event or of a part of it. */
#pragma once

#include "review/explain_near.h"
#include "rules/policy.h"

/* What was asked of a part of the event alone. */
struct explain_part {
    bool asked;
    struct verdict verdict; /* file, line, rule: the rule that decided this part, or NULL */
};

struct explanation {
    struct verdict verdict;
    const char *reason; /* the stable code that logs have, or NULL */
    /* By name: of a look-up, the name half. By address: of a look-up, the resolver. Both only where
     * the event has both. */
    struct explain_part by_name, by_address;
    /* A veto decided: what the other rules alone would say. */
    struct explain_part without_vetoes;
    /* Facts (enum process_fact) that the deciding veto asks for and nobody knows. */
    unsigned unknown;
    /* Nothing decided: what came nearest. */
    struct explain_near near;
};

/* Borrows from the policy, the event and the arena. 0 or -ENOMEM. */
int explain_find(const struct policy *p, const struct event *e, struct arena *arena,
                 struct explanation *out) NODISCARD NONNULL(1, 2, 3, 4);
