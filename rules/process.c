/* SPDX-License-Identifier: MIT
 * Selectors against a process. Three answers, because an allow rule and a veto read "not known" in
 * opposite ways. */
#include "rules/process.h"

#include <string.h>

#include "rules/cgroup.h"
#include "rules/glob.h"

enum { SHORT_ID = 12 }; /* digits of a container's id that stand for all 64 */

static bool value_matches(const struct selector *s, const char *text)
{
    if (s->literal)
        return strcmp(s->value, text) == 0;
    return glob_matches(s->value, strlen(s->value), text, strlen(text));
}

static enum truth truth_of(bool yes)
{
    return yes ? TRUTH_YES : TRUTH_NO;
}

/* A fact that is known to be absent (no container, no step) has a NULL text. */
static enum truth text_truth(const struct selector *s, const char *text)
{
    return truth_of(text && value_matches(s, text));
}

static enum truth any_arg(const struct selector *s, const struct event_process *p)
{
    for (size_t i = 0; i < p->n_args; i++)
        if (value_matches(s, p->args[i]))
            return TRUTH_YES;
    return p->args_cut ? TRUTH_UNKNOWN : TRUTH_NO;
}

static enum truth nth_arg(const struct selector *s, const struct event_process *p)
{
    if (s->index < p->n_args)
        return truth_of(value_matches(s, p->args[s->index]));
    return p->args_cut ? TRUTH_UNKNOWN : TRUTH_NO;
}

static bool container_id_matches(const struct selector *s, const struct event_process *p)
{
    char id[SHORT_ID + 1] = "";
    if (!p->container_id)
        return false;
    if (strlen(p->container_id) >= SHORT_ID)
        memcpy(id, p->container_id, SHORT_ID);
    return value_matches(s, p->container_id) || (id[0] && value_matches(s, id));
}

/* An ancestor that is known counts, also where others are not: the first process of a container or
 * of a sandbox often cannot be looked at. */
static enum truth any_parent(const struct selector *s, const struct event_process *p)
{
    for (size_t i = 0; i < p->n_parents; i++)
        if (value_matches(s, p->parents[i]))
            return TRUTH_YES;
    return p->known & FACT_PARENTS ? TRUTH_NO : TRUTH_UNKNOWN;
}

static enum truth container(const struct selector *s, const struct event_process *p)
{
    const bool told = p->known & FACT_CONTAINER;
    if ((told || (p->known & FACT_CONTAINER_ID)) && container_id_matches(s, p))
        return TRUTH_YES;
    if (!told) /* it may be the name, which is not known */
        return TRUTH_UNKNOWN;
    return text_truth(s, p->container_name);
}

static enum truth cgroup(const struct selector *s, struct subject *subject)
{
    if (!subject->process->cgroup)
        return TRUTH_NO;
    if (s->classes == 0)
        return truth_of(value_matches(s, subject->process->cgroup));
    if (subject->classes == 0)
        subject->classes = cgroup_classify(subject->process->cgroup);
    return truth_of((subject->classes & s->classes) != 0);
}

static const unsigned facts[] = {
    [SELECTOR_EXE] = FACT_EXE,       [SELECTOR_ARG] = FACT_ARGS,
    [SELECTOR_ARG_AT] = FACT_ARGS,   [SELECTOR_PARENT] = FACT_PARENTS,
    [SELECTOR_SHA256] = FACT_SHA256, [SELECTOR_USER] = FACT_USER,
    [SELECTOR_CGROUP] = FACT_CGROUP, [SELECTOR_CONTAINER] = FACT_CONTAINER,
    [SELECTOR_IMAGE] = FACT_IMAGE,   [SELECTOR_POD] = FACT_POD,
    [SELECTOR_MNTNS] = FACT_MNTNS,   [SELECTOR_NETNS] = FACT_NETNS,
    [SELECTOR_STEP] = FACT_STEP,     [SELECTOR_ACTION] = FACT_ACTION,
};

unsigned selector_fact(const struct selector *s)
{
    return facts[s->kind];
}

/* Of these a part may be known that is enough. */
static bool may_be_known_in_part(const struct selector *s)
{
    return s->kind == SELECTOR_PARENT || s->kind == SELECTOR_CONTAINER;
}

static enum truth selector_truth(const struct selector *s, struct subject *subject)
{
    const struct event_process *p = subject->process;
    if (!p || (!(p->known & facts[s->kind]) && !may_be_known_in_part(s)))
        return TRUTH_UNKNOWN;
    switch (s->kind) {
    case SELECTOR_EXE:
        return text_truth(s, p->exe);
    case SELECTOR_ARG:
        return any_arg(s, p);
    case SELECTOR_ARG_AT:
        return nth_arg(s, p);
    case SELECTOR_PARENT:
        return any_parent(s, p);
    case SELECTOR_SHA256:
        return text_truth(s, p->sha256);
    case SELECTOR_USER:
        return s->numeric ? truth_of(p->uid == s->number) : text_truth(s, p->user);
    case SELECTOR_CGROUP:
        return cgroup(s, subject);
    case SELECTOR_CONTAINER:
        return container(s, p);
    case SELECTOR_IMAGE:
        return text_truth(s, p->image);
    case SELECTOR_POD:
        return text_truth(s, p->pod);
    case SELECTOR_MNTNS:
        return truth_of(p->mntns == s->number);
    case SELECTOR_NETNS:
        return truth_of(p->netns == s->number);
    case SELECTOR_STEP:
        return text_truth(s, p->step);
    case SELECTOR_ACTION:
        return text_truth(s, p->action);
    }
    return TRUTH_NO;
}

