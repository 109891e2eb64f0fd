/* SPDX-License-Identifier: MIT
 * The record of a process: counted, with parts that records share, and what policies are shown of
 * it. */
#include "attribution/process.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "rules/cgroup.h"

/* The path of an executable, in the lists of all who descend from it. */
struct name {
    unsigned count;
    char text[];
};

struct ancestors {
    unsigned count;
    size_t n;
    struct process_ancestor list[]; /* each exe is the text of a struct name */
};

static size_t memory; /* of all that is here, see process_memory */

static void memory_add(size_t n)
{
    __atomic_add_fetch(&memory, n, __ATOMIC_RELAXED);
}

static void memory_drop(size_t n)
{
    __atomic_sub_fetch(&memory, n, __ATOMIC_RELAXED);
}

size_t process_memory(void)
{
    return __atomic_load_n(&memory, __ATOMIC_RELAXED);
}

static struct name *name_of(const char *text)
{
    return (struct name *)(text - offsetof(struct name, text));
}

static const char *name_new(const char *text)
{
    const size_t len = strlen(text) + 1;
    struct name *name = malloc(sizeof *name + len);
    if (!name)
        return NULL;
    name->count = 1;
    memcpy(name->text, text, len);
    memory_add(sizeof *name + len);
    return name->text;
}

static const char *name_ref(const char *text)
{
    if (text)
        __atomic_add_fetch(&name_of(text)->count, 1, __ATOMIC_RELAXED);
    return text;
}

static void name_unref(const char *text)
{
    if (text && !__atomic_sub_fetch(&name_of(text)->count, 1, __ATOMIC_ACQ_REL)) {
        memory_drop(sizeof(struct name) + strlen(text) + 1);
        free(name_of(text));
    }
}

struct ancestors *ancestors_new(const struct process_ancestor *first, const struct ancestors *rest,
                                bool hidden)
{
    const size_t in_front = first ? 1 : 0;
    const size_t n = MIN(in_front + (rest ? rest->n : 0), (size_t)PROCESS_ANCESTORS_MAX);
    const char *exe = first && first->exe ? name_new(first->exe) : NULL;
    struct ancestors *a = malloc(sizeof *a + n * sizeof a->list[0]);
    if (!a || (first && first->exe && !exe)) {
        name_unref(exe);
        free(a);
        return NULL;
    }
    a->count = 1;
    a->n = n;
    if (first)
        a->list[0] = (struct process_ancestor){first->pid, exe};
    for (size_t i = in_front; i < n; i++) {
        a->list[i] = rest->list[i - in_front];
        a->list[i].exe = hidden ? NULL : name_ref(a->list[i].exe);
    }
    memory_add(sizeof *a + n * sizeof a->list[0]);
    return a;
}

struct ancestors *ancestors_ref(struct ancestors *a)
{
    if (a)
        __atomic_add_fetch(&a->count, 1, __ATOMIC_RELAXED);
    return a;
}

void ancestors_unref(struct ancestors *a)
{
    if (!a || __atomic_sub_fetch(&a->count, 1, __ATOMIC_ACQ_REL))
        return;
    for (size_t i = 0; i < a->n; i++)
        name_unref(a->list[i].exe);
    memory_drop(sizeof *a + a->n * sizeof a->list[0]);
    free(a);
}

static size_t string_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

