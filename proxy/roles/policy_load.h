/* SPDX-License-Identifier: MIT
 * Loading the policy in the proxy: from descriptors that the keeper opened. */
#pragma once

#include "base/attrib.h"
#include "base/error.h"
#include "keeper/roles.h"
#include "rules/policy.h"

/* Maps and parses the files that the role was given; diagnostics go to the keeper as text. Included
 * files are asked for on the same channel, which nobody else reads yet.
 * Returns 0, or a negative errno with *error. */
int policy_load(const struct role_args *args, int control_fd, struct policy **out,
                struct error *error) NODISCARD NONNULL(1, 3, 4);
