/* SPDX-License-Identifier: MIT
 * Runs iptables-restore and says what it said. Its input, its complaints and its lock are
 * anonymous files of ours: nothing on the host's file systems is read or left. */
#include "setup/netfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* Fixed places: PATH belongs to the caller's user. */
static const char *const programs[] = {
    "/usr/sbin/iptables-restore",
    "/sbin/iptables-restore",
    "/usr/local/sbin/iptables-restore",
};

static const char *find_program(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        if (access(programs[i], X_OK) == 0)
            return programs[i];
    }
    return NULL;
}

static int anonymous_file(const char *text)
{
    int fd = memfd_create("rules", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = strlen(text);
    ssize_t n = pwrite(fd, text, len, 0);
    if (n != (ssize_t)len) {
        int code = n < 0 ? -errno : -ENOSPC;
        close(fd);
        return code;
    }
    return fd;
}

_Noreturn static void become(const char *program, char *const argv[], int in, int out)
{
    /* The lock of legacy iptables orders writers of one host; here the namespace is ours alone, and
     * /run may be read-only. Versions that do not know the variable wait for the host's lock. */
    static char lock[] = "XTABLES_LOCKFILE=/proc/self/fd/2", locale[] = "LC_ALL=C";
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *const env[] = {lock, locale, path, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(out, STDERR_FILENO) >= 0 && close_range(3, ~0U, 0) == 0)
        execve(program, argv, env);
    _exit(127);
}

static int wait_for(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The first line that a program wrote, as far as it is printable ASCII. */
static void first_line(int fd, char *line, size_t size)
{
    ssize_t n = pread(fd, line, size - 1, 0);
    size_t len = n < 0 ? 0 : (size_t)n;
    line[len] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    for (char *c = line; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

/* Runs it on that input; what it says goes to out. 0, with *status as wait(2) has it. */
static int run(const char *program, char *const argv[], int in, int out, int *status,
               struct error *error)
{
    pid_t pid = fork();
    if (pid < 0)
        return error_set(error, -errno, "cannot start '%s'", program);
    if (pid == 0)
        become(program, argv, in, out);
    int code = wait_for(pid, status);
    return code < 0 ? error_set(error, code, "cannot learn how '%s' ended", program) : 0;
}

static bool ended_well(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int find(const char **program, const char *what, struct error *error)
{
    *program = find_program();
    if (*program)
        return 0;
    return error_say(
        error, -ENOENT,
        "cannot load %s: there is no iptables-restore in %s; install the package iptables", what,
        "/usr/sbin, /sbin or /usr/local/sbin");
}

int netfilter_version(char *line, size_t size, const char *what, struct error *error)
{
    static char name[] = "iptables-restore", version[] = "--version";
    char *const argv[] = {name, version, NULL};
    const char *program;
    int status = 0, code = find(&program, what, error);
    if (code < 0)
        return code;
    CLEANUP_FD int in = anonymous_file("");
    CLEANUP_FD int out = anonymous_file("");
    if (in < 0 || out < 0)
        return error_set(error, in < 0 ? in : out, "cannot hold %s in memory", what);
    code = run(program, argv, in, out, &status, error);
    if (code < 0)
        return code;
    first_line(out, line, size);
    if (ended_well(status) && *line)
        return 0;
    return error_say(error, -EPROTO, "'%s' does not tell its version: %s", program,
                     *line ? line : "it gave no reason");
}

int netfilter_restore(const char *rules, const char *what, struct error *error)
{
    static char name[] = "iptables-restore", noflush[] = "--noflush", wait[] = "--wait=5";
    char *const argv[] = {name, noflush, wait, NULL};
    const char *program;
    int status = 0, code = find(&program, what, error);
    if (code < 0)
        return code;
    CLEANUP_FD int in = anonymous_file(rules);
    CLEANUP_FD int out = anonymous_file("");
    if (in < 0 || out < 0)
        return error_set(error, in < 0 ? in : out, "cannot hold %s in memory", what);
    code = run(program, argv, in, out, &status, error);
    if (code < 0 || ended_well(status))
        return code;
    char line[256];
    first_line(out, line, sizeof line);
    return error_say(error, -EPROTO, "iptables-restore refused %s: %s", what,
                     *line ? line : "it gave no reason");
}
