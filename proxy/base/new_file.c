/* SPDX-License-Identifier: MIT
 * A temporary file in the same directory, written through, then renamed without replacing. Nothing
 * is followed but the way to the directory. */
#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct temporary {
    char name[48];
    int fd;
};

static int make_temporary(const struct new_file *f, struct temporary *t)
{
    uint64_t random[2];
    t->fd = -1;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(t->name, sizeof(t->name), ".new-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    t->fd = openat(f->directory, t->name,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
    return t->fd < 0 ? -errno : 0;
}

/* Some file systems cannot rename without replacing; a link never replaces. */
static int give_name(const struct new_file *f, const char *temporary)
{
    if (renameat2(f->directory, temporary, f->directory, f->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(f->directory, temporary, f->directory, f->name, 0) < 0)
        return -errno;
    unlinkat(f->directory, temporary, 0);
    return 0;
}

static int say_exists(const struct new_file *f, struct error *error)
{
    return error_say(error, -EEXIST,
                     "'%s' exists, and is not written over; give another name, or move it away",
                     f->path);
}

static int check_place(const struct new_file *f, struct error *error)
{
    struct temporary t;
    struct stat st;
    if (fstatat(f->directory, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return say_exists(f, error);
    int failed = errno == ENOENT ? make_temporary(f, &t) : -errno;
    if (failed)
        return error_set(error, failed, "cannot make '%s'", f->path);
    close(t.fd);
    unlinkat(f->directory, t.name, 0);
    return 0;
}

int new_file_prepare(const char *path, struct new_file *out, struct error *error)
{
    *out = (struct new_file)NEW_FILE_INIT;
    out->path = strdup(path);
    if (!out->path)
        return error_set(error, -ENOMEM, "cannot make '%s'", path);
    char *slash = strrchr(out->path, '/');
    out->name = slash ? slash + 1 : out->path;
    if (!*out->name || strcmp(out->name, ".") == 0 || strcmp(out->name, "..") == 0)
        return error_say(error, -EISDIR, "'%s' is a directory; name a file", path);
    char *directory = slash ? strndup(path, (size_t)(slash - out->path) + 1) : strdup(".");
    if (!directory)
        return error_set(error, -ENOMEM, "cannot make '%s'", path);
    out->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = out->directory < 0 ? -errno : 0;
    free(directory);
    if (failed)
        return error_set(error, failed, "cannot open the directory of '%s'", path);
    return check_place(out, error);
}

int new_file_write(const struct new_file *f, const void *data, size_t len, struct error *error)
{
    struct temporary t;
    int failed = make_temporary(f, &t);
    if (failed)
        return error_set(error, failed, "cannot make '%s'", f->path);
    failed = fd_write_all(t.fd, data, len);
    if (!failed && fsync(t.fd) < 0)
        failed = -errno;
    if (close(t.fd) < 0 && !failed)
        failed = -errno;
    if (!failed)
        failed = give_name(f, t.name);
    if (failed)
        unlinkat(f->directory, t.name, 0);
    else
        (void)!fsync(f->directory);
    if (failed == -EEXIST)
        return say_exists(f, error);
    return failed ? error_set(error, failed, "cannot write '%s'", f->path) : 0;
}

void new_file_release(struct new_file *f)
{
    fd_close(&f->directory);
    free(f->path);
    *f = (struct new_file)NEW_FILE_INIT;
}
