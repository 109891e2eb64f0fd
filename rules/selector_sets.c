/* SPDX-License-Identifier: MIT
 * Finds rules with the same selectors. Rules below one header share the list itself, so that most
 * are told by its address. */
#include "rules/selector_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/selector.h"

struct finder {
    struct matcher *matcher;
    uint32_t *slots; /* numbers of sets; 0: empty */
    size_t mask;
};

static uint64_t hash_of(const struct rule *r)
{
    uint64_t hash = r->n_selectors;
    for (size_t i = 0; i < r->n_selectors; i++) {
        const struct selector *s = &r->selectors[i];
        struct guard text = guard_of_whole(GUARD_TEXT, s->value, strlen(s->value));
        hash = (hash ^ text.key ^ (uint64_t)s->kind << 32 ^ (uint64_t)s->index << 40) *
               UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool is_same(const struct selector_set *set, const struct rule *r)
{
    if (set->n != r->n_selectors)
        return false;
    for (size_t i = 0; i < set->n && set->list != r->selectors; i++)
        if (!selector_equal(&set->list[i], &r->selectors[i]))
            return false;
    return true;
}

static uint32_t find(struct finder *f, const struct rule *r)
{
    struct matcher *m = f->matcher;
    size_t i = hash_of(r) & f->mask;
    for (; f->slots[i] != 0; i = (i + 1) & f->mask)
        if (is_same(&m->sets[f->slots[i]], r))
            return f->slots[i];
    m->sets[m->n_sets] = (struct selector_set){r->selectors, (uint32_t)r->n_selectors};
    return f->slots[i] = (uint32_t)m->n_sets++;
}

int selector_sets_make(struct matcher *m, const struct rule *rules, size_t n, uint32_t *sets)
{
    struct finder f = {.matcher = m, .mask = 15};
    size_t with = 0;
    for (size_t i = 0; i < n; i++)
        with += rules[i].n_selectors > 0;
    while (f.mask < with * 2)
        f.mask = f.mask * 2 + 1;
    f.slots = calloc(f.mask + 1, sizeof(*f.slots));
    m->sets = calloc(with + 1, sizeof(*m->sets));
    m->n_sets = 1;
    for (size_t i = 0; i < n && f.slots && m->sets; i++) {
        if (rules[i].n_selectors == 0)
            continue;
        bool again = i > 0 && rules[i].selectors == rules[i - 1].selectors &&
                     rules[i].n_selectors == rules[i - 1].n_selectors;
        sets[i] = again ? sets[i - 1] : find(&f, &rules[i]);
    }
    int result = f.slots && m->sets ? 0 : -ENOMEM;
    free(f.slots);
    return result;
}
