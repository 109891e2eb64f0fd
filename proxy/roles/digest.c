/* SPDX-License-Identifier: MIT
 * The digest role: reads one executable, says its SHA-256 and what it saw of the file meanwhile,
 * and ends. A process of its own, because a file may be large, or lie behind a path that never
 * answers: then it is killed, and nobody else has waited. */
#include "roles/role.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attribution/executable.h"
#include "base/fd.h"
#include "keeper/digests.h"
#include "keeper/ipc.h"
#include "tls/digest.h"

enum { CHUNK = 256 << 10 };

static struct exe_file file_of(const struct stat *st)
{
    return (struct exe_file){.ino = st->st_ino,
                             .size = (uint64_t)st->st_size,
                             .ctime_ns = (uint64_t)st->st_ctim.tv_sec * 1000000000u +
                                         (uint64_t)st->st_ctim.tv_nsec,
                             .dev = exe_dev(st->st_dev)};
}

static bool is_inode(const struct stat *st, const struct role_args *args)
{
    return S_ISREG(st->st_mode) && st->st_ino == role_number(args, "ino", 0) &&
           exe_dev(st->st_dev) == role_number(args, "dev", 0);
}

/* Where a list of rights says more, the group's bits are the most that it gives. */
static bool is_roots(const struct stat *st)
{
    return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* By what the process itself runs, where it lives: also when the name has gone since. */
static int open_running(const struct role_args *args, const char *link)
{
    struct stat st;
    /* Looked at first: opening something else might never come back. */
    if (!link[0] || stat(link, &st) < 0 || !is_inode(&st, args))
        return -ENOENT;
    int fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

/* By its path, as the command sees it. The kernel's own path has no links in it. */
static int open_path(const struct role_args *args)
{
    const char *path = role_setting(args, "path", 0);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve =
                               RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    CLEANUP_FD int own = -1;
    int root = role_fd(args, "root");
    if (root < 0)
        root = own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!path || root < 0)
        return -ENOENT;
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

/* Exactly so many bytes: a file that has grown is another one. */
static int digest_file(int fd, uint64_t size, uint8_t sha256[SHA256_LEN])
{
    static char chunk[CHUNK];
    struct digest *d = digest_new();
    int failed = d ? 0 : -ENOMEM;
    while (!failed && size) {
        ssize_t n = read(fd, chunk, MIN(size, sizeof chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            failed = n < 0 ? -errno : -ESTALE;
            break;
        }
        digest_add(d, chunk, (size_t)n);
        size -= (uint64_t)n;
    }
    if (!failed)
        digest_end(d, sha256);
    digest_free(d);
    return failed;
}

static int look_and_read(const struct role_args *args, int fd, const char *link,
                         struct digest_answer *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!is_inode(&st, args) || (uint64_t)st.st_size != role_number(args, "size", 0))
        return -ESTALE;
    out->seen.before = file_of(&st);
    out->seen.roots = is_roots(&st);
    if (!link[0] && !out->seen.roots) /* which nothing could prove */
        return -ESTALE;
    int failed = digest_file(fd, out->seen.before.size, out->sha256);
    if (failed)
        return failed;
    if (fstat(fd, &st) < 0)
        return -errno;
    out->seen.after = file_of(&st);
    out->seen.running = link[0] && stat(link, &st) == 0 && is_inode(&st, args);
    return 0;
}

int digest_main(const struct role_args *args)
{
    struct {
        uint32_t type, id;
        struct digest_answer answer;
    } m = {.type = IPC_DIGEST};
    struct error error = {0};
    char link[64] = "";
    const struct confine_as as = role_identity(args, CONFINE_DIGEST_UID);
    const int pid = (int)role_number(args, "pid", 0);
    if (pid)
        snprintf(link, sizeof link, "/proc/%d/exe", pid);
    CLEANUP_FD int fd = open_running(args, link);
    if (fd < 0)
        fd = open_path(args);
    m.answer.error = fd < 0 ? fd : confine(CONFINE_DIGEST, &as, &error);
    if (!m.answer.error)
        m.answer.error = look_and_read(args, fd, link, &m.answer);
    return send(as.control, &m, sizeof m, MSG_NOSIGNAL) == (ssize_t)sizeof m ? EXIT_SUCCESS
                                                                             : EXIT_FAILURE;
}
