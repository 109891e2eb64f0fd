/* SPDX-License-Identifier: MIT
 * The end of entries in the map of flows, whose sockets have gone. Internal to the hooks. */
#pragma once

#include "attribution/hooks.h"

/* One pass over the map. counts is shared with the programs; *out is brought up to date. Negative
 * errno where the map cannot be read. */
int hooks_sweep_map(int map_fd, struct flow_counts *counts, struct hooks_flows *out) NODISCARD
    NONNULL(2, 3);
