/* SPDX-License-Identifier: MIT
 * Chooses guards: of all that a rule could have, the one that the fewest others of its list have
 * too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/matcher.h"
#include "rules/sort.h"

/* A shorter list is gone through sooner than a text is searched. */
enum { GUARDED_FROM = 9, COUNTS_MAX = 1 << 20 };

struct choice {
    const struct rule *rules;
    struct matcher *matcher;
    bool is_urls;     /* the list in hand is LIST_URLS */
    uint32_t *counts; /* of guards, by hash */
    size_t mask;
    uint64_t *order, *scratch; /* guard and number of each entry */
    struct entry *copy;
    /* Of the entry in hand. */
    uint32_t kind; /* bit of the selector that is looked at, above GUARD_KINDS_SHIFT */
    struct guard best;
    uint32_t best_count;
};

static void count(void *context, struct guard guard)
{
    struct choice *c = context;
    c->counts[guard.key & c->mask]++;
}

static void choose(void *context, struct guard guard)
{
    struct choice *c = context;
    uint32_t n = c->counts[guard.key & c->mask];
    if (n >= c->best_count)
        return;
    c->best_count = n;
    c->best = guard;
    c->best.bit |= c->kind;
}

/* Whether what a selector matches is always one of the texts of process_texts. */
static bool is_text(const struct selector *s)
{
    return !s->numeric && s->classes == 0 && s->kind != SELECTOR_MNTNS && s->kind != SELECTOR_NETNS;
}

static void guards_of_path(struct choice *c, const char *path, guard_visit *visit)
{
    size_t len = strlen(path);
    if (!strchr(path, '*'))
        return visit(c, guard_of_whole(GUARD_PATH, path, len));
    /* A last segment that is `*` alone also stands for nothing, its slash included. */
    if (len >= 2 && strcmp(path + len - 2, "/*") == 0)
        len -= 2;
    guard_of_pieces(GUARD_PATH, path, len, visit, c);
}

static void guards_of_selector(struct choice *c, const struct selector *s, guard_visit *visit)
{
    if (!is_text(s))
        return;
    size_t len = strlen(s->value);
    c->kind = 1u << (GUARD_KINDS_SHIFT + s->kind);
    if (s->literal || !strchr(s->value, '*'))
        visit(c, guard_of_whole(GUARD_TEXT, s->value, len));
    else
        guard_of_pieces(GUARD_TEXT, s->value, len, visit, c);
    c->kind = 0;
}

static void guards_of_entry(struct choice *c, const struct entry *e, guard_visit *visit)
{
    const struct rule *r = &c->rules[e->rule];
    const struct selector_set *set = &c->matcher->sets[e->set];
    if (c->is_urls)
        guards_of_path(c, r->path, visit);
    if (r->host.glob)
        guard_of_pieces(GUARD_LABEL, r->host.glob, strlen(r->host.glob), visit, c);
    for (size_t i = 0; i < set->n; i++)
        guards_of_selector(c, &set->list[i], visit);
    if ((e->flags & ENTRY_ADDRESS) && e->low == e->high)
        visit(c, guard_of_port(e->low));
}

/* Puts entries in order of their guards, those without one in front; returns how many these are. */
static size_t choose_guards(struct choice *c, struct entry *entries, size_t n, uint32_t *needs)
{
    size_t size = 16, plain = 0;
    while (size < n * 32 && size < COUNTS_MAX)
        size *= 2;
    c->mask = size - 1;
    memset(c->counts, 0, size * sizeof(*c->counts));
    for (size_t i = 0; i < n; i++)
        guards_of_entry(c, &entries[i], count);
    for (size_t i = 0; i < n; i++) {
        c->best_count = (uint32_t)(n / 4) + 1;
        c->best = (struct guard){0};
        guards_of_entry(c, &entries[i], choose);
        plain += c->best.key == 0;
        *needs |= c->best.bit;
        c->order[i] = (uint64_t)c->best.key << 32 | i;
    }
    sort_numbers(c->order, c->scratch, n, 32);
    memcpy(c->copy, entries, n * sizeof(*entries));
    for (size_t i = 0; i < n; i++)
        entries[i] = c->copy[(uint32_t)c->order[i]];
    return plain;
}

