/* SPDX-License-Identifier: MIT
 * What benches of the hooks share beside the fixture of their tests: however they end, also by a
 * signal, no cgroup, directory or process of theirs is left. */
#pragma once

#include "unit/hooks_fixture.h"

#include <signal.h>

static pid_t hooked_server; /* 0 or less: none */
static char hooked_kill[PATH_MAX + 16];

/* Async-signal-safe: who was in the cgroup is gone before it is removed. */
static void hooked_on_signal(int number)
{
    int fd = open(hooked_kill, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        hooked_kill[0] = '\0'; /* its one process ends by itself soon */
    if (hooked_server > 0)
        kill(hooked_server, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    rmdir(f.cgroup);
    rmdir(f.dir);
    _exit(128 + number);
}

static void hooked_end(void)
{
    if (hooked_server > 0) {
        kill(hooked_server, SIGKILL);
        waitpid(hooked_server, NULL, 0);
    }
    take_down();
}

/* Sets the fixture up. NULL, or the reason why nothing can be measured here. From then on the end
 * of this process takes everything down. */
static const char *hooked_begin(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    atexit(hooked_end);
    const char *reason = set_up();
    if (reason)
        return reason;
    snprintf(hooked_kill, sizeof hooked_kill, "%s/cgroup.kill", f.cgroup);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        signal(ends[i], hooked_on_signal);
    return NULL;
}
