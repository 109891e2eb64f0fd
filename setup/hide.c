/* SPDX-License-Identifier: MIT
 * The order in which the command's view of the file systems is made: look and resolve first, then
 * cover sockets, then /run, then what must be read-only. */
#include "setup/hide.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "setup/hide_parts.h"
#include "setup/mounts.h"

enum { PROC_FILE_MAX = 32 << 20 };

/* What steers the kernel. Root's own container runtimes protect the same. */
static const char *const read_only[] = {
    "/sys", "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs",
};

bool hide_below(const char *path, const char *root)
{
    size_t len = strlen(root);
    return strncmp(path, root, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

bool hide_is_shared(const struct hide_shares *shares, const char *path)
{
    for (size_t i = 0; i < shares->n; i++) {
        if (strcmp(shares->paths[i], "/") == 0 || hide_below(path, shares->paths[i]))
            return true;
    }
    return false;
}

static void shares_release(struct hide_shares *shares)
{
    for (size_t i = 0; i < shares->n; i++)
        free(shares->paths[i]);
    free(shares->paths);
}

static int resolve_shares(const struct hide_options *o, struct hide_shares *shares,
                          struct error *error)
{
    if (o->n_shares == 0)
        return 0;
    shares->paths = calloc(o->n_shares, sizeof *shares->paths);
    if (!shares->paths)
        return error_set(error, -ENOMEM, "cannot keep the list of shared paths");
    for (size_t i = 0; i < o->n_shares; i++) {
        shares->paths[i] = realpath(o->shares[i], NULL);
        if (!shares->paths[i])
            return error_set(error, -errno, "cannot share '%s'", o->shares[i]);
        shares->n++;
    }
    return 0;
}

static int check_protected(const struct hide_options *o, struct error *error)
{
    for (size_t i = 0; i < o->n_protect; i++) {
        if (access(o->protect[i], F_OK) < 0)
            return error_set(error, -errno, "cannot protect '%s'", o->protect[i]);
    }
    return 0;
}

static int read_file(const char *path, struct buffer *out, struct error *error)
{
    char piece[16384];
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0 && out->len < PROC_FILE_MAX)
        buffer_add(out, piece, (size_t)n);
    if (n < 0)
        return error_set(error, -errno, "cannot read '%s'", path);
    if (n > 0)
        return error_set(error, -EFBIG, "cannot read '%s'", path);
    buffer_add_char(out, '\0'); /* also when the file was empty */
    return buffer_failed(out) ? error_set(error, -ENOMEM, "cannot read '%s'", path) : 0;
}

/* A mount that is shared would carry every cover to the host: rather nothing than that. */
static int check_private(struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text);
    int code = read_file("/proc/self/mountinfo", &text, error);
    if (code == 0 && strstr(text.data, " shared:"))
        code = error_say(error, -EINVAL, "cannot hide anything: this mount namespace still %s",
                         "shares its mounts with another");
    return code;
}

static int write_file(int dir, const char *name, const char *text)
{
    CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    size_t len = strlen(text);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, len);
    return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

static void scratch_close(struct hide_scratch *s)
{
    if (s->root >= 0)
        umount2(s->place, MNT_DETACH | UMOUNT_NOFOLLOW);
    fd_close(&s->root);
    free(s->place);
    s->place = NULL;
}

/* Copies can only be made of what is mounted somewhere. /run will be replaced anyway. */
static int scratch_open(struct hide_scratch *s, const char *resolv_conf, struct error *error)
{
    static const struct stat like = {.st_mode = S_IFDIR | 0755};
    s->place = realpath("/run", NULL);
    if (!s->place)
        s->place = realpath("/mnt", NULL);
    CLEANUP_FD int target = s->place ? mounts_open(s->place) : -ENOENT;
    CLEANUP_FD int root = target < 0 ? target : mounts_tmpfs(&like);
    int code = root < 0 ? root : mounts_attach(root, target);
    if (code < 0)
        return error_set(error, code, "cannot mount a file system for the command's view");
    s->root = fd_steal(&root);
    code = write_file(s->root, "empty", "");
    if (code == 0 && resolv_conf)
        code = write_file(s->root, "resolv.conf", resolv_conf);
    if (code < 0)
        error_set(error, code, "cannot write the files of the command's view");
    return code;
}

