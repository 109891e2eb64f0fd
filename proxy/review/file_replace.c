/* SPDX-License-Identifier: MIT
 * A temporary file beside it, written through, then renamed over it. */
#include "review/file_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { SUFFIX_LEN = 3 }; /* of the temporary name, `new` */

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The owner first: changing it takes setuid bits away. */
static int dress(int fd, const struct stat *was)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((st.st_uid != was->st_uid || st.st_gid != was->st_gid) &&
        fchown(fd, was->st_uid, was->st_gid) < 0)
        return -errno;
    return fchmod(fd, was->st_mode & 07777) < 0 ? -errno : 0;
}

static int fill(int fd, const char *path, const struct stat *was, const void *data, size_t len,
                struct error *error)
{
    struct stat now;
    int result = dress(fd, was);
    if (result < 0)
        return error_set(error, result, "cannot keep owner and mode of '%s'", path);
    result = fd_write_all(fd, data, len);
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    if (result < 0)
        return error_set(error, result, "cannot write '%s'", path);
    if (stat(path, &now) < 0 || !same_state(&now, was))
        return error_say(error, -EAGAIN, "'%s' was changed by somebody else meanwhile; try again",
                         path);
    return 0;
}

int file_replace(const char *path, const struct stat *was, const void *data, size_t len,
                 struct error *error)
{
    char target[PATH_MAX], temporary[PATH_MAX], directory[PATH_MAX];
    if (!S_ISREG(was->st_mode))
        return error_say(error, -EINVAL, "'%s' is no regular file; give - to format a pipe", path);
    if (!realpath(path, target))
        return error_set(error, -errno, "cannot find '%s'", path);
    snprintf(directory, sizeof(directory), "%s", target);
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXXnew", target);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return error_set(error, -ENAMETOOLONG, "cannot write '%s'", path);
    CLEANUP_FD int parent = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int fd = mkostemps(temporary, SUFFIX_LEN, O_CLOEXEC);
    if (fd < 0)
        return error_set(error, -errno, "cannot make a file beside '%s'", path);
    int result = fill(fd, path, was, data, len, error);
    if (result == 0 && rename(temporary, target) < 0)
        result = error_set(error, -errno, "cannot replace '%s'", path);
    if (result < 0)
        unlink(temporary);
    else if (parent >= 0)
        (void)!fsync(parent);
    return result;
}