size_t process_size(const struct process *p)
{
    size_t size = sizeof *p + p->n_args * sizeof *p->args + p->n_ancestors * sizeof *p->ancestors;
    size += string_size(p->exe) + string_size(p->cwd) + string_size(p->user);
    size += string_size(p->cgroup) + string_size(p->sha256);
    size += process_container_id(p) ? PROCESS_CONTAINER_ID_LEN + 1 : 0;
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

/* Of a path's middle, with a NUL of its own. */
static const char *place_container(char **at, const struct process *p)
{
    const char *id = process_container_id(p);
    if (!id)
        return NULL;
    char *copy = memcpy(*at, id, PROCESS_CONTAINER_ID_LEN);
    copy[PROCESS_CONTAINER_ID_LEN] = '\0';
    *at += PROCESS_CONTAINER_ID_LEN + 1;
    return copy;
}

struct process *process_copy(const struct process *p)
{
    const size_t size = process_size(p);
    struct process *copy = malloc(size);
    if (!copy)
        return NULL;
    *copy = *p;
    copy->count = 1;
    copy->image = NULL;
    copy->line = NULL;
    copy->bytes = size;
    memory_add(size);
    /* Pointers first, so that they are aligned; the strings behind them. */
    struct process_ancestor *ancestors = (struct process_ancestor *)(copy + 1);
    const char **args = (const char **)(ancestors + p->n_ancestors);
    char *at = (char *)(args + p->n_args);
    copy->exe = place(&at, p->exe);
    copy->cwd = place(&at, p->cwd);
    copy->sha256 = place(&at, p->sha256);
    copy->user = place(&at, p->user);
    copy->cgroup = place(&at, p->cgroup);
    copy->container = place_container(&at, p);
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

struct process *process_at(const struct process *p, const struct process_state *state,
                           const char *user, const char *cgroup)
{
    struct process other = *p;
    other.uid = state->uid;
    other.netns = state->netns;
    other.mntns = state->mntns;
    other.userns = state->userns;
    other.cgroup_id = state->cgroup_id;
    other.user = user;
    other.cgroup = cgroup;
    other.known |= FACT_USER | FACT_NETNS | FACT_MNTNS | FACT_CGROUP;
    if (!cgroup)
        other.known &= ~(unsigned)FACT_CGROUP;
    return process_copy(&other);
}

struct process *process_with_digest(const struct process *p, const char *sha256)
{
    struct process other = *p;
    other.sha256 = sha256;
    other.known |= FACT_SHA256;
    return process_copy(&other);
}

struct process_state process_state(const struct process *p)
{
    return (struct process_state){p->cgroup_id, p->uid, p->netns, p->mntns, p->userns};
}

struct process_state process_state_of(const struct flow_owner *o)
{
    return (struct process_state){o->cgroup_id, o->uid, o->netns, o->mntns, o->userns};
}

const char *process_container_id(const struct process *p)
{
    _Static_assert(PROCESS_CONTAINER_ID_LEN == CGROUP_ID_LEN, "one form of ids");
    return p->cgroup ? cgroup_container_id(p->cgroup) : NULL;
}

bool process_is(const struct process *p, const struct process_id *id)
{
    static const struct process_state at_exec;
    const struct process_state state = process_state(p);
    return memcmp(&p->key, &id->key, sizeof p->key) == 0 &&
           (memcmp(&id->state, &state, sizeof state) == 0 ||
            memcmp(&id->state, &at_exec, sizeof at_exec) == 0);
}

struct process *process_share(const struct process *p, struct process *image,
                              struct ancestors *line)
{
    struct process own = *p;
    own.ancestors = NULL;
    own.n_ancestors = 0;
    struct process *record = image ? malloc(sizeof *record) : process_copy(&own);
    if (!record)
        return NULL;
    if (image) {
        *record = own;
        record->count = 1;
        record->image = process_ref(image);
        record->bytes = sizeof *record;
        memory_add(sizeof *record);
    }
    record->line = ancestors_ref(line);
    record->ancestors = line ? line->list : NULL;
    record->n_ancestors = line ? line->n : 0;
    return record;
}

/* Threads of the proxy share records. */
struct process *process_ref(struct process *p)
{
    __atomic_add_fetch(&p->count, 1, __ATOMIC_RELAXED);
    return p;
}

void process_unref(struct process *p)
{
    if (!p || __atomic_sub_fetch(&p->count, 1, __ATOMIC_ACQ_REL))
        return;
    process_unref(p->image); /* which has none itself */
    ancestors_unref(p->line);
    memory_drop(p->bytes);
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
        .known = p->known | (p->container ? FACT_CONTAINER_ID : 0),
        .foreign = p->flags & PROCESS_FOREIGN,
        .exe = p->known & FACT_EXE ? p->exe : NULL,
        .sha256 = p->known & FACT_SHA256 ? p->sha256 : NULL,
        .args = p->args,
        .n_args = p->n_args,
        .args_cut = p->flags & PROCESS_ARGS_CUT,
        .parents = parents,
        .n_parents = known,
        .uid = p->uid,
        .user = p->user,
        .cgroup = p->cgroup,
        .container_id = p->container,
        .mntns = p->mntns,
        .netns = p->netns,
    };
}
