/* SPDX-License-Identifier: MIT
 * Finds the few rules that can be about a name or an address among very many, for those who compare
 * whole rules with each other, as lints do; judging has the matcher. It says which rules to look
 * at, never what they mean. */
#pragma once

#include "rules/rule.h"

struct rule_index {
    uint32_t *heads, *next; /* chains of rule numbers plus 1, in file order */
    uint64_t *keys;
    size_t mask;
    uint64_t prefixes; /* which lengths of prefix occur, a bit each */
};

int rule_index_build(struct rule_index *index, const struct rule *rules, size_t n) NODISCARD
    NONNULL(1);
/* Accepts a half-built one. */
void rule_index_release(struct rule_index *index) NONNULL(1);

typedef void rule_visit(void *context, size_t number);

/* Visits a superset of the rules with a host pattern that matches; the same rule at most once. */
void rule_index_by_name(const struct rule_index *index, const char *name, size_t len,
                        rule_visit *visit, void *context) NONNULL(1, 2, 4);
/* The same for ip and cidr rules, and URLs by address. */
void rule_index_by_address(const struct rule_index *index, uint32_t ip, rule_visit *visit,
                           void *context) NONNULL(1, 3);
