/* SPDX-License-Identifier: MIT
 * What a command of `run` does not see of the host's file systems: the sockets of helpers outside
 * (engines, D-Bus, systemd, agents, terminals) that would do for it what it may not do itself, and
 * write access to what steers the kernel or records the command. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attrib.h"
#include "base/error.h"

/* Who the command will be. */
struct hide_user {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
    const char *home; /* NULL where there is none */
};

struct hide_options {
    struct hide_user user;
    const char *const *shares; /* sockets or directories that stay (--share), also below /run */
    size_t n_shares;
    const char *const *protect; /* existing files or directories, made read-only in their place */
    size_t n_protect;
    const char *resolv_conf_text; /* shown as /etc/resolv.conf; NULL: what was there stays, also
                                     when it is a link into /run */
    const char *unix_sockets;     /* /proc/net/unix as read in the host's network namespace; NULL:
                                     this process is still in that namespace, it is read now */
};

/* Prepares the mount namespace of the calling process, which is root, has unshared it, made every
 * mount MS_SLAVE or MS_PRIVATE, and has already mounted the command's /proc. /run becomes a view
 * with the entries that hold no socket; listed and well-known sockets elsewhere are covered; /sys
 * with the control groups and /proc's switches become read-only; the working directory is entered
 * anew; other mounts of /proc are emptied, those of message queues and control groups are the
 * command's own or read-only. Nothing on the host changes. Negative errno and *error on failure:
 * then the namespace is half prepared, and the process must end without running the command. */
int hide_prepare(const struct hide_options *o, struct error *error) NODISCARD NONNULL(1, 2);
