/* SPDX-License-Identifier: MIT
 * What a role gives up before it reads the first byte from outside: user, capabilities, files,
 * system calls. */
#pragma once

#include <sys/types.h>

#include "base/attrib.h"
#include "base/error.h"

enum confine_role { CONFINE_PROXY, CONFINE_PACKET, CONFINE_DIGEST };

/* Users of the roles where the package has not made them ("egress-proxy", "egress-packet"): above
 * every range that distributions and container engines hand out. */
#define CONFINE_PROXY_UID  2113929217u
#define CONFINE_PACKET_UID 2113929218u
#define CONFINE_DIGEST_UID 2113929219u

/* Who the role becomes, and the channel whose other end is the keeper's. */
struct confine_as {
    uid_t uid;
    gid_t gid;
    int control;
};

/* Gives up everything that the role does not need, for good: its own user and that one's group
 * alone, no capability (packet: CAP_NET_ADMIN alone; digest: CAP_SYS_PTRACE alone, which
 * /proc/PID/exe asks for, where we have it), no_new_privs, not dumpable, no file may grow,
 * and a list of allowed system calls beyond which everything fails with EPERM. The keeper's death
 * kills it. Called once, by a process with one thread; what the role needs (descriptors, event
 * base) exists before. Returns 0, or a negative errno with *error: the role must exit then. */
int confine(enum confine_role role, const struct confine_as *as, struct error *error) NODISCARD
    NONNULL(2, 3);

/* The same for the command that is watched: refuses what would lead past the filter without being
 * a network connection of its namespace (AF_VSOCK; io_uring, which seccomp cannot see into; keys,
 * whose makers the kernel starts outside; typing into the caller's terminal), out of its cgroup
 * (clone3, which C libraries know how to do without), or would make another file pass for what it
 * runs (PR_SET_MM). Everything else is as it was. */
int confine_command(struct error *error) NODISCARD NONNULL(1);
