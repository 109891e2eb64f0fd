/* SPDX-License-Identifier: MIT
 * Identity: from the user who typed the command to the user the command runs as. */
#include "keeper/caller.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cap-ng.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "keeper/proc_stat.h"

extern char **environ;

static bool parse_id(const char *text, unsigned *out)
{
    char *end;
    if (!text || !isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end || n >= UINT_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

void caller_release(struct caller *c)
{
    if (!c)
        return;
    free(c->groups);
    free(c->name);
    free(c->home);
    free(c->shell);
    for (char **e = c->environment; e && *e; e++)
        free(*e);
    free(c->environment);
    *c = (struct caller){0};
}

/* Fills in what the password file says of a user; a number without an entry is itself. */
static int look_up(const char *user, struct caller *out, struct error *error)
{
    unsigned id;
    errno = 0;
    struct passwd *pw = parse_id(user, &id) ? getpwuid(id) : getpwnam(user);
    if (!pw && !parse_id(user, &id))
        return error_say(error, -ENOENT, "there is no user '%s'; give a name or a number", user);
    out->uid = pw ? pw->pw_uid : id;
    out->gid = pw ? pw->pw_gid : id;
    if (!pw)
        return 0;
    out->name = strdup(pw->pw_name);
    out->home = strdup(pw->pw_dir);
    out->shell = strdup(pw->pw_shell);
    if (!out->name || !out->home || !out->shell)
        return error_set(error, -ENOMEM, "cannot keep the user's name");
    int n = 0;
    getgrouplist(out->name, out->gid, NULL, &n);
    out->groups = calloc((size_t)n + 1, sizeof *out->groups);
    if (!out->groups || getgrouplist(out->name, out->gid, out->groups, &n) < 0)
        return error_set(error, -ENOMEM, "cannot read the groups of '%s'", out->name);
    out->n_groups = n;
    return 0;
}

static const char *const sudo_places[] = {"/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo"};

static bool is_sudo(pid_t pid)
{
    char path[64];
    struct stat runs, known;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    if (stat(path, &runs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(sudo_places); i++)
        if (stat(sudo_places[i], &known) == 0 && runs.st_dev == known.st_dev &&
            runs.st_ino == known.st_ino)
            return true;
    return false;
}

static pid_t parent_of(pid_t pid)
{
    struct proc_stat is;
    return proc_stat_read(pid, &is) ? 0 : is.parent;
}

/* The process is the sudo that started us (which may put a second process between): its
 * environment is the caller's own. A number on the command line must not read any other's, and an
 * ancestor farther up may be root's. */
static bool is_our_sudo(pid_t pid)
{
    pid_t at = getppid();
    while (at != pid && at > 1 && is_sudo(at))
        at = parent_of(at);
    return at == pid && is_sudo(at);
}

/* Reads /proc/PID/environ whole. */
static int read_environ(pid_t pid, struct buffer *out)
{
    char path[64], chunk[4096];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buffer_add(out, chunk, (size_t)n);
    return n < 0 ? -errno : buffer_failed(out) ? -ENOMEM : 0;
}

struct environment {
    char **list;
    size_t n, size;
};

/* Takes NAME=value over, in place of what had that name. value NULL: only takes it away. */
static bool env_put(struct environment *e, const char *name, size_t name_len, const char *value)
{
    size_t at = e->n;
    for (size_t i = 0; i < e->n; i++)
        if (strncmp(e->list[i], name, name_len) == 0 && e->list[i][name_len] == '=')
            at = i;
    char *entry = NULL;
    if (value && asprintf(&entry, "%.*s=%s", (int)name_len, name, value) < 0)
        return false;
    if (at < e->n) {
        free(e->list[at]);
        e->list[at] = entry ? entry : e->list[--e->n];
        e->list[e->n] = NULL;
        return true;
    }
    if (!entry)
        return true;
    if (e->n + 1 >= e->size) {
        size_t size = e->size ? e->size * 2 : 64;
        char **list = realloc(e->list, size * sizeof *list);
        if (!list) {
            free(entry);
            return false;
        }
        e->list = list;
        e->size = size;
    }
    e->list[e->n++] = entry;
    e->list[e->n] = NULL;
    return true;
}

static bool env_put_entry(struct environment *e, const char *entry)
{
    const char *equals = strchr(entry, '=');
    return !equals || equals == entry || env_put(e, entry, (size_t)(equals - entry), equals + 1);
}

static bool env_set(struct environment *e, const char *name, const char *value)
{
    return env_put(e, name, strlen(name), value);
}

/* The environment as sudo gave it, made the user's own again: names of root would mislead. */
static bool adapt(struct environment *e, const struct caller *c, bool from_sudo)
{
    static const char *const traces[] = {"SUDO_COMMAND", "SUDO_USER", "SUDO_UID",
                                         "SUDO_GID",     "SUDO_HOME", "MAIL"};
    bool good = true;
    for (size_t i = 0; from_sudo && i < ARRAY_SIZE(traces); i++)
        good = good && env_set(e, traces[i], NULL);
    if (c->name)
        good = good && env_set(e, "USER", c->name) && env_set(e, "LOGNAME", c->name);
    if (c->home)
        good = good && env_set(e, "HOME", c->home);
    if (c->shell)
        good = good && env_set(e, "SHELL", c->shell);
    return good;
}

static int make_environment(struct caller *c, pid_t environ_pid, bool from_sudo,
                            struct error *error)
{
    struct environment e = {0};
    bool good = true;
    if (environ_pid) {
        CLEANUP_BUFFER struct buffer raw = {0};
        int failed = is_our_sudo(environ_pid) ? read_environ(environ_pid, &raw) : -EPERM;
        if (failed)
            return error_set(error, failed, "cannot carry your environment along (process %d)",
                             environ_pid);
        for (size_t at = 0; good && at < raw.len; at += strlen(raw.data + at) + 1)
            good = env_put_entry(&e, raw.data + at);
    } else {
        for (char **entry = environ; good && *entry; entry++)
            good = env_put_entry(&e, *entry);
        good = good && adapt(&e, c, from_sudo);
    }
    if (good && !e.list)
        good = (e.list = calloc(1, sizeof *e.list)) != NULL;
    c->environment = e.list;
    return good ? 0 : error_set(error, -ENOMEM, "cannot carry the environment along");
}

int caller_find(const char *user, pid_t environ_pid, struct caller *out, struct error *error)
{
    const char *sudo = getenv("SUDO_UID");
    *out = (struct caller){0};
    if (!user && (!sudo || strcmp(sudo, "0") == 0))
        return error_say(error, -EPERM,
                         "called as root, so it is not known whom the command should run as: "
                         "root could undo the filter. Name a user with --user NAME (or, if it "
                         "must be, --user root)");
    bool from_sudo = sudo != NULL;
    int failed = look_up(user ? user : sudo, out, error);
    if (!failed)
        failed = make_environment(out, environ_pid, from_sudo, error);
    if (failed)
        caller_release(out);
    return failed;
}

const char *caller_getenv(const struct caller *c, const char *name)
{
    size_t len = strlen(name);
    for (char **e = c->environment; e && *e; e++)
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

const char *caller_sudo(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(sudo_places); i++)
        if (access(sudo_places[i], X_OK) == 0)
            return sudo_places[i];
    return NULL;
}

int caller_become_root(int argc, char **argv, struct error *error)
{
    char self[PATH_MAX], note[64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return error_set(error, -errno, "cannot find this program's own file");
    self[n] = '\0';
    snprintf(note, sizeof note, CALLER_ENVIRON_OPTION "%d", getpid());
    char **args = calloc((size_t)argc + 5, sizeof *args);
    if (!args)
        return error_set(error, -ENOMEM, "cannot call sudo");
    char sudo[] = "sudo", dashes[] = "--";
    int a = 0;
    args[a++] = sudo;
    args[a++] = dashes;
    args[a++] = self;
    args[a++] = argv[0]; /* the sub-command */
    args[a++] = note;
    for (int i = 1; i < argc; i++)
        args[a++] = argv[i];
    for (size_t i = 0; i < ARRAY_SIZE(sudo_places); i++)
        execv(sudo_places[i], args);
    free(args);
    return error_say(error, -EPERM,
                     "root is needed to set up the filter, and sudo was not found; run it as root "
                     "with --user NAME");
}

/* Without capabilities, now and after any exec. */
static int drop_all(const struct caller *c, struct error *error)
{
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
        return error_say(error, -EPERM, "cannot empty the capability bounding set");
    if (setresgid(c->gid, c->gid, c->gid) < 0 || setresuid(c->uid, c->uid, c->uid) < 0)
        return error_set(error, -errno, "cannot become user %u", c->uid);
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) < 0)
        return error_say(error, -EPERM, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(error, -errno, "cannot set no_new_privs");
    return 0;
}

int caller_become(const struct caller *c, int keep_privileges, struct error *error)
{
    if (setgroups((size_t)c->n_groups, c->groups) < 0)
        return error_set(error, -errno, "cannot take the groups of user %u", c->uid);
    if (!keep_privileges)
        return drop_all(c, error);
    if (setresgid(c->gid, c->gid, c->gid) < 0 || setresuid(c->uid, c->uid, c->uid) < 0)
        return error_set(error, -errno, "cannot become user %u", c->uid);
    return 0;
}
