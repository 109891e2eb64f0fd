/* SPDX-License-Identifier: MIT
 * Selectors turned round: from what they ask for to processes that have it. arg= and parent= ask
 * for one among many, so each of their values is a fact of its own, had or not. */
#include "review/diff_who.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "review/diff_fill.h"
#include "review/diff_values.h"
#include "review/event_facts.h"
#include "rules/selector.h"

enum { PROFILES_MAX = 256, VALUES_MAX = 200, INDEX_MAX = 63 };

static bool is_list(enum selector_kind kind)
{
    return kind == SELECTOR_ARG || kind == SELECTOR_PARENT;
}

static const char *text_of(struct arena *arena, const struct selector *s)
{
    size_t len = strlen(s->value) + 32;
    char *text = arena_alloc(arena, len), name[24];
    snprintf(name, sizeof(name), s->kind == SELECTOR_ARG_AT ? "%s[%u]" : "%s",
             selector_name(s->kind), s->index);
    if (text)
        snprintf(text, len, s->literal ? "%s=\"%s\"" : "%s=%s", name, s->value);
    return text;
}

static struct diff_fact *fact_find(struct diff_who *w, const struct selector *s, const char *text)
{
    for (size_t i = 0; i < w->n_facts; i++) {
        struct diff_fact *f = &w->facts[i];
        if (f->kind == s->kind && f->index == s->index &&
            (!is_list(s->kind) || strcmp(f->texts[1], text) == 0))
            return f;
    }
    return NULL;
}

static bool fact_add(struct diff_who *w, struct diff_fact *f, const char *value, const char *text)
{
    for (size_t i = 1; i < f->n; i++)
        if (strcmp(f->values[i], value) == 0 && strcmp(f->texts[i], text) == 0)
            return true;
    if (f->n == VALUES_MAX) {
        w->exact = false;
        return true;
    }
    f->values[f->n] = value;
    f->texts[f->n++] = text;
    return true;
}

static bool fact_new(struct arena *arena, struct diff_who *w, const struct selector *s,
                     struct diff_fact **out)
{
    struct diff_fact *f = &w->facts[w->n_facts];
    const size_t name = strlen(selector_name(s->kind)) + 32;
    char *text = arena_alloc(arena, name);
    f->values = arena_array(arena, VALUES_MAX, sizeof(*f->values));
    f->texts = arena_array(arena, VALUES_MAX, sizeof(*f->texts));
    if (!text || !f->values || !f->texts)
        return false;
    snprintf(text, name, "any other %s", selector_name(s->kind));
    f->kind = s->kind;
    f->index = s->index;
    f->values[0] = w->others[s->kind];
    f->texts[0] = text;
    f->n = 1;
    w->n_facts++;
    *out = f;
    return true;
}

static const struct {
    const char *name, *text;
} classes[] = {
    {"@host", "cgroup=@host"},         {"@docker", "cgroup=@docker"},
    {"@podman", "cgroup=@podman"},     {"@kubernetes", "cgroup=@kubernetes"},
    {"@rootless", "cgroup=@rootless"},
};

/* A group of cgroups is told from all others: one of each is looked at. */
static bool add_classes(struct diff_who *w, struct diff_fact *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (!fact_add(w, f, event_facts_cgroup(classes[i].name, strlen(classes[i].name)),
                      classes[i].text))
            return false;
    return true;
}

/* A path with a wildcard may be of any group. */
static bool add_grouped(struct arena *arena, struct diff_who *w, struct diff_fact *f,
                        const struct selector *s, const char *text)
{
    if (s->kind != SELECTOR_CGROUP || s->classes || s->literal || !strchr(s->value, '*'))
        return true;
    char *grouped =
        diff_fill(arena, s->value,
                  s->value[0] == '*' ? "/docker-0123456789ab.scope" : "docker-0123456789ab.scope");
    w->path_globs = true;
    return grouped && fact_add(w, f, grouped, text);
}

/* Values that two wildcards of one fact both match. */
static bool add_overlap(struct arena *arena, struct diff_who *w, const struct selector *s,
                        const struct diff_rules *rules)
{
    const char *text = text_of(arena, s);
    struct diff_fact *f = text ? fact_find(w, s, text) : NULL;
    if (!f || s->literal || s->classes || is_list(s->kind) || !strchr(s->value, '*'))
        return text != NULL;
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t k = 0; k < rules->list[i]->n_selectors; k++) {
            const struct selector *o = &rules->list[i]->selectors[k];
            if (o == s || !selector_same(o, s) || o->literal || o->classes ||
                !strchr(o->value, '*') || strcmp(o->value, s->value) == 0)
                continue;
            const char *both = diff_value_of_both(arena, rules, s, o, &w->exact);
            if (strchr(s->value, '*') != strrchr(s->value, '*') ||
                strchr(o->value, '*') != strrchr(o->value, '*') || s->kind == SELECTOR_SHA256)
                w->exact = false;
            if (both && s->kind != SELECTOR_SHA256 && !fact_add(w, f, both, text))
                return false;
        }
    }
    return true;
}

