/* SPDX-License-Identifier: MIT
 * The policy that a command of review judges by: the files of --policy, else ./egress.rules; read,
 * parsed, and its faults told on stderr. */
#pragma once

#include "base/cli.h"
#include "review/policy_files.h"
#include "tls/digest.h"

struct policy_chosen {
    const char *command; /* for sentences */
    bool optional;       /* without --policy there is none, and that is no fault */
    struct policy_options options;
    struct cli_list paths;
    /* Results: */
    struct policy *policy;       /* the caller owns a count; NULL after a fault */
    char sha256[SHA256_HEX + 1]; /* as `run` digests the same files; "" without memory */
    size_t errors;
};

/* Loads it, or nothing where that is no fault; false after saying why not, also where a placeholder
 * has no value. */
bool policy_chosen_load(struct policy_chosen *c) NODISCARD NONNULL(1);
