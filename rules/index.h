/* SPDX-License-Identifier: MIT
 * Finds, of very many rules, those few that can cover one, for those who compare whole rules with
 * each other, as lints do; judging has the matcher. It says which rules to look at, never what they
 * mean. */
#pragma once

#include "rules/policy_struct.h"

struct index_slot {
    uint64_t key;  /* of what a rule must have in common with one that it covers */
    uint32_t rule; /* plus 1; 0: empty */
    uint32_t next; /* slot with the same place in the hash, plus 1 */
};

/* What all rules with one suffix or block have in common. */
struct index_node {
    uint32_t up;               /* the node around it, plus 1; 0: none */
    uint32_t first, n;         /* rule, plus 1; how many there are */
    uint64_t label_heads;      /* how long the texts before the wildcards of labels are */
    uint64_t path_heads;       /* and of paths, where rules are many; the last bit: and longer */
    bool selectors, wide, any; /* some rule has selectors, several ports, every port */
    bool vetoes, exact_allow;
};

struct rule_index {
    const struct policy *policy; /* sealed; borrowed */
    struct index_node *nodes;    /* of the matcher's names, then of its addresses */
    uint32_t *of, *next;         /* rule by rule, its node and the next rule of that */
    struct index_slot *slots;    /* of nodes with many rules */
    uint32_t *heads;
    size_t n_slots, size, mask;
    size_t looks; /* at rules that no hash tells apart */
};

/* -ENOMEM. */
int rule_index_build(struct rule_index *index, const struct policy *p) NODISCARD NONNULL(1, 2);
/* Accepts a half-built one. */
void rule_index_release(struct rule_index *index) NONNULL(1);

typedef void rule_visit(void *context, const struct rule *other);

/* Visits all rules that cover r (cover.h) in an order of no meaning, some twice, and others; where
 * a very large number of patterns with the same beginning stands against as many names or paths,
 * not all of these. */
void rule_index_covers(struct rule_index *index, const struct rule *r, rule_visit *visit,
                       void *context) NONNULL(1, 2, 3);
/* The same for host rules whose names and ports cover those of a URL rule by name. */
void rule_index_hosts(struct rule_index *index, const struct rule *url, rule_visit *visit,
                      void *context) NONNULL(1, 2, 3);
/* Whether an allow rule names exactly what r's wildcard is in front of. */
bool rule_index_has_exact(const struct rule_index *index, const struct rule *r) NONNULL(1, 2);
