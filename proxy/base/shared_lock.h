/* SPDX-License-Identifier: MIT
 * A lock in memory that processes share, any of which may be killed while it holds it. Not a robust
 * mutex of the C library: that keeps pointers in the shared memory, by which one process that was
 * taken over could write into the others. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrib.h"

/* All zero: free. */
struct shared_lock {
    _Atomic uint32_t holder;
};

/* Takes it for holder, a number above 0 that no other process has: for a few hundred instructions,
 * in which nothing waits. Returns false when others have held it for that many milliseconds:
 * nothing that it guards may be touched then. What a dead process held is its next one's, by the
 * same number. */
bool shared_lock_take(struct shared_lock *l, uint32_t holder, unsigned wait_ms) NODISCARD
    NONNULL(1);
void shared_lock_give(struct shared_lock *l, uint32_t holder) NONNULL(1);
