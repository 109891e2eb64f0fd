/* SPDX-License-Identifier: MIT
 * Fills the wildcards of selectors, each kind in a way that the fact could be. */
#include "review/diff_values.h"

#include <stdio.h>
#include <string.h>

#include "review/diff_fill.h"
#include "review/event_facts.h"
#include "rules/glob.h"

enum { DIGEST_LEN = 64 };

/* What a process has that no selector names, with something in the place of the %. */
static char *make_other(struct arena *arena, const void *pattern, const char *with)
{
    static const char *const shapes[] = {
        [SELECTOR_EXE] = "/*",    [SELECTOR_ARG] = "*",       [SELECTOR_ARG_AT] = "*",
        [SELECTOR_PARENT] = "/*", [SELECTOR_SHA256] = "*",    [SELECTOR_USER] = "*",
        [SELECTOR_CGROUP] = "/*", [SELECTOR_CONTAINER] = "*", [SELECTOR_IMAGE] = "*",
        [SELECTOR_POD] = "*/*",   [SELECTOR_MNTNS] = "*",     [SELECTOR_NETNS] = "*",
        [SELECTOR_STEP] = "*",    [SELECTOR_ACTION] = "*/*",
    };
    const struct selector *s = pattern;
    char digest[DIGEST_LEN + 1] = "";
    if (s->kind != SELECTOR_SHA256 || *with == *DIFF_FRESH)
        return diff_fill(arena, shapes[s->kind], with);
    memset(digest, *with, DIGEST_LEN);
    return arena_copy(arena, digest, DIGEST_LEN);
}

/* A digest that the pattern matches: its first wildcard stands for all the digits it lacks. */
static char *fill_digest(struct arena *arena, const char *pattern, const char *with)
{
    const char *star = strchr(pattern, '*');
    size_t fixed = 0;
    for (const char *c = pattern; *c; c++)
        fixed += *c != '*';
    char *text = fixed <= DIGEST_LEN ? arena_alloc(arena, DIGEST_LEN + 1) : NULL, *at = text;
    if (!text)
        return NULL;
    at = mempcpy(at, pattern, (size_t)(star - pattern));
    memset(at, *with, DIGEST_LEN - fixed);
    at += DIGEST_LEN - fixed;
    for (const char *c = star; *c; c++)
        if (*c != '*')
            *at++ = *c;
    return text;
}

/* A value that the selector asks for. */
static char *make_value(struct arena *arena, const void *pattern, const char *with)
{
    const struct selector *s = pattern;
    char text[32] = "";
    if (s->kind == SELECTOR_SHA256)
        return fill_digest(arena, s->value, with);
    bool path = s->kind == SELECTOR_EXE || s->kind == SELECTOR_PARENT || s->kind == SELECTOR_CGROUP;
    snprintf(text, sizeof(text), "%s%s", path && s->value[0] == '*' ? "/" : "", with);
    return diff_fill(arena, s->value, text);
}

struct value_pair {
    const struct selector *a, *b;
};

static char *make_shared_value(struct arena *arena, const void *pattern, const char *with)
{
    const struct value_pair *pair = pattern;
    return diff_fill_both(arena, pair->a->value, pair->b->value, with);
}

static bool is_matched(const struct selector *s, const char *text)
{
    return s->literal ? strcmp(s->value, text) == 0
                      : glob_matches(s->value, strlen(s->value), text, strlen(text));
}

/* Those that selectors of one kind are held against; an argument's place makes no kind. */
struct rivals {
    const struct diff_rules *rules;
    enum selector_kind kind;
};

static enum selector_kind kind_of(const struct selector *s)
{
    return s->kind == SELECTOR_ARG_AT ? SELECTOR_ARG : s->kind;
}

static bool values_alike(const void *context, const char *a, const char *b)
{
    const struct rivals *rivals = context;
    for (size_t i = 0; i < rivals->rules->n; i++) {
        const struct rule *r = rivals->rules->list[i];
        for (size_t k = 0; k < r->n_selectors; k++)
            if (kind_of(&r->selectors[k]) == rivals->kind && !r->selectors[k].classes &&
                is_matched(&r->selectors[k], a) != is_matched(&r->selectors[k], b))
                return false;
    }
    return true;
}

typedef char *make_text(struct arena *arena, const void *pattern, const char *with);

static const char *fill(struct arena *arena, const struct diff_rules *rules,
                        const struct selector *s, const void *pattern, make_text *make, bool *exact)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", NULL};
    static const char *const others[] = {"any-other", "x", "q7", "another", "z0z", "w8", NULL};
    bool digital =
        s->kind == SELECTOR_SHA256 || s->kind == SELECTOR_MNTNS || s->kind == SELECTOR_NETNS;
    const struct rivals rivals = {rules, kind_of(s)};
    const struct diff_filling filling = {.pattern = pattern,
                                         .rules = &rivals,
                                         .make = make,
                                         .alike = values_alike,
                                         .fillers = digital              ? digits
                                                    : make == make_other ? others
                                                                         : NULL};
    return diff_fill_fresh(arena, &filling, exact);
}

const char *diff_value_of(struct arena *arena, const struct diff_rules *rules,
                          const struct selector *s, bool *exact)
{
    if (s->classes)
        return event_facts_cgroup(s->value, strlen(s->value));
    if (s->literal || !strchr(s->value, '*'))
        return s->value;
    return fill(arena, rules, s, s, make_value, exact);
}

const char *diff_value_of_both(struct arena *arena, const struct diff_rules *rules,
                               const struct selector *a, const struct selector *b, bool *exact)
{
    const struct value_pair pair = {a, b};
    return fill(arena, rules, a, &pair, make_shared_value, exact);
}

const char *diff_value_other(struct arena *arena, const struct diff_rules *rules,
                             enum selector_kind kind, bool *exact)
{
    const struct selector s = {.kind = kind};
    return fill(arena, rules, &s, &s, make_other, exact);
}
