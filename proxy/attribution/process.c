/* SPDX-License-Identifier: MIT
 * The record of a process: counted, in one piece of memory, and what policies are shown of it. */
#include "attribution/process.h"

#include <stdlib.h>
#include <string.h>

static size_t string_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

size_t process_size(const struct process *p)
{
    size_t size = sizeof *p + p->n_args * sizeof *p->args + p->n_ancestors * sizeof *p->ancestors;
    size += string_size(p->exe) + string_size(p->cwd) + string_size(p->user);
    size += string_size(p->cgroup);
    for (size_t i = 0; i < p->n_args; i++)
        size += string_size(p->args[i]);
    for (size_t i = 0; i < p->n_ancestors; i++)
        size += string_size(p->ancestors[i].exe);
    return size;
}

/* Copies a string to *at and moves it on. */
static const char *place(char **at, const char *s)
{
    if (!s)
        return NULL;
    const size_t size = strlen(s) + 1;
    char *copy = memcpy(*at, s, size);
    *at += size;
    return copy;
}

struct process *process_copy(const struct process *p)
{
    struct process *copy = malloc(process_size(p));
    if (!copy)
        return NULL;
    *copy = *p;
    copy->count = 1;
    /* Pointers first, so that they are aligned; the strings behind them. */
    struct process_ancestor *ancestors = (struct process_ancestor *)(copy + 1);
    const char **args = (const char **)(ancestors + p->n_ancestors);
    char *at = (char *)(args + p->n_args);
    copy->exe = place(&at, p->exe);
    copy->cwd = place(&at, p->cwd);
    copy->user = place(&at, p->user);
    copy->cgroup = place(&at, p->cgroup);
    for (size_t i = 0; i < p->n_args; i++)
        args[i] = place(&at, p->args[i]);
    for (size_t i = 0; i < p->n_ancestors; i++) {
        ancestors[i] = (struct process_ancestor){.pid = p->ancestors[i].pid};
        ancestors[i].exe = place(&at, p->ancestors[i].exe);
    }
    copy->args = args;
    copy->ancestors = ancestors;
    return copy;
}

/* Threads of the proxy share records. */
struct process *process_ref(struct process *p)
{
    __atomic_add_fetch(&p->count, 1, __ATOMIC_RELAXED);
    return p;
}

void process_unref(struct process *p)
{
    if (p && !__atomic_sub_fetch(&p->count, 1, __ATOMIC_ACQ_REL))
        free(p);
}

void process_event_view(const struct process *p, const char *parents[PROCESS_ANCESTORS_MAX],
                        struct event_process *out)
{
    const size_t n = MIN(p->n_ancestors, (size_t)PROCESS_ANCESTORS_MAX);
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        if (p->ancestors[i].exe)
            parents[known++] = p->ancestors[i].exe;
    }
    *out = (struct event_process){
        .known = p->known,
        .foreign = p->flags & PROCESS_FOREIGN,
        .exe = p->known & FACT_EXE ? p->exe : NULL,
        .args = p->args,
        .n_args = p->n_args,
        .args_cut = p->flags & PROCESS_ARGS_CUT,
        .parents = parents,
        .n_parents = known,
        .uid = p->uid,
        .user = p->user,
        .cgroup = p->cgroup,
        .mntns = p->mntns,
        .netns = p->netns,
    };
}