static bool collect(struct arena *arena, const struct diff_rules *rules, struct diff_who *w)
{
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t k = 0; k < rules->list[i]->n_selectors; k++) {
            const struct selector *s = &rules->list[i]->selectors[k];
            const char *value = diff_value_of(arena, rules, s, &w->exact),
                       *text = text_of(arena, s);
            if (!value || !text)
                return false;
            if (s->kind == SELECTOR_ARG_AT && s->index > INDEX_MAX) {
                w->exact = false;
                continue;
            }
            struct diff_fact *f = fact_find(w, s, text);
            if (!f && !fact_new(arena, w, s, &f))
                return false;
            if (s->classes ? !add_classes(w, f) : !fact_add(w, f, value, text))
                return false;
            if (!add_grouped(arena, w, f, s, text))
                return false;
            w->classes = w->classes || s->classes;
        }
    }
    w->exact = w->exact && !(w->classes && w->path_globs);
    for (size_t i = 0; i < rules->n; i++)
        for (size_t k = 0; k < rules->list[i]->n_selectors; k++)
            if (!add_overlap(arena, w, &rules->list[i]->selectors[k], rules))
                return false;
    return true;
}

static bool is_class_cgroup(const struct selector *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (strcmp(s->value, event_facts_cgroup(classes[i].name, strlen(classes[i].name))) == 0)
            return true;
    return false;
}

static bool is_container_id(const char *value)
{
    size_t len = strlen(value);
    return (len == 12 || len == 64) && strspn(value, "0123456789abcdef") == len;
}

/* Facts that one process may have at once, and that are asked for as if each were its only one: a
 * user's number and name, a container's name and id. And cgroups that are those which stand for a
 * whole group. */
static bool facts_agree(const struct diff_rules *rules)
{
    unsigned users = 0, containers = 0;
    bool grouped = false, stand = false;
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t k = 0; k < rules->list[i]->n_selectors; k++) {
            const struct selector *s = &rules->list[i]->selectors[k];
            if (s->kind == SELECTOR_USER)
                users |= s->numeric ? 1 : 2;
            if (s->kind == SELECTOR_CONTAINER)
                containers |= is_container_id(s->value) ? 1 : 2;
            grouped = grouped || s->classes;
            stand = stand || (s->kind == SELECTOR_CGROUP && !s->classes && is_class_cgroup(s));
        }
    }
    return users != 3 && containers != 3 && !(grouped && stand);
}

/* Every combination, counted like an odometer. */
static void fill_all(struct diff_who *w)
{
    for (size_t i = 1; i < w->n; i++) {
        uint8_t *row = w->choices + i * w->n_facts;
        memcpy(row, row - w->n_facts, w->n_facts);
        for (size_t k = 0; k < w->n_facts; k++) {
            if (++row[k] < w->facts[k].n)
                break;
            row[k] = 0;
        }
    }
}

/* Of too many: the process that each rule asks for, and nothing else. */
static bool fill_some(struct arena *arena, const struct diff_rules *rules, struct diff_who *w)
{
    w->exact = false;
    w->n = 1;
    for (size_t i = 0; i < rules->n && w->n < PROFILES_MAX; i++) {
        uint8_t *row = w->choices + w->n * w->n_facts;
        memset(row, 0, w->n_facts);
        for (size_t k = 0; k < rules->list[i]->n_selectors; k++) {
            const char *text = text_of(arena, &rules->list[i]->selectors[k]);
            struct diff_fact *f = text ? fact_find(w, &rules->list[i]->selectors[k], text) : NULL;
            if (!text)
                return false;
            const char *value =
                diff_value_of(arena, rules, &rules->list[i]->selectors[k], &w->exact);
            for (size_t v = 1; f && value && v < f->n; v++)
                if (strcmp(f->texts[v], text) == 0 || strcmp(f->values[v], value) == 0)
                    row[f - w->facts] = (uint8_t)v;
        }
        w->n += rules->list[i]->n_selectors > 0;
    }
    return true;
}