static size_t count_guards(const struct choice *c, size_t plain, size_t n)
{
    size_t different = 0;
    for (size_t i = plain; i < n; i++)
        different += i == plain || c->order[i] >> 32 != c->order[i - 1] >> 32;
    return different;
}

/* A table of the guards of one list, behind those that are there. */
static int make_slots(struct choice *c, const struct rule_list *list, size_t plain, uint32_t needs)
{
    struct matcher *m = c->matcher;
    size_t size = 4, different = count_guards(c, plain, list->n);
    while (size < different * 2)
        size *= 2;
    struct guard_slot *slots = reallocarray(m->slots, m->n_slots + size, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    m->slots = slots;
    memset(slots + m->n_slots, 0, size * sizeof(*slots));
    struct guard_index g = {needs, (uint32_t)m->n_slots, (uint32_t)size - 1};
    for (size_t i = plain; i < list->n; i++) {
        uint32_t key = (uint32_t)(c->order[i] >> 32);
        struct guard_slot *s = &slots[guard_slot_number(&g, slots, key)];
        if (s->n++ == 0) {
            s->key = key;
            s->begin = list->begin + (uint32_t)i;
        }
    }
    m->n_slots += size;
    m->guards[m->n_guards++] = g;
    return 0;
}

static int guard_list(struct choice *c, struct rule_list *list, bool is_urls)
{
    uint32_t needs = 0;
    if (list->n < GUARDED_FROM)
        return 0;
    c->is_urls = is_urls;
    size_t plain = choose_guards(c, c->matcher->entries + list->begin, list->n, &needs);
    if (plain == list->n)
        return 0;
    if (make_slots(c, list, plain, needs) < 0)
        return -ENOMEM;
    list->guarded = (uint32_t)plain;
    list->guards = (uint32_t)c->matcher->n_guards;
    return 0;
}

static int guard_node(struct choice *c, uint32_t first, uint16_t has)
{
    for (uint32_t bit = 0; has >> bit; bit++)
        if ((has >> bit & 1) &&
            guard_list(c, &c->matcher->lists[first++], bit % LIST_KINDS == LIST_URLS) < 0)
            return -ENOMEM;
    return 0;
}

static int guard_nodes(struct choice *c)
{
    const struct matcher *m = c->matcher;
    for (size_t i = 0; i < m->names.n; i++)
        if (guard_node(c, m->names.nodes[i].lists, m->names.nodes[i].has) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < m->addresses.n; i++)
        if (guard_node(c, m->addresses.nodes[i].lists, m->addresses.nodes[i].has) < 0)
            return -ENOMEM;
    return 0;
}

int matcher_guard_lists(struct matcher *m, const struct rule *rules)
{
    size_t longest = 0, guarded = 0;
    for (size_t i = 0; i < m->n_lists; i++) {
        longest = m->lists[i].n > longest ? m->lists[i].n : longest;
        guarded += m->lists[i].n >= GUARDED_FROM;
    }
    if (guarded == 0)
        return 0;
    struct choice c = {.rules = rules, .matcher = m};
    m->guards = calloc(guarded, sizeof(*m->guards));
    c.counts = calloc(MIN(longest * 64, (size_t)COUNTS_MAX), sizeof(*c.counts));
    c.order = reallocarray(NULL, longest * 2, sizeof(*c.order));
    c.copy = reallocarray(NULL, longest, sizeof(*c.copy));
    c.scratch = c.order ? c.order + longest : NULL;
    int result = m->guards && c.counts && c.order && c.copy ? guard_nodes(&c) : -ENOMEM;
    free(c.counts);
    free(c.order);
    free(c.copy);
    return result;
}
