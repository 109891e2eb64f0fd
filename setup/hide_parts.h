/* SPDX-License-Identifier: MIT
 * What the files of hide share with each other and with nobody else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"
#include "base/error.h"
#include "setup/hide.h"

/* Resolved paths that stay visible, with all that is below them. */
struct hide_shares {
    char **paths; /* owned, as are the strings */
    size_t n;
};

/* Whether path is root or below it. */
bool hide_below(const char *path, const char *root) NONNULL(1, 2);
bool hide_is_shared(const struct hide_shares *shares, const char *path) NONNULL(1, 2);

/* A file system of ours, mounted for as long as copies of its files are needed. */
struct hide_scratch {
    int root;    /* -1 while there is none */
    char *place; /* where it is mounted, owned */
};

/* Covers every socket that text (/proc/net/unix) lists, the well-known ones of engines, and those
 * in directories for everybody. */
int hide_sockets(const char *text, const struct hide_user *user, const struct hide_shares *shares,
                 const struct hide_scratch *scratch, struct error *error) NODISCARD
    NONNULL(1, 2, 3, 4, 5);

/* Covers what other mounts show of the host's processes, or steer the kernel by. text is
 * /proc/self/mountinfo, with the command's own /proc in place. */
int hide_mounts(const char *text, const struct hide_shares *shares, struct error *error) NODISCARD
    NONNULL(1, 2, 3);

/* Replaces the directory at root (resolved) by a view without sockets; nothing if it is shared. */
int hide_run(const char *root, const struct hide_shares *shares, struct error *error) NODISCARD
    NONNULL(1, 2, 3);
