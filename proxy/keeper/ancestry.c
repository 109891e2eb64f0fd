/* SPDX-License-Identifier: MIT
 * Processes that are older than the hooks: the command's first process, the keeper, and all above
 * it, read from /proc once, so that chains of ancestors lead up to the first process of all. */
#include "keeper/keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX PROCESS_ANCESTORS_MAX

/* Parent and start of a process (fields 4 and 22 of /proc/PID/stat). */
static int read_stat(pid_t pid, pid_t *parent, uint64_t *ticks)
{
    char path[64], line[1024];
    unsigned long long start;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    bool read = fgets(line, sizeof line, f);
    fclose(f);
    const char *after = read ? strrchr(line, ')') : NULL; /* the name may hold anything */
    if (!after || sscanf(after + 1,
                         " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                         "%*d %llu",
                         parent, &start) != 2)
        return -EBADMSG;
    *ticks = start;
    return 0;
}

/* Adds one process below its parent; *key becomes its own. */
static int add_one(struct keeper *k, pid_t pid, bool first, struct process_key *key)
{
    char path[64], exe[PATH_MAX];
    struct process p = {.known = 0};
    struct process_key parent = *key;
    struct stat st;
    uint64_t ticks;
    pid_t unused;
    int failed = read_stat(pid, &unused, &ticks);
    if (failed)
        return failed;
    p.key = (struct process_key){(uint32_t)pid, PROCESS_EXEC_ANY, ticks * PROCESS_TICK_NS};
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        p.exe = exe;
        p.known |= FACT_EXE;
    }
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (stat(path, &st) == 0) {
        p.uid = st.st_uid;
        p.known |= FACT_USER;
    }
    if (first)
        p.known |= FACT_PARENTS;
    *key = p.key;
    failed = process_table_add_old(k->table, &p, first ? NULL : &parent);
    return failed == -EEXIST ? 0 : failed;
}

int keeper_add_ancestry(struct keeper *k, pid_t command)
{
    pid_t chain[DEPTH_MAX];
    size_t n = 0;
    uint64_t ticks;
    struct process_key key = {0};
    pid_t at = command, parent;
    while (n < DEPTH_MAX && at > 0 && read_stat(at, &parent, &ticks) == 0) {
        chain[n++] = at;
        at = parent;
    }
    int failed = 0;
    for (size_t i = n; i > 0 && !failed; i--)
        failed = add_one(k, chain[i - 1], i == n && at == 0, &key);
    return failed;
}
