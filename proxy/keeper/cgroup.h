/* SPDX-License-Identifier: MIT
 * The control group (v2) that a run's command lives in: a child of the caller's own, so that its
 * limits go on holding. Hooks are attached to it, and to nothing above it. */
#pragma once

#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"

struct cgroup {
    int fd; /* its directory; also holds the lock that tells it from a leftover */
    int parent_fd;
    char *name;  /* of the directory below the parent, owned */
    char *path;  /* as in /proc/PID/cgroup, owned */
    char *mount; /* where the v2 hierarchy is mounted, owned */
    uint64_t id;
    uint32_t level; /* depth, the root being 0 */
};
#define CGROUP_INIT                                                                                \
    {                                                                                              \
        -1, -1, NULL, NULL, NULL, 0, 0                                                             \
    }

/* The run in whose cgroup, or below it, that v2 path lies: its id within path; NULL: in none. */
const char *cgroup_run_in(const char *path) NONNULL(1);
/* Returns 0, or -EBUSY where this process is inside a run already. */
int cgroup_check_outside(struct error *error) NODISCARD NONNULL(1);

/* Where the v2 hierarchy is mounted and the caller's own path in it, to be freed, or NULL. Changes
 * nothing. Negative errno with *error where there is none. */
int cgroup_find(char **mount, char **own, struct error *error) NODISCARD NONNULL(1, 2, 3);
/* Makes it, after sweeping away what killed runs left behind beside it. */
int cgroup_open(struct cgroup *c, const char *run_id, struct error *error) NODISCARD
    NONNULL(1, 2, 3);
/* Kills what is in it (kernel 5.14 and later). */
void cgroup_kill(const struct cgroup *c) NONNULL(1);
/* Removes the directory and forgets everything; accepts a half-built one. */
void cgroup_close(struct cgroup *c);

/* The v2 path of a cgroup id (the inode of its directory), to be freed; NULL when there is none. */
char *cgroup_path_of(const struct cgroup *c, uint64_t id) NODISCARD NONNULL(1);
