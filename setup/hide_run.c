/* SPDX-License-Identifier: MIT
 * A view of /run. What lives there is mostly the sockets of services, so it begins empty and only
 * what is harmless comes back: a list of what to take away would miss the next service. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "setup/hide_parts.h"
#include "setup/mounts.h"

enum { WALK_DEPTH = 16, WALK_ENTRIES = 8192, COPY_MAX = 256 << 10 };

/* Places of services that hand out what the command must not have, even while they are without a
 * socket: it may come later. */
static const char *const never[] = {
    "user",        "systemd", "dbus",    "docker*",   "containerd*", "podman*",
    "crio*",       "nscd",    "cups*",   "buildkit*", "libvirt*",    "lxd*",
    "incus*",      "snapd*",  "screen*", "tmux*",     "machine*",    "netns",
    "credentials", "sshd*",   "gdm*",    "sudo",      "*.socket",    "NetworkManager",
};

/* Files that programs reach by a link into /run, and need. */
static const char *const needed[] = {
    "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/etc/localtime", "/etc/machine-id",
};

struct view {
    const char *root;
    int old;   /* the directory as it was, now underneath */
    int fresh; /* the view's root */
    dev_t device;
};

static bool is_talk(mode_t mode)
{
    return S_ISSOCK(mode) || S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode);
}

/* Whether the tree below dir (taken over) holds no socket or pipe. What is too large to be walked
 * or cannot be read is not known to be quiet. */
static bool is_quiet(int dir, unsigned int depth, unsigned int *left)
{
    DIR *d = depth ? fdopendir(dir) : NULL;
    if (!d) {
        close(dir);
        return false;
    }
    bool quiet = true;
    errno = 0;
    for (const struct dirent *e; quiet && (e = readdir(d)); errno = 0) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!*left || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            quiet = false;
            break;
        }
        --*left;
        quiet = !is_talk(st.st_mode);
        if (!S_ISDIR(st.st_mode))
            continue;
        int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        quiet = sub >= 0 && is_quiet(sub, depth - 1, left);
    }
    quiet = quiet && errno == 0;
    closedir(d);
    return quiet;
}