/* Whether a selector says which container is meant; `cgroup=/docker/…` does as @docker does. */
static bool names_container(const struct selector *s)
{
    switch (s->kind) {
    case SELECTOR_CONTAINER:
    case SELECTOR_IMAGE:
    case SELECTOR_POD:
    case SELECTOR_MNTNS:
        return true;
    case SELECTOR_CGROUP: {
        unsigned classes = s->classes ? s->classes : cgroup_classify(s->value);
        return (classes & CGROUP_CONTAINER) && !(classes & ~(unsigned)CGROUP_CONTAINER);
    }
    default:
        return false;
    }
}

/* An engine that answers for the container has told one of these. */
static bool engine_vouches(const struct event_process *p)
{
    return ((p->known & FACT_CONTAINER) && (p->container_id || p->container_name)) ||
           ((p->known & FACT_IMAGE) && p->image) || ((p->known & FACT_POD) && p->pod);
}

static bool files_are_known(const struct selector *list, size_t n, struct subject *s)
{
    if (!s->process || !s->process->foreign)
        return true;
    for (size_t i = 0; i < n; i++)
        if (names_container(&list[i]) && selector_truth(&list[i], s) == TRUTH_YES &&
            engine_vouches(s->process))
            return true;
    return false;
}

static bool names_file(const struct selector *s)
{
    return s->kind == SELECTOR_EXE || s->kind == SELECTOR_PARENT || s->kind == SELECTOR_SHA256;
}

enum truth selectors_suit(const struct selector *list, size_t n, struct subject *s)
{
    enum truth all = TRUTH_YES;
    for (size_t i = 0; i < n; i++) {
        bool known = !names_file(&list[i]) || files_are_known(list, n, s);
        enum truth one = known ? selector_truth(&list[i], s) : TRUTH_UNKNOWN;
        if (one == TRUTH_NO)
            return TRUTH_NO;
        if (one == TRUTH_UNKNOWN)
            all = TRUTH_UNKNOWN;
    }
    return all;
}

unsigned process_certain(const struct event_process *p)
{
    unsigned kinds = 0;
    for (size_t i = 0; p && i < ARRAY_SIZE(facts); i++)
        if (p->known & facts[i])
            kinds |= 1u << i;
    if (p && p->args_cut)
        kinds &= ~(1u << SELECTOR_ARG | 1u << SELECTOR_ARG_AT);
    if (p && p->foreign)
        kinds &= ~(1u << SELECTOR_EXE | 1u << SELECTOR_PARENT | 1u << SELECTOR_SHA256);
    return kinds;
}

static bool visit_text(const char *text, bool wanted, text_visit *visit, void *context)
{
    return !text || !wanted || visit(context, text, strlen(text));
}

static bool visit_list(const char *const *list, size_t n, bool wanted, text_visit *visit,
                       void *context)
{
    for (size_t i = 0; i < n && wanted; i++)
        if (!visit(context, list[i], strlen(list[i])))
            return false;
    return true;
}

void process_texts(const struct event_process *p, unsigned kinds, text_visit *visit, void *context)
{
    const struct {
        enum selector_kind kind;
        const char *text;
    } single[] = {
        {SELECTOR_EXE, p->exe},
        {SELECTOR_SHA256, p->sha256},
        {SELECTOR_USER, p->user},
        {SELECTOR_CGROUP, p->cgroup},
        {SELECTOR_CONTAINER, p->container_name},
        {SELECTOR_CONTAINER, p->container_id},
        {SELECTOR_IMAGE, p->image},
        {SELECTOR_POD, p->pod},
        {SELECTOR_STEP, p->step},
        {SELECTOR_ACTION, p->action},
    };
    for (size_t i = 0; i < ARRAY_SIZE(single); i++)
        if (!visit_text(single[i].text, kinds >> single[i].kind & 1, visit, context))
            return;
    bool container = kinds >> SELECTOR_CONTAINER & 1;
    bool args = kinds & (1u << SELECTOR_ARG | 1u << SELECTOR_ARG_AT);
    if (container && p->container_id && strlen(p->container_id) >= SHORT_ID &&
        !visit(context, p->container_id, SHORT_ID))
        return;
    if (visit_list(p->args, p->n_args, args, visit, context))
        visit_list(p->parents, p->n_parents, kinds >> SELECTOR_PARENT & 1, visit, context);
}
