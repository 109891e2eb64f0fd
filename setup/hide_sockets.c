/* SPDX-License-Identifier: MIT
 * Sockets outside /run through which somebody else would act for the command: terminals, agents,
 * display servers, engines. Each is covered by an empty file, or with its directory. Abstract ones
 * need nothing: they belong to the network namespace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "setup/hide_parts.h"
#include "setup/mounts.h"

enum { WALK_DEPTH = 4, WALK_ENTRIES = 500000, SIBLINGS_MAX = 1 << 20 };

/* Engines' sockets that /proc/net/unix may not list: bound in another network namespace. */
static const char *const engines[] = {
    "/var/snap/docker/common/run/docker.sock",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/var/lib/docker.sock",
    "/var/lib/libvirt/libvirt-sock",
};

static const char *const home_engines[] = {
    ".docker/run/docker.sock", ".docker/desktop/docker.sock", ".docker/desktop/docker-cli.sock",
    ".rd/docker.sock",         ".colima/default/docker.sock", ".lima/default/sock/docker.sock",
};

/* Where anybody may put a socket: looked through, because a relative name or another network
 * namespace leaves no path in the list. */
static const char *const common[] = {"/tmp", "/var/tmp", "/dev/shm"};

/* Directories that stay usable even while all they hold is a socket. */
static const char *const general[] = {
    "/",    "/tmp", "/var/tmp", "/dev", "/dev/shm", "/home",    "/root", "/var",
    "/opt", "/srv", "/mnt",     "/etc", "/var/lib", "/var/run", "/run",  "/usr",
};

struct cover {
    const struct hide_shares *shares;
    const struct hide_scratch *scratch;
    struct hide_user user;
    char *cwd; /* owned; NULL when it is not known */
    unsigned int left;
};

static bool may_cover_directory(const struct cover *c, const char *path)
{
    if ((c->cwd && strcmp(path, c->cwd) == 0) || hide_is_shared(c->shares, path))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(general); i++) {
        if (strcmp(path, general[i]) == 0)
            return false;
    }
    return strncmp(path, "/home/", 6) != 0 || strchr(path + 6, '/');
}

/* Whether there is nothing but sockets in the directory, none of them shared. */
static bool holds_only_sockets(const struct cover *c, const char *path, int directory)
{
    for (size_t i = 0; i < c->shares->n; i++) {
        if (hide_below(c->shares->paths[i], path))
            return false;
    }
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(&fd);
        return false;
    }
    bool only = true;
    for (const struct dirent *e; only && (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        only = fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
    }
    closedir(d);
    return only;
}

/* The socket at a resolved path. */
static int cover_socket(const struct cover *c, const char *path)
{
    struct stat st;
    char parent[PATH_MAX];
    if (hide_is_shared(c->shares, path))
        return 0;
    CLEANUP_FD int socket = mounts_open(path);
    if (socket == -ENOENT || socket == -ENOTDIR)
        return 0;
    if (socket < 0)
        return socket;
    if (fstat(socket, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return 0; /* covered already, or gone and another thing in its place */
    int n = snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (n > 0 && (size_t)n < sizeof parent && may_cover_directory(c, parent)) {
        CLEANUP_FD int directory = mounts_open(parent);
        if (directory >= 0 && holds_only_sockets(c, parent, directory))
            return mounts_cover_empty(directory);
    }
    CLEANUP_FD int empty = mounts_open_at(c->scratch->root, "empty");
    return empty < 0 ? empty : mounts_cover(empty, socket);
}

/* Nobody gets there: no way leads to it, or what would serve it has gone. */
static bool is_nowhere(int error)
{
    static const int errors[] = {ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, ENOTCONN, ESTALE};
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (error == errors[i])
            return true;
    return false;
}

/* Whether the command's user can get at a name. Asked as that user, whole: FUSE and NFS look at
 * more than the one id. Cannot be asked: yes. */
static bool can_reach(const struct hide_user *u, const char *name)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
            setresuid(u->uid, u->uid, u->uid) < 0)
            _exit(EXIT_SUCCESS);
        bool refused = open(name, O_PATH | O_CLOEXEC) < 0 && (errno == EACCES || errno == EPERM);
        _exit(refused ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == EXIT_SUCCESS;
}

static int cover_siblings(const struct cover *c, const char *name);

/* A name as somebody bound it, links and all. */
static int cover_name(const struct cover *c, const char *name, struct error *error)
{
    char path[PATH_MAX];
    if (!realpath(name, path)) {
        int failed = -errno;
        if (failed == -ENOENT)
            failed = cover_siblings(c, name);
        if (is_nowhere(-failed) || (failed == -EACCES && !can_reach(&c->user, name)))
            return 0;
        if (failed == -EACCES)
            return error_say(error, failed,
                             "cannot hide the socket '%s': user %u may get at it, and root may not",
                             name, c->user.uid);
        return failed < 0 ? error_set(error, failed, "cannot look at the socket '%s'", name) : 0;
    }
    int code = cover_socket(c, path);
    return code < 0 ? error_set(error, code, "cannot hide the socket '%s'", path) : 0;
}

/* One line of /proc/net/unix: seven fields, then the path as it was bound. */
static const char *path_of(const char *line)
{
    for (int field = 0; field < 7; field++) {
        line += strspn(line, " ");
        line += strcspn(line, " ");
    }
    return *line == ' ' ? line + 1 : line;
}

static int cover_listed(const struct cover *c, const char *text, struct error *error)
{
    int code = 0;
    while (*text && code == 0) {
        char line[512]; /* a path of AF_UNIX has 108 bytes at most */
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)MIN(len, sizeof line), text);
        const char *path = path_of(line);
        if (*path == '/')
            code = cover_name(c, path, error);
        text += len + (text[len] == '\n');
    }
    return code;
}

