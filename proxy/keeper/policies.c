/* SPDX-License-Identifier: MIT
 * Policy files: opened by the keeper, read whole into sealed memory, never looked into. The proxy
 * gets the bytes, parses and judges; a proxy that is started again gets the same ones. */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "tls/digest.h"

#define POLICY_FILE_MAX  (64u << 20)
#define POLICY_FILES_MAX 128
#define DEFAULT_POLICY   "egress.rules"

/* Copies everything that can be read from fd into sealed memory. */
static int copy_sealed(int fd, const char *name)
{
    char chunk[65536];
    size_t total = 0;
    ssize_t n;
    CLEANUP_FD int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return -errno;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        total += (size_t)n;
        if (total > POLICY_FILE_MAX)
            return -EFBIG;
        for (ssize_t done = 0, m; done < n; done += m)
            if ((m = write(memory, chunk + done, (size_t)(n - done))) < 0)
                return -errno;
    }
    if (n < 0)
        return -errno;
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    return fd_steal(&memory);
}

/* Opens a file and keeps its bytes under its name. One of the command line may be a pipe, as a
 * shell's <(…) makes; an included one may not: nobody would write into it, and we would wait. */
static int keep_file(struct keeper *k, const char *name, bool included)
{
    struct stat st;
    if (k->n_policies == POLICY_FILES_MAX)
        return -E2BIG;
    CLEANUP_FD int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | (included ? O_NONBLOCK : 0));
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (included && !S_ISREG(st.st_mode))
        return -EINVAL;
    CLEANUP_FD int memory = copy_sealed(fd, "policy");
    if (memory < 0)
        return memory;
    struct policy_file *files = realloc(k->policies, (k->n_policies + 1) * sizeof *files);
    if (!files)
        return -ENOMEM;
    k->policies = files;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    files[k->n_policies++] =
        (struct policy_file){copy, fd_steal(&memory), S_ISREG(st.st_mode) ? fd_steal(&fd) : -1};
    return 0;
}

static void digest_file(struct digest *digest, int fd, char hex[SHA256_HEX + 1])
{
    char chunk[65536];
    uint8_t sum[SHA256_LEN];
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, chunk, sizeof chunk, at)) > 0) {
        digest_add(digest, chunk, (size_t)n);
        at += n;
    }
    digest_end(digest, sum);
    digest_hex(sum, hex);
}

int keeper_digest_policies(struct keeper *k)
{
    CLEANUP_BUFFER struct buffer lines = {0};
    char hex[SHA256_HEX + 1];
    uint8_t sum[SHA256_LEN];
    struct digest *digest = digest_new();
    if (!digest)
        return -ENOMEM;
    for (size_t i = 0; i < k->n_policies; i++) {
        digest_file(digest, k->policies[i].fd, hex);
        buffer_printf(&lines, "%s  %s\n", hex, k->policies[i].name);
    }
    if (k->n_policies != 1) {
        digest_add(digest, lines.data ? lines.data : "", lines.len);
        digest_end(digest, sum);
        digest_hex(sum, hex);
    }
    digest_free(digest);
    memcpy(k->policy_sha256, hex, sizeof hex);
    return buffer_failed(&lines) ? -ENOMEM : 0;
}

int keeper_read_policies(struct keeper *k, struct error *error)
{
    struct cli_list *list = &k->options.policies;
    if (list->n == 0 && access(DEFAULT_POLICY, F_OK) == 0)
        list->items[list->n++] = DEFAULT_POLICY;
    if (list->n == 0 && !k->options.audit)
        return error_say(error, -ENOENT,
                         "no policy: there is no ./" DEFAULT_POLICY
                         " and no --policy FILE. To see first what the command asks for, let "
                         "everything pass and record it: egress-filter run --audit -- %s …",
                         k->options.command[0]);
    for (size_t i = 0; i < list->n; i++) {
        int failed = keep_file(k, list->items[i], false);
        if (failed)
            return error_set(error, failed, "cannot read the policy '%s'", list->items[i]);
    }
    k->n_command_line = k->n_policies;
    return 0;
}

/* The file that an include line means: relative to the directory of the one that holds it. */
static int include_path(const char *from, const char *what, char out[PATH_MAX])
{
    const char *slash = strrchr(from, '/');
    int dir = what[0] == '/' || !slash ? 0 : (int)(slash - from + 1);
    int n = snprintf(out, PATH_MAX, "%.*s%s", dir, from, what);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void keeper_include(struct keeper *k, struct role *r, const struct ipc_message *m)
{
    char reply[sizeof(int32_t) + PATH_MAX] = {0};
    char *path = reply + sizeof(int32_t);
    const char *from = m->data, *end = from + m->len;
    const char *what = memchr(from, '\0', m->len);
    int32_t status = -EBADMSG;
    int fd = -1;
    if (what && ++what < end && memchr(what, '\0', (size_t)(end - what)))
        status = include_path(from, what, path);
    for (size_t i = k->n_command_line; !status && fd < 0 && i < k->n_policies; i++)
        if (strcmp(k->policies[i].name, path) == 0)
            fd = k->policies[i].fd;
    /* A proxy that was taken over must not read files through us: new ones are opened only while
     * the policy is loaded for the first time, before anything from outside was read. */
    if (!status && fd < 0 && k->policy_sha256[0])
        status = -EPERM;
    if (!status && fd < 0 && (status = keep_file(k, path, true)) == 0)
        fd = k->policies[k->n_policies - 1].fd;
    memcpy(reply, &status, sizeof status);
    keeper_send(r, IPC_SOURCE, m->id, reply, sizeof status + strlen(path) + 1, fd);
}
