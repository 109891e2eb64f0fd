/* SPDX-License-Identifier: MIT
 * Views of the kernel that are mounted elsewhere than where everybody looks: a chroot's /proc shows
 * the host's processes, whatever the command's own shows. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "setup/hide_parts.h"
#include "setup/mounts.h"

enum how { EMPTY, FRESH, READ_ONLY };

/* What is done to mounts of a kind, but for those below `but`, which are seen to already. */
static const struct kind {
    const char *type, *but;
    enum how how;
} kinds[] = {
    {"proc", "/proc", EMPTY}, /* another pid namespace's */
    {"mqueue", NULL, FRESH},  /* another IPC namespace's */
    {"cgroup", "/sys", READ_ONLY}, {"cgroup2", "/sys", READ_ONLY}, {"sysfs", "/sys", READ_ONLY},
};

static const struct kind *find_kind(const char *type, size_t len, const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strlen(kinds[i].type) == len && memcmp(kinds[i].type, type, len) == 0)
            return kinds[i].but && hide_below(path, kinds[i].but) ? NULL : &kinds[i];
    return NULL;
}

static int cover_empty(int target)
{
    struct stat st;
    if (fstat(target, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return mounts_cover_empty(target);
    CLEANUP_FD int null = mounts_open("/dev/null");
    return null < 0 ? null : mounts_cover(null, target);
}

/* Whether the path led to that mount, and not to one that lies over it. */
static bool is_mount(int target, unsigned long long id)
{
    struct statx st;
    return statx(target, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 ||
           !(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id == id;
}

static int cover(const struct kind *kind, const char *path, unsigned long long id)
{
    CLEANUP_FD int target = mounts_open(path);
    if (target == -ENOENT || target == -ENOTDIR || target == -ELOOP)
        return 0; /* under another mount, or in what was hidden */
    if (target < 0)
        return target;
    if (!is_mount(target, id))
        return 0;
    if (kind->how == EMPTY)
        return cover_empty(target);
    if (kind->how == READ_ONLY)
        return mounts_cover(target, target);
    CLEANUP_FD int fresh = mounts_new(kind->type);
    return fresh < 0 ? fresh : mounts_attach(fresh, target);
}

/* Field 5 of a line, with \040 and the like for what would end it. */
static bool read_path(const char *line, size_t len, char out[PATH_MAX])
{
    const char *end = line + len;
    size_t n = 0;
    for (int field = 1; field < 5; field++) {
        line = memchr(line, ' ', (size_t)(end - line));
        if (!line++)
            return false;
    }
    for (; line < end && *line != ' ' && n < PATH_MAX - 1; n++) {
        unsigned int c;
        if (*line == '\\' && end - line >= 4 && sscanf(line + 1, "%3o", &c) == 1) {
            out[n] = (char)c;
            line += 4;
        } else {
            out[n] = *line++;
        }
    }
    out[n] = '\0';
    return line < end && *line == ' ' && out[0] == '/';
}

int hide_mounts(const char *text, const struct hide_shares *shares, struct error *error)
{
    char path[PATH_MAX];
    for (size_t len; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        const char *type = memmem(text, len, " - ", 3);
        if (!type || !read_path(text, len, path) || hide_is_shared(shares, path))
            continue;
        type += 3;
        const struct kind *kind = find_kind(type, strcspn(type, " \n"), path);
        int code = kind ? cover(kind, path, strtoull(text, NULL, 10)) : 0;
        if (code < 0)
            return error_set(error, code, "cannot cover the %s mounted at '%s'", kind->type, path);
    }
    return 0;
}
