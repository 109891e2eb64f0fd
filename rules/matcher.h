/* SPDX-License-Identifier: MIT
 * The rules as judging wants them: small entries in lists, one list for each thing that a name or
 * address can have in common with a rule's target. Built once when a policy is sealed and never
 * changed, so that any number of threads or processes may judge by it. */
#pragma once

#include "rules/guard.h"
#include "rules/name_table.h"
#include "rules/prefix_table.h"
#include "rules/rule.h"

enum entry_flag {
    ENTRY_DENY = 1 << 0,
    ENTRY_URL = 1 << 1,
    ENTRY_ADDRESS = 1 << 2, /* ip and cidr rules */
    ENTRY_DNS = 1 << 3,
    ENTRY_HTTPS = 1 << 4,
    ENTRY_PORT_LIMITED = 1 << 5,
    ENTRY_TCP = 1 << 6,
    ENTRY_UDP = 1 << 7,
};

enum { FIXED_ALL = UINT8_MAX }; /* an exact name; a suffix is shorter */

/* What must be known of a rule before its patterns and selectors are looked at. */
struct entry {
    uint32_t rule;      /* in file order */
    uint32_t set;       /* of selectors; 0: none */
    uint16_t low, high; /* ports; low > high: as the rule itself lists them */
    uint8_t keywords;   /* enum rule_keyword */
    uint8_t methods;    /* enum rule_method */
    uint8_t flags;      /* enum entry_flag */
    uint8_t fixed;      /* how much of a name is: the length of the suffix, or FIXED_ALL */
};

/* What of a name is the rule's suffix, and what kind of list it is. Rules about addresses stand
 * under RELATION_EXACT. */
enum relation {
    RELATION_EXACT,       /* the whole name */
    RELATION_BELOW,       /* labels stand in front */
    RELATION_LABEL,       /* one label in front, which a wildcard is about */
    RELATION_BELOW_LABEL, /* the same, and labels in front of that */
};

enum list_kind {
    LIST_PLAIN, /* everything but URLs */
    LIST_URLS,  /* URL and path rules, for requests */
    LIST_HOSTS, /* the same before there is a request: those alike but for path and method once */
    LIST_KINDS,
};

static inline uint16_t list_bit(enum relation relation, enum list_kind kind)
{
    return (uint16_t)(1u << ((unsigned)relation * LIST_KINDS + (unsigned)kind));
}

/* Entries in file order, no two of which say the same; from `guarded` on behind guards, those of
 * one guard together. */
struct rule_list {
    uint32_t begin, n;
    uint32_t guarded;
    uint32_t guards; /* counts from 1; 0: none */
};

struct selector_set {
    const struct selector *list; /* borrowed from a rule */
    uint32_t n;
};

struct matcher {
    struct name_table names;
    struct prefix_table addresses;
    struct rule_list *lists;
    struct entry *entries;
    struct selector_set *sets; /* the first is the empty one */
    struct guard_index *guards;
    struct guard_slot *slots;
    size_t n_lists, n_entries, n_sets, n_guards, n_slots;
};

/* Rules stay as they are as long as the matcher lives. -ENOMEM. */
int matcher_build(struct matcher *m, const struct rule *rules, size_t n) NODISCARD NONNULL(1);
/* Accepts a half-built one. */
void matcher_release(struct matcher *m) NONNULL(1);

/* For a node that has it: one of its lists. */
static inline const struct rule_list *matcher_list(const struct matcher *m, uint32_t first,
                                                   uint16_t has, uint16_t bit)
{
    unsigned before = has & (bit - 1u);
    return &m->lists[before ? first + (unsigned)__builtin_popcount(before) : first];
}

static inline bool rule_goes_by_address(const struct rule *r)
{
    return rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address);
}

static inline enum relation rule_relation(const struct rule *r)
{
    if (rule_goes_by_address(r) || (!r->host.subdomains && !r->host.glob))
        return RELATION_EXACT;
    if (!r->host.glob)
        return RELATION_BELOW;
    return r->host.subdomains ? RELATION_BELOW_LABEL : RELATION_LABEL;
}

/* Puts what of a list can be behind guards; called by matcher_build. -ENOMEM. */
int matcher_guard_lists(struct matcher *m, const struct rule *rules) NODISCARD NONNULL(1);
