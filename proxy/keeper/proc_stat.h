/* SPDX-License-Identifier: MIT
 * What /proc/PID/stat says of a process that is older than the hooks. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attrib.h"

struct proc_stat {
    pid_t parent;         /* 0: none that can be seen */
    uint64_t start_ticks; /* since boot */
};

/* Returns 0 or a negative errno. */
int proc_stat_read(pid_t pid, struct proc_stat *out) NODISCARD NONNULL(2);
