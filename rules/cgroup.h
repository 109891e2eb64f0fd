/* SPDX-License-Identifier: MIT
 * Which container engine a cgroup v2 path belongs to, told from its components. */
#pragma once

#include "base/attrib.h"

enum cgroup_class {
    CGROUP_DOCKER = 1 << 0,
    CGROUP_PODMAN = 1 << 1,
    CGROUP_KUBERNETES = 1 << 2,
    CGROUP_ROOTLESS = 1 << 3,
    CGROUP_HOST = 1 << 4, /* none of the others */
    CGROUP_CONTAINER = CGROUP_DOCKER | CGROUP_PODMAN | CGROUP_KUBERNETES,
};

/* Never 0. */
unsigned cgroup_classify(const char *path) NONNULL(1);

#define CGROUP_ID_LEN 64
/* The outermost id of a container in the path, CGROUP_ID_LEN digits within it; NULL: none is there.
 * The engine of this machine made that one; what is below it a container may have made itself, and
 * what is below user@.service any user. */
const char *cgroup_container_id(const char *path) NONNULL(1);
