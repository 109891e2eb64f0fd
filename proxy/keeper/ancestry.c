/* SPDX-License-Identifier: MIT
 * Processes that are older than the hooks: the command's first process, the keeper, and all above
 * it, read from /proc once, so that chains of ancestors lead up to the first process of all. */
#include "keeper/keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/proc_stat.h"

#define DEPTH_MAX PROCESS_ANCESTORS_MAX

/* Adds one process below its parent; *key becomes its own. */
static int add_one(struct keeper *k, pid_t pid, bool first, struct process_key *key)
{
    char path[64], exe[PATH_MAX];
    struct process p = {.known = 0};
    struct process_key parent = *key;
    struct stat st;
    struct proc_stat is;
    int failed = proc_stat_read(pid, &is);
    if (failed)
        return failed;
    p.key = (struct process_key){(uint32_t)pid, PROCESS_EXEC_ANY, is.start_ticks * PROCESS_TICK_NS};
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
    struct proc_stat is;
    struct process_key key = {0};
    pid_t at = command;
    while (n < DEPTH_MAX && at > 0 && proc_stat_read(at, &is) == 0) {
        chain[n++] = at;
        at = is.parent;
    }
    int failed = 0;
    for (size_t i = n; i > 0 && !failed; i--)
        failed = add_one(k, chain[i - 1], i == n && at == 0, &key);
    return failed;
}
