/* SPDX-License-Identifier: MIT
 * The kernel's newer mount calls (Linux 5.12), which name things by descriptor: paths below /tmp or
 * a home directory can be swapped by their owner between two calls. */
#include "setup/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

static int open_resolved(int dir, const char *path, unsigned long long resolve)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = resolve};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int mounts_open(const char *path)
{
    return open_resolved(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
}

int mounts_open_at(int dir, const char *path)
{
    return open_resolved(dir, path, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
}

static int set_number(int fs, const char *key, bool octal, unsigned int value)
{
    char text[16];
    snprintf(text, sizeof text, octal ? "%o" : "%u", value);
    return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0);
}

int mounts_tmpfs(const struct stat *like)
{
    CLEANUP_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (set_number(fs, "mode", true, like->st_mode & 07777) < 0 ||
        set_number(fs, "uid", false, like->st_uid) < 0 ||
        set_number(fs, "gid", false, like->st_gid) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "size", "64m", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return mount < 0 ? -errno : mount;
}

int mounts_new(const char *type)
{
    CLEANUP_FD int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mount =
        fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return mount < 0 ? -errno : mount;
}

int mounts_copy(int object)
{
    int fd =
        open_tree(object, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
    return fd < 0 ? -errno : fd;
}

int mounts_read_only(int mount)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int code = mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr);
    return code < 0 ? -errno : 0;
}

int mounts_attach(int mount, int target)
{
    int code = move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return code < 0 ? -errno : 0;
}

int mounts_cover(int object, int target)
{
    CLEANUP_FD int copy = mounts_copy(object);
    if (copy < 0)
        return copy;
    int code = mounts_read_only(copy);
    return code < 0 ? code : mounts_attach(copy, target);
}

int mounts_cover_empty(int directory)
{
    struct stat st;
    if (fstat(directory, &st) < 0)
        return -errno;
    CLEANUP_FD int empty = mounts_tmpfs(&st);
    if (empty < 0)
        return empty;
    int code = mounts_read_only(empty);
    return code < 0 ? code : mounts_attach(empty, directory);
}
