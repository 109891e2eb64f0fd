/* SPDX-License-Identifier: MIT
 * One directory in the cgroup v2 hierarchy for each run, found, made, locked, swept. */
#include "keeper/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define PREFIX "egress-filter-"
/* Hex digits of a run's id, which follows it. */
#define ID_LEN 16
/* Handle type of kernfs: FILEID_KERNFS, kernel's include/linux/exportfs.h. */
#define HANDLE_KERNFS 0xfe

/* Undoes the octal escapes of /proc/self/mountinfo, in place. */
static void unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* Where cgroup2 is mounted with the hierarchy's root, alone or beside v1. */
static char *find_mount(void)
{
    char *line = NULL, *found = NULL;
    size_t size = 0;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && !found && getline(&line, &size, f) > 0) {
        char root[PATH_MAX], point[PATH_MAX];
        const char *type = strstr(line, " - cgroup2 ");
        if (!type || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2)
            continue;
        unescape(point);
        if (strcmp(root, "/") == 0)
            found = strdup(point);
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

/* The caller's own v2 path, from the line that begins with "0::". */
static char *own_path(void)
{
    char *line = NULL, *found = NULL;
    size_t size = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && !found && getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::/", 4) == 0)
            found = strdup(line + 3);
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

const char *cgroup_run_in(const char *path)
{
    for (const char *at = path; (at = strstr(at, "/" PREFIX));) {
        at += strlen("/" PREFIX);
        const size_t len = strspn(at, "0123456789abcdef");
        if (len == ID_LEN && (at[len] == '/' || at[len] == '\0'))
            return at;
    }
    return NULL;
}

/* A run within a run would be root's over what the outer one made, and would wait for its lock. */
int cgroup_check_outside(struct error *error)
{
    char *path = own_path();
    const char *run = path ? cgroup_run_in(path) : NULL;
    int failed = run ? error_say(error, -EBUSY,
                                 "this is inside of a run already (%.*s), whose policy holds; "
                                 "start the command itself, or a second run from outside",
                                 ID_LEN, run)
                     : 0;
    free(path);
    return failed;
}

/* Directories that the command itself made below its cgroup, deepest first. */
static void remove_below(int fd, int depth)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    while (dir && depth < 64 && (entry = readdir(dir))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        CLEANUP_FD int child =
            openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_below(child, depth + 1);
        unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&copy);
}

/* Takes away directories of runs that were killed: those that nobody holds a lock on. */
static void sweep(int parent_fd)
{
    int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        CLEANUP_FD int child =
            openat(parent_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 || flock(child, LOCK_EX | LOCK_NB) < 0)
            continue;
        remove_below(child, 0);
        unlinkat(parent_fd, entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&fd);
}

static uint32_t depth_of(const char *path)
{
    uint32_t depth = 0;
    for (const char *p = path; *p; p++)
        depth += p[0] == '/' && p[1] != '\0';
    return depth;
}

/* Makes the directory below the parent, and holds its lock before anybody could sweep it. */
static int make_directory(struct cgroup *c, struct error *error)
{
    struct stat st;
    if (flock(c->parent_fd, LOCK_EX) < 0)
        return error_set(error, -errno, "cannot lock cgroup '%s'", c->mount);
    sweep(c->parent_fd);
    int failed = mkdirat(c->parent_fd, c->name, 0755) < 0 ? -errno : 0;
    if (!failed) {
        c->fd = openat(c->parent_fd, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->fd < 0 || flock(c->fd, LOCK_SH | LOCK_NB) < 0 || fstat(c->fd, &st) < 0)
            failed = -errno;
        else
            c->id = st.st_ino;
        if (c->fd < 0) /* else cgroup_close takes it away */
            unlinkat(c->parent_fd, c->name, AT_REMOVEDIR);
    }
    flock(c->parent_fd, LOCK_UN);
    return failed ? error_set(error, failed, "cannot make cgroup '%s%s'", c->mount, c->path) : 0;
}

int cgroup_find(char **mount, char **own, struct error *error)
{
    *mount = find_mount();
    *own = own_path();
    if (*mount && *own)
        return 0;
    return error_say(error, -ENOTSUP,
                     "cgroup v2 is not mounted here, and programs are told apart by it; "
                     "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup");
}

int cgroup_open(struct cgroup *c, const char *run_id, struct error *error)
{
    char parent[PATH_MAX], *own;
    int failed = cgroup_find(&c->mount, &own, error);
    const char *base = own && strcmp(own, "/") != 0 ? own : "";
    if (!failed && (asprintf(&c->name, PREFIX "%s", run_id) < 0 ||
                    asprintf(&c->path, "%s/%s", base, c->name) < 0))
        failed = error_set(error, -ENOMEM, "cannot name a cgroup");
    if (!failed) {
        snprintf(parent, sizeof parent, "%s%s", c->mount, base);
        c->parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->parent_fd < 0)
            failed = error_set(error, -errno, "cannot open cgroup '%s'", parent);
    }
    if (!failed) {
        c->level = depth_of(c->path);
        failed = make_directory(c, error);
    }
    free(own);
    if (failed)
        cgroup_close(c);
    return failed;
}

void cgroup_kill(const struct cgroup *c)
{
    CLEANUP_FD int fd = c->fd < 0 ? -1 : openat(c->fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) < 0)
        return; /* the pid namespace's end kills as well; this is the second way */
}

/* Waits, for a moment only, until the kernel has let go of what was killed. */
static void wait_empty(const struct cgroup *c)
{
    for (int tries = 0; tries < 50; tries++) {
        char text[256];
        CLEANUP_FD int fd = openat(c->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
        if (n <= 0)
            return;
        text[n] = '\0';
        if (strstr(text, "populated 0"))
            return;
        struct pollfd p = {.fd = fd, .events = POLLPRI};
        poll(&p, 1, 100);
    }
}

void cgroup_close(struct cgroup *c)
{
    if (c->fd >= 0) {
        cgroup_kill(c);
        wait_empty(c);
        remove_below(c->fd, 0);
        unlinkat(c->parent_fd, c->name, AT_REMOVEDIR);
    }
    fd_close(&c->fd);
    fd_close(&c->parent_fd);
    free(c->name);
    free(c->path);
    free(c->mount);
    *c = (struct cgroup)CGROUP_INIT;
}

char *cgroup_path_of(const struct cgroup *c, uint64_t id)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + sizeof id];
    } h = {.handle = {.handle_bytes = sizeof id, .handle_type = HANDLE_KERNFS}};
    char link[64], path[PATH_MAX];
    if (id == c->id)
        return strdup(c->path);
    memcpy(h.handle.f_handle, &id, sizeof id);
    CLEANUP_FD int fd = open_by_handle_at(c->parent_fd, &h.handle, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return NULL;
    path[n] = '\0';
    size_t skip = strlen(c->mount);
    if (strncmp(path, c->mount, skip) != 0)
        return NULL;
    return strdup(path[skip] ? path + skip : "/");
}