bool diff_who_make(struct arena *arena, const struct diff_rules *rules, struct diff_who *out)
{
    size_t n = 0, all = 1;
    for (size_t i = 0; i < rules->n; i++)
        n += rules->list[i]->n_selectors;
    *out =
        (struct diff_who){.facts = arena_array(arena, n + 1, sizeof(*out->facts)), .exact = true};
    if (!out->facts)
        return false;
    for (size_t kind = 0; kind < ARRAY_SIZE(out->others); kind++)
        if (!(out->others[kind] = diff_value_other(arena, rules, kind, &out->exact)))
            return false;
    if (!collect(arena, rules, out))
        return false;
    out->exact = out->exact && facts_agree(rules);
    for (size_t i = 0; i < out->n_facts && all <= PROFILES_MAX; i++)
        all *= out->facts[i].n;
    out->n = MIN(all, PROFILES_MAX);
    out->choices = arena_alloc(arena, (PROFILES_MAX + 1) * (out->n_facts + 1));
    if (!out->choices)
        return false;
    if (all > PROFILES_MAX)
        return fill_some(arena, rules, out);
    fill_all(out);
    return true;
}

struct lists {
    const char **args, **parents;
    size_t n_at; /* arguments that have a place */
};

static void set_fact(struct event_process *p, struct lists *l, const struct diff_fact *f,
                     const char *value)
{
    switch (f->kind) {
    case SELECTOR_EXE:
        p->exe = value, p->known |= FACT_EXE;
        break;
    case SELECTOR_ARG_AT:
        l->args[f->index] = value;
        break;
    case SELECTOR_ARG:
        l->args[p->n_args++] = value;
        break;
    case SELECTOR_PARENT:
        l->parents[p->n_parents++] = value, p->known |= FACT_PARENTS;
        break;
    case SELECTOR_SHA256:
        p->sha256 = value, p->known |= FACT_SHA256;
        break;
    case SELECTOR_USER:
        p->known |= FACT_USER;
        p->user = strspn(value, "0123456789") < strlen(value) ? value : NULL;
        p->uid = p->user ? UINT32_MAX : (uint32_t)strtoul(value, NULL, 10);
        if (p->uid == 0)
            p->user = "root";
        if (p->user && strcmp(p->user, "root") == 0)
            p->uid = 0;
        break;
    case SELECTOR_CGROUP:
        p->cgroup = value, p->known |= FACT_CGROUP;
        break;
    case SELECTOR_CONTAINER: {
        bool id = is_container_id(value);
        p->container_id = id ? value : NULL;
        p->container_name = id ? NULL : value;
        p->known |= FACT_CONTAINER;
        break;
    }
    case SELECTOR_IMAGE:
        p->image = value, p->known |= FACT_IMAGE;
        break;
    case SELECTOR_POD:
        p->pod = value, p->known |= FACT_POD;
        break;
    case SELECTOR_MNTNS:
        p->mntns = (uint32_t)strtoul(value, NULL, 10), p->known |= FACT_MNTNS;
        break;
    case SELECTOR_NETNS:
        p->netns = (uint32_t)strtoul(value, NULL, 10), p->known |= FACT_NETNS;
        break;
    case SELECTOR_STEP:
        p->step = value, p->known |= FACT_STEP;
        break;
    case SELECTOR_ACTION:
        p->action = value, p->known |= FACT_ACTION;
        break;
    }
}

/* Every process has a first argument and an ancestor. */
static bool make_lists(struct arena *arena, const struct diff_who *w, struct event_process *p,
                       struct lists *l)
{
    size_t places = 1;
    bool args = false;
    for (size_t i = 0; i < w->n_facts; i++) {
        bool at = w->facts[i].kind == SELECTOR_ARG_AT;
        args = args || at || w->facts[i].kind == SELECTOR_ARG;
        if (at)
            places = MAX(places, w->facts[i].index + 1u);
    }
    l->args = arena_array(arena, places + w->n_facts + 1, sizeof(*l->args));
    l->parents = arena_array(arena, w->n_facts + 2, sizeof(*l->parents));
    if (!l->args || !l->parents)
        return false;
    for (size_t i = 0; i < places; i++)
        l->args[i] = w->others[SELECTOR_ARG];
    l->parents[0] = w->others[SELECTOR_PARENT];
    p->args = l->args;
    p->parents = l->parents;
    p->n_args = places;
    p->n_parents = 1;
    p->known = args ? FACT_ARGS : 0;
    return true;
}

