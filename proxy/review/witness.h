/* SPDX-License-Identifier: MIT
 * From what a rule asks for to something that has it: one text for a pattern. */
#pragma once

#include "rules/arena.h"
#include "rules/rule.h"

/* A value that the selector asks for; NULL without memory. */
const char *witness_of_selector(struct arena *arena, const struct selector *s) NODISCARD
    NONNULL(1, 2);
/* A name that the pattern matches; NULL without memory. */
const char *witness_of_host(struct arena *arena, const struct host_pattern *h) NODISCARD
    NONNULL(1, 2);
