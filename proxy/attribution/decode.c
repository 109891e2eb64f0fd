/* SPDX-License-Identifier: MIT
 * The layout of an exec event, read once and strictly; it decides which facts count as known. */
#include "attribution/decode.h"

#include <errno.h>
#include <string.h>

enum {
    EXE_DOUBTFUL =
        PROCESS_EXE_CUT | PROCESS_EXE_DELETED | PROCESS_EXE_UNREACHABLE | PROCESS_EXE_OUTSIDE,
    CWD_DOUBTFUL = PROCESS_CWD_CUT | PROCESS_CWD_UNKNOWN,
};

static const size_t head_len = offsetof(struct process_exec, data);

/* Splits the argument area. A last one without its NUL was cut: it is no argument of the process,
 * and would look like a shorter one. */
static size_t split_args(const char *text, size_t len, const char **args)
{
    size_t n = 0;
    while (len) {
        const char *end = memchr(text, '\0', len);
        if (!end)
            break;
        args[n++] = text;
        len -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return n;
}

/* Copies a path and its NUL to *at. NULL when it cannot be one. */
static const char *take_path(char **at, const char *path, size_t len)
{
    if (!len || path[0] != '/' || memchr(path, '\0', len))
        return NULL;
    char *copy = *at;
    memcpy(copy, path, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static void decode_args(const struct process_exec *e, const char *data, char *at,
                        struct decoded *out)
{
    struct process *p = &out->process;
    memcpy(at, data, e->args_len);
    p->args = out->args;
    p->n_args = split_args(at, e->args_len, out->args);
    if (!(e->flags & PROCESS_ARGS_CUT) && p->n_args != e->argc)
        p->flags |= PROCESS_ARGS_LOST;
    if (p->flags & PROCESS_ARGS_LOST)
        p->n_args = 0;
    else
        p->known |= FACT_ARGS;
}

int decode_exec(const void *event, size_t len, struct decoded *out)
{
    struct process_exec e;
    if (len < head_len || len > sizeof e)
        return -EBADMSG;
    memcpy(&e, event, head_len);
    const char *data = (const char *)event + head_len;
    if (e.head.type != PROCESS_EXEC || e.exe_len > PROCESS_PATH_MAX ||
        e.cwd_len > PROCESS_PATH_MAX || e.args_len > PROCESS_ARGS_MAX ||
        len - head_len != (size_t)e.exe_len + e.cwd_len + e.args_len)
        return -EBADMSG;
    struct process *p = &out->process;
    *p = (struct process){
        .count = 1,
        .key = e.head.process,
        .known = FACT_USER | FACT_MNTNS | FACT_NETNS,
        .flags = e.flags,
        .ns_pid = e.ns_pid,
        .uid = e.uid,
        .netns = e.netns,
        .mntns = e.mntns,
        .userns = e.userns,
        .cgroup_id = e.cgroup_id,
        .file = {e.exe_ino, e.exe_size, e.exe_ctime_ns, e.exe_dev, e.exe_fs},
        .exec_ns = e.time_ns,
        .args_total = e.args_total,
    };
    out->parent = e.parent;
    char *at = out->text;
    p->exe = take_path(&at, data, e.exe_len);
    if (p->exe && !(e.flags & EXE_DOUBTFUL))
        p->known |= FACT_EXE;
    p->cwd = take_path(&at, data + e.exe_len, e.cwd_len);
    if (e.flags & CWD_DOUBTFUL)
        p->cwd = NULL;
    decode_args(&e, data + e.exe_len + e.cwd_len, at, out);
    return 0;
}
