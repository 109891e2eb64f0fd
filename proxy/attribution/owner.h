/* SPDX-License-Identifier: MIT
 * Flow → owner, from the map that the hooks fill. Needs no right: an inherited descriptor that was
 * opened read-only is enough, so the proxy can ask. */
#pragma once

#include "base/attrib.h"
#include "bpf/attribution.h"

/* Copies the owner of a flow out of the map.
 * Returns 0, -ENOENT when the flow is not known, or another negative errno. */
int owner_lookup(int map_fd, const struct flow_key *key, struct flow_owner *owner) NODISCARD
    NONNULL(2, 3);