/* Sockets outside /run; *resolver becomes a mount of the resolver's new configuration, or -1. */
static int cover_sockets(const struct hide_options *o, const struct hide_shares *shares,
                         const char *listed, int *resolver, struct error *error)
{
    struct hide_scratch scratch = {.root = -1};
    int code = scratch_open(&scratch, o->resolv_conf_text, error);
    if (code == 0)
        code = hide_sockets(listed, &o->user, shares, &scratch, error);
    if (code == 0 && o->resolv_conf_text) {
        CLEANUP_FD int file = mounts_open_at(scratch.root, "resolv.conf");
        *resolver = file < 0 ? file : mounts_copy(file);
        if (*resolver < 0)
            code = error_set(error, *resolver, "cannot copy the command's resolv.conf");
    }
    scratch_close(&scratch);
    return code;
}

/* /var/run is a link to /run almost everywhere, and then the same. */
static int replace_run(const struct hide_shares *shares, struct error *error)
{
    static const char *const roots[] = {"/run", "/var/run"};
    char done[PATH_MAX] = "", root[PATH_MAX];
    int code = 0;
    for (size_t i = 0; i < ARRAY_SIZE(roots) && code == 0; i++) {
        if (!realpath(roots[i], root) || strcmp(root, done) == 0)
            continue;
        code = hide_run(root, shares, error);
        memcpy(done, root, sizeof done);
    }
    return code;
}

/* A path of the options or of ours over itself or under another object, read-only. 0 also when
 * it cannot be seen (any more). */
static int cover_path(const char *name, int mount)
{
    char path[PATH_MAX];
    if (!realpath(name, path))
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    CLEANUP_FD int target = mounts_open(path);
    if (target < 0)
        return target;
    return mount >= 0 ? mounts_attach(mount, target) : mounts_cover(target, target);
}

static int make_read_only(const char *const *paths, size_t n, struct error *error)
{
    for (size_t i = 0; i < n; i++) {
        int code = cover_path(paths[i], -1);
        if (code < 0)
            return error_set(error, code, "cannot make '%s' read-only", paths[i]);
    }
    return 0;
}

static int set_resolver(int mount, struct error *error)
{
    if (mount < 0)
        return 0;
    int code = mounts_read_only(mount);
    if (code == 0)
        code = cover_path("/etc/resolv.conf", mount);
    return code < 0 ? error_set(error, code, "cannot replace '/etc/resolv.conf'") : 0;
}

/* The working directory would still be the one underneath. */
static int enter_again(const char *cwd, struct error *error)
{
    if (cwd && chdir(cwd) == 0)
        return 0;
    return chdir("/") < 0 ? error_set(error, -errno, "cannot enter '/'") : 0;
}

/* Read anew: /run may be another by now. */
static int cover_mounts(const struct hide_shares *shares, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text);
    int code = read_file("/proc/self/mountinfo", &text, error);
    return code < 0 ? code : hide_mounts(text.data, shares, error);
}

static int prepare(const struct hide_options *o, struct hide_shares *shares, const char *listed,
                   struct error *error)
{
    CLEANUP_FD int resolver = -1;
    int code = cover_sockets(o, shares, listed, &resolver, error);
    if (code == 0)
        code = replace_run(shares, error);
    if (code == 0)
        code = cover_mounts(shares, error);
    if (code == 0)
        code = set_resolver(resolver, error);
    if (code == 0)
        code = make_read_only(o->protect, o->n_protect, error);
    if (code == 0)
        code = make_read_only(read_only, ARRAY_SIZE(read_only), error);
    return code;
}

int hide_prepare(const struct hide_options *o, struct error *error)
{
    struct hide_shares shares = {0};
    CLEANUP_BUFFER struct buffer listed;
    buffer_init(&listed);
    char *cwd = getcwd(NULL, 0);
    int code = check_private(error);
    if (code == 0)
        code = resolve_shares(o, &shares, error);
    if (code == 0)
        code = check_protected(o, error);
    if (code == 0 && !o->unix_sockets)
        code = read_file("/proc/net/unix", &listed, error);
    if (code == 0)
        code = prepare(o, &shares, o->unix_sockets ? o->unix_sockets : listed.data, error);
    if (code == 0)
        code = enter_again(cwd, error);
    shares_release(&shares);
    free(cwd);
    return code;
}
