/* SPDX-License-Identifier: MIT
 * The policy's bytes, mapped from sealed memory, parsed in the process without rights. */
#include "roles/policy_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "keeper/ipc.h"
#include "keeper/options.h"
#include "rules/presets.h"

struct loading {
    const struct role_args *args;
    int control_fd;
    struct buffer resolvers; /* the text of @system-resolver */
    size_t errors;
    uint32_t last_id;
};

/* The length of sealed memory is asked by seeking to its end: fstat(2) is not among the calls. */
static int map_source(int fd, const char *name, struct policy_source *out)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return -errno;
    *out = (struct policy_source){.name = name, .data = "", .len = (size_t)size};
    if (size == 0)
        return 0;
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    out->data = data;
    return 0;
}

static int send_text(int fd, enum ipc_type type, uint32_t id, const void *text, size_t len)
{
    uint32_t header[2] = {(uint32_t)type, id};
    struct iovec iov[2] = {{header, sizeof header}, {(void *)text, MIN(len, IPC_PAYLOAD_MAX)}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    struct loading *l = context;
    CLEANUP_BUFFER struct buffer line = {0};
    l->errors += d->kind == DIAGNOSTIC_ERROR;
    buffer_printf(&line, "%s:%zu:%zu: %s: %s", d->file, d->line, d->column,
                  d->kind == DIAGNOSTIC_ERROR ? "error" : "warning", d->text);
    if (!buffer_failed(&line))
        (void)!send_text(l->control_fd, IPC_DIAGNOSTIC, 0, line.data, line.len);
}

/* Waits for the keeper's answer: a status, a name, and with status 0 a descriptor. */
static int receive_source(int control_fd, char *name, size_t size, int *fd)
{
    uint32_t header[2];
    int32_t status;
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov[3] = {{header, sizeof header}, {&status, sizeof status}, {name, size - 1}};
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = 3,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(control_fd, &msg, MSG_CMSG_CLOEXEC);
    if (n < (ssize_t)(sizeof header + sizeof status) || header[0] != IPC_SOURCE)
        return -EPROTO;
    name[(size_t)n - sizeof header - sizeof status] = '\0';
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return status < 0 ? status : *fd < 0 ? -EPROTO : 0;
}

/* The resolvers in the host's resolv.conf, which the keeper read: we may open no file. */
static int load_preset(struct loading *l, const char *name, struct policy_source *out)
{
    struct resolver self;
    uint32_t ips[RESOLVERS_MAX];
    const char *text;
    size_t n = 0;
    if (strcmp(name, PRESET_RESOLVER) != 0)
        return preset_find(name, out);
    while (n < RESOLVERS_MAX && (text = role_setting(l->args, "self", n)) &&
           resolver_parse(text, &self, NULL) == 0)
        ips[n++] = self.address.ip;
    if (!l->resolvers.data)
        preset_write_resolvers(ips, n, &l->resolvers);
    if (buffer_failed(&l->resolvers))
        return -ENOMEM;
    *out = (struct policy_source){PRESET_RESOLVER_FILE, l->resolvers.data, l->resolvers.len};
    return 0;
}

static int load_include(void *context, const char *from, const char *what, bool preset,
                        struct policy_source *source)
{
    struct loading *l = context;
    char name[4096];
    CLEANUP_BUFFER struct buffer question = {0};
    CLEANUP_FD int fd = -1;
    if (preset)
        return load_preset(l, what, source);
    buffer_add(&question, from, strlen(from) + 1);
    buffer_add(&question, what, strlen(what) + 1);
    if (buffer_failed(&question) || question.len > IPC_PAYLOAD_MAX)
        return -ENAMETOOLONG;
    int failed = send_text(l->control_fd, IPC_INCLUDE, ++l->last_id, question.data, question.len);
    if (!failed)
        failed = receive_source(l->control_fd, name, sizeof name, &fd);
    char *copy = failed ? NULL : strdup(name); /* lives as long as the policy names it: for ever */
    if (!failed && !copy)
        failed = -ENOMEM;
    return failed ? failed : map_source(fd, copy, source);
}

/* "OWNER/REPO" in two halves; the parser says what they may hold. */
static void split_repo(const struct role_args *args, char room[512], struct policy_options *o)
{
    const char *repo = role_setting(args, "repo", 0);
    if (!repo || strlen(repo) >= 512)
        return;
    memcpy(room, repo, strlen(repo) + 1);
    char *slash = strchr(room, '/');
    if (!slash)
        return;
    *slash = '\0';
    o->owner = room;
    o->repo = slash + 1;
}

int policy_load(const struct role_args *args, int control_fd, struct policy **out,
                struct error *error)
{
    struct policy_source sources[OPTIONS_LIST_MAX];
    struct loading loading = {.args = args, .control_fd = control_fd};
    struct policy_options o = {.context = role_setting(args, "context", 0),
                               .lenient = role_setting(args, "lenient", 0) != NULL,
                               .load = load_include,
                               .load_context = &loading,
                               .diagnose = on_diagnostic,
                               .diagnose_context = &loading};
    char repo[512], key[32];
    const char *name;
    size_t n = 0;
    split_repo(args, repo, &o);
    for (; n < OPTIONS_LIST_MAX && (name = role_setting(args, "policy", n)); n++) {
        snprintf(key, sizeof key, "policy-%zu", n);
        int failed = map_source(role_fd(args, key), name, &sources[n]);
        if (failed)
            return error_set(error, failed, "cannot map the policy '%s'", name);
    }
    *out = policy_parse(sources, n, &o);
    buffer_release(&loading.resolvers);
    if (*out && policy_is_open(*out))
        return error_say(error, -EINVAL,
                         "the policy uses {owner} or {repo}, and neither --repo OWNER/REPO nor "
                         "GITHUB_REPOSITORY says what they are");
    if (*out)
        return 0;
    if (loading.errors)
        return error_say(error, -EINVAL,
                         "the policy has %zu error%s, so nothing was run; mend it, or skip bad "
                         "allow lines with --lenient",
                         loading.errors, loading.errors == 1 ? "" : "s");
    return error_set(error, -ENOMEM, "cannot load the policy");
}