bool diff_who_process(struct arena *arena, const struct diff_who *w, size_t i,
                      const struct event_process **out)
{
    struct lists lists;
    *out = NULL;
    if (i >= w->n)
        return true;
    struct event_process *p = arena_alloc(arena, sizeof(*p));
    if (!p || !make_lists(arena, w, p, &lists))
        return false;
    const uint8_t *row = w->choices + i * w->n_facts;
    for (size_t k = 0; k < w->n_facts; k++) {
        const struct diff_fact *f = &w->facts[k];
        if (is_list(f->kind) && row[k] == 0)
            p->known |= f->kind == SELECTOR_ARG ? FACT_ARGS : FACT_PARENTS;
        else
            set_fact(p, &lists, f, f->values[row[k]]);
    }
    if (p->known)
        *out = p;
    return true;
}

/* Whether everybody with this value is marked, and how many of them. */
static size_t count_with(const struct diff_who *w, const uint8_t *marked, size_t fact,
                         uint8_t value)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->choices[i * w->n_facts + fact] != value)
            continue;
        if (!marked[i])
            return 0;
        n += marked[i] == 1;
    }
    return n;
}

static bool tell_one(struct arena *arena, const struct diff_who *w, size_t i, const char **out)
{
    size_t len = 1;
    for (size_t k = 0; k < w->n_facts; k++)
        len += strlen(w->facts[k].texts[w->choices[i * w->n_facts + k]]) + 16;
    char *text = arena_alloc(arena, len), *at = text;
    *out = text;
    for (size_t k = 0; text && k < w->n_facts; k++) {
        uint8_t value = w->choices[i * w->n_facts + k];
        const char *own = w->facts[k].texts[is_list(w->facts[k].kind) ? 1 : value];
        bool without = is_list(w->facts[k].kind) && value == 0;
        at = stpcpy(stpcpy(stpcpy(at, k ? ", " : ""), without ? "no " : ""), own);
    }
    return text != NULL;
}

/* Whether all are marked but those with one value, which are not. */
static bool all_but(const struct diff_who *w, const uint8_t *marked, size_t fact, uint8_t value)
{
    for (size_t i = 0; i < w->n; i++)
        if ((w->choices[i * w->n_facts + fact] == value) == (marked[i] == 1) || marked[i] == 2)
            return false;
    return marked[w->n] == 1;
}

static bool tell_all_but(struct arena *arena, const struct diff_who *w, uint8_t *marked, size_t *of,
                         const char **out)
{
    for (size_t k = 0; k < w->n_facts; k++) {
        for (size_t v = 1; v < w->facts[k].n; v++) {
            if (!all_but(w, marked, k, (uint8_t)v))
                continue;
            size_t len = strlen(w->facts[k].texts[v]) + 16;
            char *text = arena_alloc(arena, len);
            if (text)
                snprintf(text, len, "anyone but %s", w->facts[k].texts[v]);
            memset(marked, 2, w->n + 1);
            *of = w->n;
            *out = text;
            return text != NULL;
        }
    }
    return true;
}

/* Marks are 1; those that were told of already are 2, and still count as marked. */
bool diff_who_tell(struct arena *arena, const struct diff_who *w, uint8_t *marked, size_t *of,
                   const char **out)
{
    size_t n = 0, best = 0, fact = 0;
    uint8_t value = 0;
    *out = NULL;
    for (size_t i = 0; i <= w->n; i++)
        n += marked[i] == 1;
    if (n == w->n + 1) {
        memset(marked, 2, w->n + 1);
        *of = w->n;
        *out = "";
        return true;
    }
    if (n > 0 && !tell_all_but(arena, w, marked, of, out))
        return false;
    if (*out)
        return true;
    if (n == w->n && marked[w->n] == 0) {
        memset(marked, 2, w->n);
        *of = 0;
        *out = "any process of which all is known";
        return true;
    }
    for (size_t k = 0; k < w->n_facts; k++) {
        for (size_t v = w->facts[k].n; v-- > 0;) {
            size_t with =
                is_list(w->facts[k].kind) && v == 0 ? 0 : count_with(w, marked, k, (uint8_t)v);
            if (with > best)
                best = with, fact = k, value = (uint8_t)v;
        }
    }
    for (size_t i = 0; best > 0 && i < w->n; i++) {
        if (w->choices[i * w->n_facts + fact] != value)
            continue;
        if (marked[i] == 1)
            *of = i;
        marked[i] = 2;
        *out = w->facts[fact].texts[value];
    }
    if (best > 0)
        return true;
    for (size_t i = 0; i < w->n; i++) {
        if (marked[i] != 1)
            continue;
        marked[i] = 2;
        *of = i;
        return tell_one(arena, w, i, out);
    }
    if (marked[w->n] == 1) {
        marked[w->n] = 2;
        *of = w->n;
        *out = "a process of which nothing is known";
    }
    return true;
}
