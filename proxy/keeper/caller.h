/* SPDX-License-Identifier: MIT
 * On whose behalf `run` runs: the user that the command becomes, and that user's environment. */
#pragma once

#include <sys/types.h>

#include "base/attrib.h"
#include "base/error.h"

struct caller {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned */
    int n_groups;
    char *name, *home, *shell; /* owned; NULL where the user has no entry */
    char **environment;        /* owned, NULL-terminated: what the command gets */
};

/* Finds out for whom: `user` (a name or number, --user) where it is given, else SUDO_UID. Called
 * by root without either, says why that is refused. environ_pid, where not 0, is the ancestor whose
 * environment is carried over (see caller_become_root). Returns 0, or a negative errno with *error.
 */
int caller_find(const char *user, pid_t environ_pid, struct caller *out,
                struct error *error) NODISCARD NONNULL(3, 4);
void caller_release(struct caller *c);
/* A variable of the user's environment, NULL where it is not set. */
const char *caller_getenv(const struct caller *c, const char *name) NONNULL(1, 2);

/* Executes this program anew through sudo, with the same arguments and a note which process has the
 * user's environment (sudo empties it, but its own still holds it). Returns only on failure. */
int caller_become_root(int argc, char **argv, struct error *error) NONNULL(2, 3);
/* The sudo that it calls, or NULL where there is none. */
const char *caller_sudo(void);
/* The option by which that note is passed: --environment-of=PID, in front of all others. */
#define CALLER_ENVIRON_OPTION "--environment-of="

/* Becomes that user for good. With privileges: keeps what root has (root only) and lets programs
 * regain rights (setuid); without: no capability and no_new_privs. */
int caller_become(const struct caller *c, int keep_privileges, struct error *error) NODISCARD
    NONNULL(1, 3);
