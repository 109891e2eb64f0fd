/* SPDX-License-Identifier: MIT
 * One kernel may be built for all modes and told at its start which (PREEMPT_DYNAMIC), so what it
 * was built with says only that it never does. */
#include "attribution/preempt.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* kernel/sched/core.c, sched_dynamic_show() (kernel/sched/debug.c from 6.15 on): the mode in force
 * stands in parentheses. */
#define MODES "/sys/kernel/debug/sched/preempt"

bool preempt_possible(const char *build, const char *modes)
{
    if (modes)
        return !strstr(modes, "(none)") && !strstr(modes, "(voluntary)");
    return strstr(build, "PREEMPT") != NULL;
}

bool preempt_here(void)
{
    struct utsname system = {0};
    char modes[128];
    FILE *file = fopen(MODES, "re");
    const char *shown = file ? fgets(modes, sizeof modes, file) : NULL;
    if (file)
        fclose(file);
    return uname(&system) < 0 || preempt_possible(system.version, shown);
}
