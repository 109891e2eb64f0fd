/* SPDX-License-Identifier: MIT
 * Fields 4 and 22 of /proc/PID/stat, found from behind: the process's name may hold anything. */
#include "keeper/proc_stat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int proc_stat_read(pid_t pid, struct proc_stat *out)
{
    char path[64], line[1024];
    unsigned long long start;
    int parent;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    bool read = fgets(line, sizeof line, f);
    fclose(f);
    const char *after = read ? strrchr(line, ')') : NULL;
    if (!after || sscanf(after + 1,
                         " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                         "%*d %llu",
                         &parent, &start) != 2)
        return -EBADMSG;
    *out = (struct proc_stat){parent, start};
    return 0;
}
