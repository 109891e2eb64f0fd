/* SPDX-License-Identifier: MIT
 * Executing a role, and reading in the role what it was given: `egress-filter role proxy
 * fd:control=3 fd:tcp=4 … resolver=192.0.2.1:53`. Everything is in the arguments, so `ps` shows
 * what each process holds. */
#include "keeper/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FD 3

/* The n-th string, or NULL with the failure remembered. */
static char *keep(struct role_start *s, size_t n, const char *format, va_list args)
{
    char *text = NULL;
    if (n >= ROLE_NAMES_MAX)
        s->failed = -E2BIG;
    else if (vasprintf(&text, format, args) < 0)
        s->failed = -ENOMEM;
    return s->failed ? NULL : text;
}

void role_start_fd(struct role_start *s, int fd, const char *name, ...)
{
    va_list args;
    if (fd < 0 || s->failed)
        return;
    va_start(args, name);
    char *kept = keep(s, s->n_fds, name, args);
    va_end(args);
    if (!kept)
        return;
    s->fds[s->n_fds].name = kept;
    s->fds[s->n_fds++].fd = fd;
}

void role_start_setting(struct role_start *s, const char *format, ...)
{
    va_list args;
    if (s->failed)
        return;
    va_start(args, format);
    char *kept = keep(s, s->n_settings, format, args);
    va_end(args);
    if (kept)
        s->settings[s->n_settings++] = kept;
}

void role_start_release(struct role_start *s)
{
    for (size_t i = 0; i < s->n_fds; i++)
        free(s->fds[i].name);
    for (size_t i = 0; i < s->n_settings; i++)
        free(s->settings[i]);
    s->n_fds = s->n_settings = 0;
}

/* Brings the descriptors to 3, 4, 5, … and closes all others. They are first moved out of the way
 * of each other. */
static int arrange_fds(const struct role_start *s, int *executable)
{
    int moved[ROLE_NAMES_MAX];
    int first_free = FIRST_FD + (int)s->n_fds;
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        return -errno;
    for (size_t i = 0; i < s->n_fds; i++)
        if ((moved[i] = fcntl(s->fds[i].fd, F_DUPFD, first_free)) < 0)
            return -errno;
    int program = fcntl(s->executable_fd, F_DUPFD, first_free);
    if (program < 0)
        return -errno;
    for (int fd = 0; fd < FIRST_FD; fd++)
        if (dup2(null, fd) < 0)
            return -errno;
    for (size_t i = 0; i < s->n_fds; i++)
        if (dup2(moved[i], FIRST_FD + (int)i) < 0)
            return -errno;
    if (dup2(program, first_free) < 0 || fcntl(first_free, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    if (close_range((unsigned)first_free + 1, ~0u, 0) < 0)
        return -errno;
    *executable = first_free;
    return 0;
}

static _Noreturn void child(const struct role_start *s, char **argv, pid_t keeper)
{
    static char *const no_environment[] = {NULL};
    sigset_t none;
    int executable = -1;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* A session of its own: Ctrl-C at the terminal is for the command, not for the filter. */
    setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != keeper)
        _exit(EXIT_FAILURE);
    if (s->netns_fd >= 0 && setns(s->netns_fd, CLONE_NEWNET) < 0)
        _exit(EXIT_FAILURE);
    if (arrange_fds(s, &executable) == 0)
        syscall(SYS_execveat, executable, "", argv, no_environment, AT_EMPTY_PATH);
    _exit(EXIT_FAILURE); /* the keeper sees a channel that closed before the role was ready */
}

pid_t role_spawn(const struct role_start *s, struct error *error)
{
    char *argv[2 * ROLE_NAMES_MAX + 4] = {0};
    char names[ROLE_NAMES_MAX][48];
    size_t n = 0;
    pid_t keeper = getpid();
    if (s->failed)
        return error_set(error, s->failed, "cannot hand everything to the %s", s->role);
    argv[n++] = (char *)"egress-filter";
    argv[n++] = (char *)"role";
    argv[n++] = (char *)s->role;
    for (size_t i = 0; i < s->n_fds; i++) {
        snprintf(names[i], sizeof names[i], "fd:%s=%zu", s->fds[i].name, FIRST_FD + i);
        argv[n++] = names[i];
    }
    for (size_t i = 0; i < s->n_settings; i++)
        argv[n++] = s->settings[i];
    pid_t pid = fork();
    if (pid == 0)
        child(s, argv, keeper);
    if (pid < 0)
        return error_set(error, -errno, "cannot start the %s", s->role);
    return pid;
}

static const char *value_of(const struct role_args *a, const char *prefix, const char *key,
                            size_t n)
{
    size_t prefix_len = strlen(prefix), key_len = strlen(key);
    for (int i = 0; i < a->argc; i++) {
        const char *arg = a->argv[i];
        if (strncmp(arg, prefix, prefix_len) == 0 && strncmp(arg + prefix_len, key, key_len) == 0 &&
            arg[prefix_len + key_len] == '=' && n-- == 0)
            return arg + prefix_len + key_len + 1;
    }
    return NULL;
}

int role_fd(const struct role_args *a, const char *name)
{
    const char *value = value_of(a, "fd:", name, 0);
    return value ? atoi(value) : -1;
}

const char *role_setting(const struct role_args *a, const char *key, size_t n)
{
    return value_of(a, "", key, n);
}
