/* SPDX-License-Identifier: MIT
 * Goes through the targets that a changed rule is about: names, blocks of addresses, and names at
 * addresses, where rules for both meet. */
#include "review/diff_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "review/diff_merge.h"
#include "rules/address.h"

/* Limits on time. What is left out is not told to be equal: the result is not exact then. */
enum { JUDGED_MAX = 4 * 1000 * 1000, PAIRS_MAX = 20000, LIES_MAX = 2000 };

struct finder {
    const struct policy *before, *after;
    diff_visit *visit;
    void *context;
    struct diff_result *out;
    struct arena arena;
    struct diff_rules rules, changed; /* changed: those that only one policy has */
    struct diff_cells cells;
    size_t budget;
};

static bool find_changed(struct finder *f)
{
    const struct diff_rules *all = &f->rules;
    uint8_t *seen = arena_alloc(&f->arena, all->n + 1);
    f->changed.list = arena_array(&f->arena, all->n + 1, sizeof(*f->changed.list));
    f->changed.same = arena_array(&f->arena, all->n + 1, sizeof(*f->changed.same));
    if (!seen || !f->changed.list || !f->changed.same)
        return false;
    for (size_t i = 0; i < all->n; i++)
        seen[all->same[i]] |= i < all->n_old ? 1 : 2;
    for (size_t i = 0; i < all->n; i++) {
        if (seen[all->same[i]] == 3)
            continue;
        f->changed.list[f->changed.n] = all->list[i];
        f->changed.same[f->changed.n++] = all->same[i];
    }
    return true;
}

static bool is_changed(struct finder *f, const struct diff_name *name,
                       const struct diff_block *block)
{
    return diff_rules_touch(&f->changed, name, block != NULL, block ? block->low : 0);
}

static bool compare(struct finder *f, const struct diff_name *name, const struct diff_block *block,
                    const char *place, diff_visit *visit, void *context, size_t *n)
{
    struct diff_target t = {
        .before = f->before, .after = f->after, .name = name, .block = block, .place = place};
    bool good = diff_ask(&t, &f->rules, &f->cells, &f->budget) && diff_merge(&t, visit, context, n);
    f->out->exact = f->out->exact && t.exact;
    arena_release(&t.arena);
    return good;
}

static bool compare_one(struct finder *f, const struct diff_name *name,
                        const struct diff_block *block)
{
    return compare(f, name, block, NULL, f->visit, f->context, &f->out->changes);
}

static bool compare_names(struct finder *f)
{
    for (size_t i = 0; i < f->cells.n_names; i++) {
        const struct diff_name *name = &f->cells.names[i];
        if ((f->cells.url_ports_differ || is_changed(f, name, NULL)) && !compare_one(f, name, NULL))
            return false;
    }
    return true;
}

static bool compare_blocks(struct finder *f)
{
    for (size_t i = 0; i < f->cells.n_blocks; i++)
        if (is_changed(f, NULL, &f->cells.blocks[i]) && !compare_one(f, NULL, &f->cells.blocks[i]))
            return false;
    return true;
}

/* A block at which a name is judged in a way of its own. */
struct lie {
    const struct diff_block *block;
    struct diff_rules rules;
    bool private, metadata, changed;
};

static bool same_lie(const struct lie *a, const struct lie *b)
{
    return a->private == b->private && a->metadata == b->metadata && a->rules.n == b->rules.n &&
           a->rules.n_old == b->rules.n_old &&
           (a->rules.n == 0 ||
            memcmp(a->rules.same, b->rules.same, a->rules.n * sizeof(*a->rules.same)) == 0);
}

/* The one that people know best stands for all that are alike. */
static void prefer(struct lie *known, const struct lie *lie)
{
    if (lie->rules.n == 0 && lie->block->low == 0x0a000000)
        known->block = lie->block;
}

static const char *place_of(const struct lie *lie)
{
    if (lie->rules.n > 0)
        return NULL;
    return lie->metadata ? "a metadata service" : "a private address";
}

/* One of each: blocks with the same rules, as far as names at them are concerned, are alike. */
static bool collect_lies(struct finder *f, struct lie *lies, size_t *n)
{
    for (size_t i = 0; i < f->cells.n_lies && *n < LIES_MAX; i++) {
        const struct diff_block *b = &f->cells.lies[i];
        struct lie *lie = &lies[*n];
        bool known = false;
        *lie = (struct lie){.block = b,
                            .private = address_is_private(b->low),
                            .metadata = address_is_metadata(b->low),
                            .changed = is_changed(f, NULL, b)};
        if (!diff_rules_about(&f->arena, &f->rules, NULL, true, b->low, &lie->rules))
            return false;
        for (size_t k = 0; k < *n && !known; k++)
            if ((known = same_lie(&lies[k], lie)))
                prefer(&lies[k], lie);
        /* A public address of which no rule speaks adds nothing to a name. */
        *n += !known && (lie->rules.n > 0 || lie->private || lie->metadata);
    }
    return true;
}

