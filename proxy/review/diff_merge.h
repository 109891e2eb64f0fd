/* SPDX-License-Identifier: MIT
 * From many answers to few changes: ports, kinds of traffic, methods, paths and processes of which
 * the same is true are told together. */
#pragma once

#include "review/diff_ask.h"

/* Visits the changes of a target that was asked about. False without memory. */
bool diff_merge(struct diff_target *t, diff_visit *visit, void *context, size_t *n) NODISCARD
    NONNULL(1, 2, 4);
