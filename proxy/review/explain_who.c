/* SPDX-License-Identifier: MIT
 * One table says where each fact lies in a process, and which selectors ask for it. */
#include "review/explain_who.h"

#include <stddef.h>
#include <string.h>

#include "review/witness.h"

enum { ARGS_MAX = 4096 }; /* arg[N] beyond is not followed */

#define FROM(first) offsetof(struct event_process, first)
#define TO(last)    (offsetof(struct event_process, last) + sizeof(((struct event_process *)0)->last))

static const struct {
    enum lack lack;
    unsigned facts;
    size_t from, to; /* bytes of struct event_process */
} table[] = {
    {LACK_EXE, FACT_EXE, FROM(exe), TO(exe)},
    {LACK_ARGS, FACT_ARGS, FROM(args), TO(args_cut)},
    {LACK_PARENTS, FACT_PARENTS, FROM(parents), TO(n_parents)},
    {LACK_SHA256, FACT_SHA256, FROM(sha256), TO(sha256)},
    {LACK_USER, FACT_USER, FROM(uid), TO(user)},
    {LACK_CGROUP, FACT_CGROUP, FROM(cgroup), TO(cgroup)},
    {LACK_CONTAINER, FACT_CONTAINER | FACT_CONTAINER_ID, FROM(container_id), TO(container_name)},
    {LACK_IMAGE, FACT_IMAGE, FROM(image), TO(image)},
    {LACK_POD, FACT_POD, FROM(pod), TO(pod)},
    {LACK_MNTNS, FACT_MNTNS, FROM(mntns), TO(mntns)},
    {LACK_NETNS, FACT_NETNS, FROM(netns), TO(netns)},
    {LACK_STEP, FACT_STEP, FROM(step), TO(step)},
    {LACK_ACTION, FACT_ACTION, FROM(action), TO(action)},
    {LACK_FOREIGN, 0, FROM(foreign), TO(foreign)},
};

static const enum lack lacks[] = {
    [SELECTOR_EXE] = LACK_EXE,       [SELECTOR_ARG] = LACK_ARGS,
    [SELECTOR_ARG_AT] = LACK_ARGS,   [SELECTOR_PARENT] = LACK_PARENTS,
    [SELECTOR_SHA256] = LACK_SHA256, [SELECTOR_USER] = LACK_USER,
    [SELECTOR_CGROUP] = LACK_CGROUP, [SELECTOR_CONTAINER] = LACK_CONTAINER,
    [SELECTOR_IMAGE] = LACK_IMAGE,   [SELECTOR_POD] = LACK_POD,
    [SELECTOR_MNTNS] = LACK_MNTNS,   [SELECTOR_NETNS] = LACK_NETNS,
    [SELECTOR_STEP] = LACK_STEP,     [SELECTOR_ACTION] = LACK_ACTION,
};

enum lack explain_who_lack(enum selector_kind kind)
{
    return lacks[kind];
}

static size_t row_of(enum lack lack)
{
    return (size_t)(lack - LACK_EXE);
}

unsigned explain_who_facts(enum lack lack)
{
    return table[row_of(lack)].facts;
}

void explain_who_copy(enum lack lack, const struct event_process *from, struct event_process *to)
{
    size_t i = row_of(lack);
    memcpy((char *)to + table[i].from, (const char *)from + table[i].from,
           table[i].to - table[i].from);
    to->known = (to->known & ~table[i].facts) | (from->known & table[i].facts);
}

/* Room for the arguments that arg= and arg[N]= ask for. */
static size_t args_room(const struct rule *r)
{
    size_t places = 0, anywhere = 0;
    for (size_t i = 0; i < r->n_selectors; i++) {
        const struct selector *s = &r->selectors[i];
        if (s->kind == SELECTOR_ARG_AT)
            places = MAX(places, (size_t)s->index + 1);
        anywhere += s->kind == SELECTOR_ARG;
    }
    return places + anywhere;
}

/* Those with a place first; the others wherever nothing is asked for. */
static bool suit_args(const struct rule *r, struct arena *arena, struct event_process *out)
{
    size_t n = args_room(r), next = 0;
    const char **args = n <= ARGS_MAX ? arena_array(arena, n + 1, sizeof(*args)) : NULL;
    if (!args)
        return n > ARGS_MAX; /* then nothing matches, and the rule is left out */
    for (size_t i = 0; i < r->n_selectors; i++)
        if (r->selectors[i].kind == SELECTOR_ARG_AT)
            args[r->selectors[i].index] = witness_of_selector(arena, &r->selectors[i]);
    for (size_t i = 0; i < r->n_selectors; i++) {
        if (r->selectors[i].kind != SELECTOR_ARG)
            continue;
        while (args[next])
            next++;
        args[next] = witness_of_selector(arena, &r->selectors[i]);
        if (!args[next])
            return false;
    }
    for (size_t i = 0; i < n; i++)
        args[i] = args[i] ? args[i] : "";
    out->args = args;
    out->n_args = n;
    out->args_cut = false;
    return true;
}

static bool suit_parents(const struct rule *r, struct arena *arena, struct event_process *out)
{
    const char **parents = arena_array(arena, r->n_selectors + 1, sizeof(*parents));
    size_t n = 0;
    if (!parents)
        return false;
    for (size_t i = 0; i < r->n_selectors; i++)
        if (r->selectors[i].kind == SELECTOR_PARENT)
            parents[n++] = witness_of_selector(arena, &r->selectors[i]);
    out->parents = parents;
    out->n_parents = n;
    return n == 0 || parents[n - 1] != NULL;
}

static void suit_number(const struct selector *s, struct event_process *out)
{
    if (s->kind == SELECTOR_MNTNS)
        out->mntns = s->number;
    else if (s->kind == SELECTOR_NETNS)
        out->netns = s->number;
    else
        out->uid = s->number;
}

/* A fact that is one text. */
static bool suit_text(const struct selector *s, struct arena *arena, struct event_process *out)
{
    const char **const fields[] = {
        [SELECTOR_EXE] = &out->exe,       [SELECTOR_SHA256] = &out->sha256,
        [SELECTOR_USER] = &out->user,     [SELECTOR_CGROUP] = &out->cgroup,
        [SELECTOR_IMAGE] = &out->image,   [SELECTOR_CONTAINER] = &out->container_name,
        [SELECTOR_POD] = &out->pod,       [SELECTOR_STEP] = &out->step,
        [SELECTOR_ACTION] = &out->action,
    };
    const char *text = witness_of_selector(arena, s);
    *fields[s->kind] = text;
    if (s->kind == SELECTOR_CONTAINER)
        out->container_id = NULL;
    return text != NULL;
}

bool explain_who_suit(const struct rule *r, const struct event_process *p, struct arena *arena,
                      struct event_process *out)
{
    *out = *p;
    out->foreign = false;
    for (size_t i = 0; i < r->n_selectors; i++) {
        const struct selector *s = &r->selectors[i];
        enum lack lack = lacks[s->kind];
        bool good = true;
        if (lack == LACK_ARGS)
            good = suit_args(r, arena, out);
        else if (lack == LACK_PARENTS)
            good = suit_parents(r, arena, out);
        else if (s->numeric || lack == LACK_MNTNS || lack == LACK_NETNS)
            suit_number(s, out);
        else
            good = suit_text(s, arena, out);
        if (!good)
            return false;
        out->known |= explain_who_facts(lack);
    }
    return true;
}
