/* SPDX-License-Identifier: MIT
 * Process 1 of the command's pid namespace: a namespace without one that reaps fills with zombies,
 * and a command that is process 1 itself would be deaf to most signals. */
#include "keeper/init.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/command.h"

/* Whether some directory of PATH holds the program: execvp(3) tells of a directory that may not be
 * searched as of a program that may not be run. */
static bool is_in_path(const char *name)
{
    char path[PATH_MAX];
    const char *list = getenv("PATH");
    while (list && *list) {
        size_t len = strcspn(list, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)len, list, name);
        if (access(path, F_OK) == 0)
            return true;
        list += len + (list[len] == ':');
    }
    return false;
}

/* Finds the program as a shell would, in the PATH of the user's environment. */
static _Noreturn void exec_command(char **argv, char **environment)
{
    sigset_t none;
    sigemptyset(&none);
    for (int n = 1; n < NSIG; n++)
        signal(n, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    environ = environment;
    execvp(argv[0], argv);
    int error = errno;
    bool missing = error == ENOENT || error == ENOTDIR ||
                   (error == EACCES && !strchr(argv[0], '/') && !is_in_path(argv[0]));
    fprintf(stderr, "egress-filter: cannot run '%s': %s\n", argv[0],
            missing && !strchr(argv[0], '/') ? "not found in PATH" : strerror(error));
    _exit(missing ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE);
}

static int status_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps what has ended; ends with the command's status when it was among that. */
static void reap(pid_t command)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == command)
            _exit(status_of(status));
}

void init_run(char **argv, char **environment)
{
    sigset_t all;
    siginfo_t info;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    pid_t command = fork();
    if (command == 0)
        exec_command(argv, environment);
    if (command < 0) {
        fprintf(stderr, "egress-filter: cannot start the command: %s\n", strerror(errno));
        _exit(COMMAND_FAILED);
    }
    for (;;) {
        int n = sigwaitinfo(&all, &info);
        if (n == SIGCHLD)
            reap(command);
        /* From outside the namespace (the keeper), where pids are not visible. What the terminal
         * sends (SI_KERNEL) has reached the command by itself. */
        else if (n > 0 && info.si_code == SI_USER && info.si_pid == 0)
            kill(command, n);
    }
}