static bool is_never(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        if (fnmatch(never[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* An empty place of the same kind, mode and owner as `like` for a mount to go on. */
static int make_place(int dir, const char *name, const struct stat *like)
{
    if (S_ISDIR(like->st_mode)) {
        if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
            return -errno;
    } else {
        CLEANUP_FD int fd =
            openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return -errno;
    }
    if (fchownat(dir, name, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(dir, name, like->st_mode & 07777, 0) < 0)
        return -errno;
    return 0;
}

/* The object of the old tree at path, in the view at dir/name. */
static int bring_back(const struct view *v, const char *path, int dir, const char *name)
{
    struct stat st;
    CLEANUP_FD int object = mounts_open_at(v->old, path);
    if (object < 0)
        return object;
    if (fstat(object, &st) < 0)
        return -errno;
    int code = make_place(dir, name, &st);
    if (code < 0)
        return code;
    CLEANUP_FD int target = mounts_open_at(dir, name);
    CLEANUP_FD int copy = mounts_copy(object);
    if (target < 0 || copy < 0)
        return target < 0 ? target : copy;
    return mounts_attach(copy, target);
}

static int bring_link(const struct view *v, const char *name)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(v->old, name, text, sizeof text - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    return symlinkat(text, v->fresh, name) < 0 ? -errno : 0;
}

/* One entry of the old directory: back into the view, or left out. */
static int consider(const struct view *v, const char *name)
{
    struct stat st;
    unsigned int left = WALK_ENTRIES;
    if (is_never(name))
        return 0;
    if (fstatat(v->old, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISLNK(st.st_mode))
        return bring_link(v, name);
    if (is_talk(st.st_mode))
        return 0;
    if (S_ISDIR(st.st_mode)) {
        int dir = openat(v->old, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || !is_quiet(dir, WALK_DEPTH, &left))
            return 0;
    }
    int code = bring_back(v, name, v->fresh, name);
    return code == -ENOENT ? 0 : code; /* services come and go */
}

static int fill(const struct view *v, struct error *error)
{
    int copy = openat(v->old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int code = error_set(error, -errno, "cannot read '%s'", v->root);
        fd_close(&copy);
        return code;
    }
    int code = 0;
    for (const struct dirent *e; code == 0 && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        code = consider(v, e->d_name);
        if (code < 0)
            error_set(error, code, "cannot show '%s/%s' to the command", v->root, e->d_name);
    }
    closedir(d);
    return code;
}

/* The directory that path (relative) is in, made where it is missing, in the view's own file system
 * only: nothing is ever made in a directory of the host's. -EXDEV when it is one. *last is the last
 * part of the path. */
static int make_parents(const struct view *v, char *path, const char **last)
{
    CLEANUP_FD int dir = fcntl(v->fresh, F_DUPFD_CLOEXEC, 3);
    char *part = path;
    for (char *slash; dir >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
        struct stat st;
        *slash = '\0';
        CLEANUP_FD int like = mounts_open_at(v->old, path);
        if (like < 0)
            return like;
        if (fstat(like, &st) < 0)
            return -errno;
        int next = mounts_open_at(dir, part);
        if (next == -ENOENT) {
            int code = make_place(dir, part, &st);
            if (code < 0)
                return code;
            next = mounts_open_at(dir, part);
        }
        fd_close(&dir);
        dir = next;
        *slash = '/';
        if (dir >= 0 && fstat(dir, &st) < 0)
            return -errno;
        if (dir >= 0 && st.st_dev != v->device)
            return -EXDEV;
    }
    *last = part;
    return dir < 0 ? dir : fd_steal(&dir);
}

static bool is_visible(const struct view *v, const char *path)
{
    CLEANUP_FD int fd = mounts_open_at(v->fresh, path);
    return fd >= 0;
}

/* A shared path below the root. */
static int bring_share(const struct view *v, const char *share)
{
    char path[PATH_MAX];
    const char *name;
    snprintf(path, sizeof path, "%s", share + strlen(v->root) + 1);
    if (is_visible(v, path))
        return 0; /* below another share, or in a tree that came back whole */
    CLEANUP_FD int dir = make_parents(v, path, &name);
    if (dir < 0)
        return dir;
    return bring_back(v, path, dir, name);
}

/* The text of a file below the root, at the same place. */
static int bring_text(const struct view *v, const char *file)
{
    char path[PATH_MAX];
    const char *name;
    struct stat st;
    snprintf(path, sizeof path, "%s", file + strlen(v->root) + 1);
    if (is_visible(v, path))
        return 0;
    CLEANUP_FD int from = openat(v->old, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > COPY_MAX)
        return -EFBIG;
    CLEANUP_FD int dir = make_parents(v, path, &name);
    if (dir < 0)
        return dir;
    int code = make_place(dir, name, &st);
    CLEANUP_FD int to = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (code < 0 || to < 0)
        return code < 0 ? code : -errno;
    char text[4096];
    ssize_t n;
    for (size_t all = 0; (n = read(from, text, sizeof text)) > 0; all += (size_t)n) {
        if (all > COPY_MAX)
            return -EFBIG;
        if (write(to, text, (size_t)n) != n)
            return -EIO;
    }
    return n < 0 ? -errno : 0;
}

static int bring_needed(const struct view *v, char *const *files, size_t n,
                        const struct hide_shares *shares, struct error *error)
{
    for (size_t i = 0; i < shares->n; i++) {
        if (!hide_below(shares->paths[i], v->root))
            continue;
        int code = bring_share(v, shares->paths[i]);
        if (code < 0)
            return error_set(error, code, "cannot share '%s' with the command", shares->paths[i]);
    }
    for (size_t i = 0; i < n; i++) {
        int code = files[i] && hide_below(files[i], v->root) ? bring_text(v, files[i]) : 0;
        if (code < 0)
            return error_set(error, code, "cannot keep '%s' for the command", files[i]);
    }
    return 0;
}

static int replace(struct view *v, struct error *error)
{
    struct stat st;
    if (fstat(v->old, &st) < 0)
        return error_set(error, -errno, "cannot read '%s'", v->root);
    v->fresh = mounts_tmpfs(&st);
    if (v->fresh < 0)
        return error_set(error, v->fresh, "cannot make a view of '%s'", v->root);
    int code = mounts_attach(v->fresh, v->old);
    if (code == 0 && fstat(v->fresh, &st) < 0)
        code = -errno;
    if (code < 0)
        return error_set(error, code, "cannot put a view over '%s'", v->root);
    v->device = st.st_dev;
    return fill(v, error);
}

int hide_run(const char *root, const struct hide_shares *shares, struct error *error)
{
    if (hide_is_shared(shares, root))
        return 0;
    CLEANUP_FD int old = mounts_open(root);
    if (old < 0)
        return error_set(error, old, "cannot open '%s'", root);
    struct view v = {.root = root, .old = old, .fresh = -1};
    char *files[ARRAY_SIZE(needed)]; /* where they are now: links are followed through /run */
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        files[i] = realpath(needed[i], NULL);
    int code = replace(&v, error);
    if (code == 0)
        code = bring_needed(&v, files, ARRAY_SIZE(needed), shares, error);
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        free(files[i]);
    fd_close(&v.fresh);
    return code;
}
