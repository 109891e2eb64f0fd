/* SPDX-License-Identifier: MIT
 * Folding: identical denials (same process, destination and verdict) within one second become one
 * record with a count, so that nobody fills the disk by knocking. Pure: the second is the
 * caller's. */
#pragma once

#include <stdbool.h>

#include "audit/record.h"
#include "base/attrib.h"

struct folds;

struct folds *folds_new(void) NODISCARD;
void folds_free(struct folds *f); /* accepts NULL */

/* Returns true when the record was folded into one that was written within this second; false when
 * the caller writes it: it is no denial, the first of its kind, or too many kinds are about. */
bool folds_take(struct folds *f, const struct record *r) NODISCARD NONNULL(1, 2);
/* Whether a second should be running. */
bool folds_pending(const struct folds *f) NONNULL(1);
/* The second is over: hands out each folded record with its count, and begins afresh. */
void folds_flush(struct folds *f, void (*write)(void *context, const struct record *r),
                 void *context) NONNULL(1, 2);
