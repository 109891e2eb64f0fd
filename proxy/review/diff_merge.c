/* SPDX-License-Identifier: MIT
 * Answers become units, and units that are alike in all but one thing become one. */
#include "review/diff_merge.h"

#include <stdio.h>
#include <string.h>

#include "review/event_words.h"

struct unit {
    unsigned kinds, methods;
    bool https;
    const char *path;
    uint8_t *ports; /* a mark for each cell, and one for none */
    uint8_t *marks; /* of processes */
    const struct diff_answer *answer;
    const struct diff_question *question;
    bool gone;
};

struct units {
    struct diff_target *t;
    struct unit *list;
    size_t n, size;
};

static bool same_place(const struct verdict *a, const struct verdict *b)
{
    return a->line == b->line && !a->file == !b->file &&
           (!a->file || strcmp(a->file, b->file) == 0);
}

static bool same_answer(const struct diff_answer *a, const struct diff_answer *b)
{
    return diff_same_change(a, b) && same_place(&a->before, &b->before) &&
           same_place(&a->after, &b->after);
}

static struct unit *unit_new(struct units *u)
{
    if (u->n == u->size) {
        size_t size = u->size ? 2 * u->size : 64;
        struct unit *list = arena_array(&u->t->arena, size, sizeof(*list));
        if (!list)
            return NULL;
        if (u->n > 0)
            memcpy(list, u->list, u->n * sizeof(*list));
        u->list = list;
        u->size = size;
    }
    struct unit *unit = &u->list[u->n];
    *unit = (struct unit){.ports = arena_alloc(&u->t->arena, u->t->ports.n + 1),
                          .marks = arena_alloc(&u->t->arena, u->t->who.n + 1)};
    if (!unit->ports || !unit->marks)
        return NULL;
    u->n++;
    return unit;
}

/* The processes of one question, by what changed for them. */
static bool collect_question(struct units *u, size_t i)
{
    struct diff_target *t = u->t;
    const struct diff_question *q = &t->questions[i];
    size_t width = t->who.n + 1;
    struct diff_answer *row = &t->answers[i * width];
    for (size_t k = 0; k < width; k++) {
        if (!row[k].differs)
            continue;
        struct unit *unit = unit_new(u);
        if (!unit)
            return false;
        unit->kinds = q->kind;
        unit->methods = q->methods;
        unit->https = q->https;
        unit->path = q->path;
        unit->ports[q->port] = 1;
        unit->answer = &row[k];
        unit->question = q;
        for (size_t j = width; j-- > k;) {
            if (!row[j].differs || !same_answer(&row[j], &row[k]))
                continue;
            unit->marks[j] = 1;
            row[j].differs = j == k; /* kept for the comparison until the end of the loop */
        }
        row[k].differs = false;
    }
    return true;
}

static bool same_ports(const struct units *u, const struct unit *a, const struct unit *b)
{
    return memcmp(a->ports, b->ports, u->t->ports.n + 1) == 0;
}

static bool same_path(const struct unit *a, const struct unit *b)
{
    return !a->path == !b->path && (!a->path || strcmp(a->path, b->path) == 0);
}

static bool same_rest(const struct units *u, const struct unit *a, const struct unit *b)
{
    return a->https == b->https && memcmp(a->marks, b->marks, u->t->who.n + 1) == 0 &&
           diff_same_change(a->answer, b->answer) &&
           same_place(&a->answer->before, &b->answer->before) &&
           same_place(&a->answer->after, &b->answer->after);
}

static bool join_ports(struct units *u, struct unit *a, const struct unit *b)
{
    if (a->kinds != b->kinds || a->methods != b->methods || !same_path(a, b))
        return false;
    for (size_t i = 0; i <= u->t->ports.n; i++)
        a->ports[i] |= b->ports[i];
    return true;
}

static bool join_methods(struct units *u, struct unit *a, const struct unit *b)
{
    if (a->kinds != DIFF_REQUEST || b->kinds != DIFF_REQUEST || !same_path(a, b) ||
        !same_ports(u, a, b))
        return false;
    a->methods |= b->methods;
    return true;
}

static bool join_paths(struct units *u, struct unit *a, const struct unit *b)
{
    if (a->kinds != DIFF_REQUEST || b->kinds != DIFF_REQUEST || a->methods != b->methods ||
        !same_ports(u, a, b))
        return false;
    size_t len = strlen(a->path) + strlen(b->path) + 3;
    char *both = arena_alloc(&u->t->arena, len);
    if (!both)
        return false;
    snprintf(both, len, "%s, %s", a->path, b->path);
    a->path = both;
    return true;
}

