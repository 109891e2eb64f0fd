/* SPDX-License-Identifier: MIT
 * The watched command: started in its own cgroup and namespaces, below a first process of ours that
 * reaps, passes signals on and dies with the keeper. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attrib.h"
#include "base/error.h"
#include "keeper/caller.h"
#include "keeper/cgroup.h"
#include "setup/gate.h"

struct command_options {
    const struct caller *caller;
    const struct gate *gate;
    const struct cgroup *cgroup;
    const char *const *shares; /* paths that stay visible */
    size_t n_shares;
    const char *const *protect; /* files that it may read and not replace: log, policies */
    size_t n_protect;
    const char *resolv_conf; /* text in place of /etc/resolv.conf, or NULL */
    const char *directory;   /* to run in */
    bool allow_privileges;
    char **argv;
};

/* Status by which the first process says that nothing could be run: as a shell's. */
enum command_status { COMMAND_FAILED = 125, COMMAND_NOT_EXECUTABLE = 126, COMMAND_NOT_FOUND = 127 };

/* Starts it. Returns the pid of its first process (whose exit status is the command's, 128+N where
 * signal N ended it), or a negative errno with *error. */
pid_t command_start(const struct command_options *o, struct error *error) NODISCARD NONNULL(1, 2);