/* Guesses: only in the command's own home must it be known whether they are right. Others are
 * anybody's, and may be of file systems that give root nothing. */
static int cover_home(const struct cover *c, const char *home, struct error *error)
{
    char path[PATH_MAX];
    bool own = c->user.home && strcmp(home, c->user.home) == 0;
    int code = 0;
    for (size_t i = 0; i < ARRAY_SIZE(home_engines) && code == 0; i++) {
        snprintf(path, sizeof path, "%s/%s", home, home_engines[i]);
        code = cover_name(c, path, error);
        if (!own)
            code = 0;
    }
    return code;
}

static int cover_homes(const struct cover *c, struct error *error)
{
    char home[PATH_MAX];
    int code = cover_home(c, "/root", error);
    if (code == 0 && c->user.home)
        code = cover_home(c, c->user.home, error);
    DIR *d = opendir("/home");
    if (!d)
        return code;
    for (const struct dirent *e; code == 0 && (e = readdir(d));) {
        snprintf(home, sizeof home, "/home/%s", e->d_name);
        code = cover_home(c, home, error);
    }
    closedir(d);
    return code;
}

/* Sockets below dir (taken over), whose path is given; bounded, because these trees are anybody's:
 * the list above is the rule, this the second look. */
static int cover_tree(struct cover *c, int dir, const char *path, unsigned int depth)
{
    char name[PATH_MAX];
    DIR *d = fdopendir(dir);
    if (!d) {
        close(dir);
        return 0;
    }
    int code = 0;
    for (const struct dirent *e; code == 0 && c->left && (e = readdir(d));) {
        struct stat st;
        c->left--;
        /* A build's files by the hundred thousand are passed over without a look at each. */
        if (e->d_type != DT_SOCK && e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)
            continue;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (size_t)snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= sizeof name)
            continue;
        if (S_ISSOCK(st.st_mode))
            code = cover_socket(c, name);
        int sub = -1;
        if (S_ISDIR(st.st_mode) && depth)
            sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            code = cover_tree(c, sub, name, depth - 1);
    }
    closedir(d);
    return code;
}

/* A socket that was bound under a passing name and then linked or renamed to its own, as ssh does
 * for its master, is listed by the first: it is one of those in the same directory. */
static int cover_siblings(const struct cover *c, const char *name)
{
    char path[PATH_MAX], sibling[PATH_MAX + NAME_MAX + 1];
    size_t len = (size_t)(strrchr(name, '/') - name);
    unsigned int left = SIBLINGS_MAX;
    int code = 0;
    snprintf(sibling, sizeof sibling, "%.*s/", (int)MIN(len, PATH_MAX), name);
    if (!realpath(sibling, path))
        return -errno;
    DIR *d = opendir(path);
    if (!d)
        return -errno;
    for (const struct dirent *e; code == 0 && (e = readdir(d));) {
        if (--left == 0)
            code = -E2BIG;
        if (e->d_type != DT_SOCK && e->d_type != DT_UNKNOWN)
            continue;
        snprintf(sibling, sizeof sibling, "%s/%s", path, e->d_name);
        if (code == 0)
            code = cover_socket(c, sibling);
    }
    closedir(d);
    return code;
}

static int cover_common(struct cover *c, struct error *error)
{
    char root[PATH_MAX];
    int code = 0;
    for (size_t i = 0; i < ARRAY_SIZE(common) && code == 0; i++) {
        int dir = realpath(common[i], root) ? open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (dir >= 0)
            code = cover_tree(c, dir, root, WALK_DEPTH);
        if (code < 0)
            error_set(error, code, "cannot hide the sockets in '%s'", root);
    }
    return code;
}

int hide_sockets(const char *text, const struct hide_user *user, const struct hide_shares *shares,
                 const struct hide_scratch *scratch, struct error *error)
{
    struct cover c = {.shares = shares,
                      .scratch = scratch,
                      .user = *user,
                      .cwd = getcwd(NULL, 0),
                      .left = WALK_ENTRIES};
    int code = cover_listed(&c, text, error);
    for (size_t i = 0; i < ARRAY_SIZE(engines) && code == 0; i++)
        code = cover_name(&c, engines[i], error);
    if (code == 0)
        code = cover_homes(&c, error);
    if (code == 0)
        code = cover_common(&c, error);
    free(c.cwd);
    return code;
}