static bool join_kinds(struct units *u, struct unit *a, const struct unit *b)
{
    if (a->kinds == DIFF_REQUEST || b->kinds == DIFF_REQUEST || a->kinds == DIFF_DNS ||
        b->kinds == DIFF_DNS || !same_ports(u, a, b))
        return false;
    a->kinds |= b->kinds;
    return true;
}

static void join_all(struct units *u)
{
    static bool (*const joins[])(struct units *, struct unit *, const struct unit *) = {
        join_ports, join_methods, join_paths, join_kinds};
    for (size_t j = 0; j < ARRAY_SIZE(joins); j++)
        for (size_t i = 0; i < u->n; i++)
            for (size_t k = i + 1; k < u->n && !u->list[i].gone; k++)
                if (!u->list[k].gone && same_rest(u, &u->list[i], &u->list[k]) &&
                    joins[j](u, &u->list[i], &u->list[k]))
                    u->list[k].gone = true;
}

/* Adjacent cells are one range. */
static struct port_range *ports_of(struct units *u, const struct unit *unit, size_t *n)
{
    const struct diff_ports *all = &u->t->ports;
    struct port_range *list = arena_array(&u->t->arena, all->n + 1, sizeof(*list));
    *n = 0;
    for (size_t i = 0; list && i < all->n; i++) {
        if (!unit->ports[i])
            continue;
        if (*n > 0 && list[*n - 1].high + 1 == all->cells[i].low)
            list[*n - 1].high = all->cells[i].high;
        else
            list[(*n)++] = all->cells[i];
    }
    return list;
}

static const char *block_text(struct arena *arena, const struct diff_block *b)
{
    enum { ROOM = 48 };
    uint32_t low = b->low, high = b->high, size = high - low;
    char *text = arena_alloc(arena, ROOM);
    if (!text)
        return NULL;
    int n =
        snprintf(text, ROOM, "%u.%u.%u.%u", low >> 24, low >> 16 & 255, low >> 8 & 255, low & 255);
    if (size > 0 && (size & (size + 1)) == 0 && (low & size) == 0)
        snprintf(text + n, (size_t)(ROOM - n), "/%d", 32 - __builtin_popcount(size));
    else if (size > 0)
        snprintf(text + n, (size_t)(ROOM - n), "-%u.%u.%u.%u", high >> 24, high >> 16 & 255,
                 high >> 8 & 255, high & 255);
    return text;
}

static bool tell(struct units *u, const struct unit *unit, const char *who, size_t of,
                 diff_visit *visit, void *context)
{
    struct diff_target *t = u->t;
    CLEANUP_BUFFER struct buffer example = {0};
    struct event e = unit->question->event;
    const char *block = t->place ? t->place : t->block ? block_text(&t->arena, t->block) : NULL;
    struct diff_change change = {
        .target = t->name ? t->name->text : block,
        .at = t->name ? block : NULL,
        .kinds = unit->kinds,
        .https = unit->https,
        .methods = unit->methods,
        .path = unit->path,
        .who = who,
        .before = unit->answer->before,
        .after = unit->answer->after,
    };
    change.ports = ports_of(u, unit, &change.n_ports);
    if (!change.ports || (t->block && !block) ||
        !diff_who_process(&t->arena, &t->who, of, &e.process))
        return false;
    event_words_write(&e, &example);
    change.example = example.data;
    if (buffer_failed(&example))
        return false;
    visit(context, &change);
    return true;
}

bool diff_merge(struct diff_target *t, diff_visit *visit, void *context, size_t *n)
{
    struct units u = {.t = t};
    for (size_t i = 0; i < t->n; i++)
        if (!collect_question(&u, i))
            return false;
    join_all(&u);
    for (size_t i = 0; i < u.n; i++) {
        const char *who = "";
        size_t of = 0;
        while (!u.list[i].gone) {
            if (!diff_who_tell(&t->arena, &t->who, u.list[i].marks, &of, &who))
                return false;
            if (!who)
                break;
            if (!tell(&u, &u.list[i], who, of, visit, context))
                return false;
            ++*n;
        }
    }
    return true;
}
