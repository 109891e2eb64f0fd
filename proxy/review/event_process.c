/* SPDX-License-Identifier: MIT
 * From the log's words about a process to the facts that selectors ask for. */
#include "review/event_process.h"

#include <stdlib.h>
#include <string.h>

/* Facts that are one text each. */
static const struct {
    const char *name;
    unsigned fact;
    size_t at; /* in struct event_process */
} texts[] = {
    {"exe", FACT_EXE, offsetof(struct event_process, exe)},
    {"sha256", FACT_SHA256, offsetof(struct event_process, sha256)},
    {"user", FACT_USER, offsetof(struct event_process, user)},
    {"cgroup", FACT_CGROUP, offsetof(struct event_process, cgroup)},
    {"container_id", FACT_CONTAINER_ID, offsetof(struct event_process, container_id)},
    {"container_name", FACT_CONTAINER, offsetof(struct event_process, container_name)},
    {"image", FACT_IMAGE, offsetof(struct event_process, image)},
    {"pod", FACT_POD, offsetof(struct event_process, pod)},
    {"step", FACT_STEP, offsetof(struct event_process, step)},
    {"action", FACT_ACTION, offsetof(struct event_process, action)},
};

void event_owner_release(struct event_owner *o)
{
    free(o->args.list);
    free(o->parents.list);
    *o = (struct event_owner){0};
}

static bool add_text(struct fields *f, struct event_texts *t, const char *text)
{
    if (t->n == t->size) {
        size_t size = t->size ? 2 * t->size : 32;
        const char **list = reallocarray(t->list, size, sizeof(*list));
        if (!list) {
            fields_bad(f, "out of memory");
            return false;
        }
        t->list = list;
        t->size = size;
    }
    t->list[t->n++] = text;
    return true;
}

/* Arguments are compared as the log has them: what was redacted in it is `***` here. */
static bool read_args(struct fields *f, struct event_owner *out)
{
    json_t *list = fields_list(f, "cmdline");
    out->args.n = 0;
    out->process.args_cut = fields_flag(f, "cmdline_truncated");
    if (!list)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_array_get(list, i);
        const char *text = value_text(value);
        if (!text) {
            fields_bad(f, "'cmdline' holds something that is no text");
            return false;
        }
        if (!add_text(f, &out->args, text))
            return false;
    }
    out->process.known |= FACT_ARGS;
    return true;
}

/* The chain is whole when every link is there up to the first process. */
static bool read_parents(struct fields *f, struct event_owner *out)
{
    json_t *list = fields_list(f, "ancestors");
    bool whole = true;
    uint64_t pid = 1;
    out->parents.n = 0;
    if (!list)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_array_get(list, i);
        struct fields one = {value, f->error};
        if (!json_is_object(value)) {
            fields_bad(f, "'ancestors' holds something that is no {\"pid\":…,\"exe\":…}");
            return false;
        }
        const char *exe = fields_text(&one, "exe");
        pid = 1;
        fields_number(&one, "pid", UINT32_MAX, &pid);
        whole = whole && exe;
        if (exe && !add_text(f, &out->parents, exe))
            return false;
    }
    if (whole && pid == 1)
        out->process.known |= FACT_PARENTS;
    return true;
}

static bool read_namespace(struct fields *f, const char *name, unsigned fact, uint32_t *out,
                           unsigned *known)
{
    uint64_t inode;
    if (!fields_number(f, name, UINT32_MAX, &inode))
        return false;
    *out = (uint32_t)inode;
    *known |= fact;
    return true;
}

/* Facts that are in the record but were not to be relied on: `"unknown":["exe"]`. */
static void read_unknown(struct fields *f, struct event_process *p)
{
    static const struct {
        const char *name;
        unsigned fact;
    } lists[] = {{"cmdline", FACT_ARGS},
                 {"ancestors", FACT_PARENTS},
                 {"uid", FACT_USER},
                 {"mntns", FACT_MNTNS},
                 {"netns", FACT_NETNS}};
    json_t *list = fields_list(f, "unknown");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_array_get(list, i);
        const char *text = value_text(value);
        if (!text) {
            fields_bad(f, "'unknown' holds something that is no text");
            return;
        }
        for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
            if (strcmp(text, lists[k].name) == 0)
                p->known &= ~lists[k].fact;
        for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
            if (strcmp(text, texts[k].name) == 0)
                p->known &= ~texts[k].fact;
    }
}

/* As the filter does: where nothing is said of a container, the cgroup may tell its id. */
static void find_container(struct event_owner *out)
{
    struct event_process *p = &out->process;
    const unsigned told = FACT_CONTAINER | FACT_CONTAINER_ID;
    const char *id = p->cgroup && !(p->known & told) ? cgroup_container_id(p->cgroup) : NULL;
    if (!id)
        return;
    memcpy(out->container_id, id, CGROUP_ID_LEN);
    out->container_id[CGROUP_ID_LEN] = '\0';
    p->container_id = out->container_id;
    p->known |= FACT_CONTAINER_ID;
}

bool event_owner_read(struct fields *f, struct event_owner *out)
{
    struct event_process *p = &out->process;
    uint64_t number;
    *p = (struct event_process){.foreign = fields_flag(f, "foreign")};
    bool told = p->foreign;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = fields_text(f, texts[i].name);
        if (!text && !fields_is_null(f, texts[i].name))
            continue;
        *(const char **)(void *)((char *)p + texts[i].at) = text;
        p->known |= texts[i].fact;
        told = true;
    }
    /* A name without a number is no user of this machine that a uid could match. */
    if (fields_number(f, "uid", UINT32_MAX, &number)) {
        p->uid = (uint32_t)number;
        p->known |= FACT_USER;
        told = true;
    } else if (p->known & FACT_USER) {
        p->uid = UINT32_MAX;
    }
    told |= read_args(f, out);
    told |= read_parents(f, out);
    told |= read_namespace(f, "mntns", FACT_MNTNS, &p->mntns, &p->known);
    told |= read_namespace(f, "netns", FACT_NETNS, &p->netns, &p->known);
    told |= fields_number(f, "pid", UINT32_MAX, &number);
    read_unknown(f, p);
    find_container(out);
    p->args = out->args.list;
    p->n_args = out->args.n;
    p->parents = out->parents.list;
    p->n_parents = out->parents.n;
    return told;
}