/* A change of a name at some address, and at how many others it is the same. */
struct held {
    struct diff_change change;
    size_t others;
};

/* What is told of one name. Its strings are copies: targets come and go. */
struct holder {
    struct arena arena;
    struct held *list;
    size_t n, size;
    bool failed;
};

static bool same_place(const struct verdict *a, const struct verdict *b)
{
    return a->file && b->file && a->line == b->line && strcmp(a->file, b->file) == 0;
}

/* One veto against many blocks, or one block's rule: the ports may be others, the reason is not. */
static bool same_reason(const struct diff_change *a, const struct diff_change *b)
{
    return a->kinds == b->kinds && a->before.action == b->before.action &&
           a->after.action == b->after.action && strcmp(a->who, b->who) == 0 &&
           (same_place(&a->before, &b->before) || same_place(&a->after, &b->after));
}

static const char *copy(struct holder *h, const char *text)
{
    const char *kept = text ? arena_copy(&h->arena, text, strlen(text)) : NULL;
    h->failed = h->failed || (text && !kept);
    return kept;
}

static void hold(void *context, const struct diff_change *change)
{
    struct holder *h = context;
    for (size_t i = 0; i < h->n; i++) {
        if (!same_reason(&h->list[i].change, change))
            continue;
        h->list[i].others += strcmp(h->list[i].change.at, change->at) != 0;
        return;
    }
    if (h->n == h->size) {
        size_t size = h->size ? 2 * h->size : 16;
        struct held *list = arena_array(&h->arena, size, sizeof(*list));
        if (list && h->n > 0)
            memcpy(list, h->list, h->n * sizeof(*list));
        h->failed = h->failed || !list;
        if (!list)
            return;
        h->list = list;
        h->size = size;
    }
    struct port_range *ports = arena_array(&h->arena, change->n_ports + 1, sizeof(*ports));
    struct diff_change *c = &h->list[h->n++].change;
    *c = *change;
    c->at = copy(h, c->at);
    c->path = copy(h, c->path);
    c->who = copy(h, c->who);
    c->example = copy(h, c->example);
    h->failed = h->failed || !ports;
    if (ports && change->n_ports > 0)
        memcpy(ports, change->ports, change->n_ports * sizeof(*ports));
    c->ports = ports;
}

static bool tell_held(struct finder *f, struct holder *h)
{
    char at[160];
    for (size_t i = 0; i < h->n && !h->failed; i++) {
        struct held *held = &h->list[i];
        if (held->others > 0) {
            snprintf(at, sizeof(at), "%s and %zu other blocks like it", held->change.at,
                     held->others);
            held->change.at = at;
        }
        f->visit(f->context, &held->change);
        f->out->changes++;
    }
    bool good = !h->failed;
    arena_release(&h->arena);
    return good;
}

/* A name at every block where it matters. */
static bool compare_at(struct finder *f, const struct diff_name *name, const struct lie *lies,
                       size_t n, size_t *pairs)
{
    struct holder holder = {0};
    bool changed = is_changed(f, name, NULL), good = true;
    size_t ignored = 0;
    for (size_t k = 0; k < n && good; k++) {
        if (!changed && !lies[k].changed)
            continue;
        if (++*pairs > PAIRS_MAX) {
            f->out->exact = false;
            break;
        }
        good = compare(f, name, lies[k].block, place_of(&lies[k]), hold, &holder, &ignored);
    }
    return tell_held(f, &holder) && good;
}

static bool compare_pairs(struct finder *f)
{
    size_t n = 0, pairs = 0;
    struct lie *lies = arena_array(&f->arena, LIES_MAX, sizeof(*lies));
    if (!lies || !collect_lies(f, lies, &n))
        return false;
    if (n == LIES_MAX)
        f->out->exact = false;
    for (size_t i = 0; i < f->cells.n_names && pairs <= PAIRS_MAX; i++)
        if (!compare_at(f, &f->cells.names[i], lies, n, &pairs))
            return false;
    return true;
}

int diff_find(const struct policy *before, const struct policy *after, diff_visit *visit,
              void *context, struct diff_result *out)
{
    struct finder f = {.before = before,
                       .after = after,
                       .visit = visit,
                       .context = context,
                       .out = out,
                       .budget = JUDGED_MAX};
    *out = (struct diff_result){.exact = true};
    bool good = diff_rules_collect(&f.arena, before, after, &f.rules) && find_changed(&f);
    if (good && f.changed.n > 0) {
        good = diff_cells_make(&f.arena, &f.rules, &f.cells);
        out->exact = f.cells.exact;
        good = good && compare_names(&f) && compare_blocks(&f) && compare_pairs(&f);
    }
    arena_release(&f.arena);
    return good ? 0 : -ENOMEM;
}
