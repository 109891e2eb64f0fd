/* SPDX-License-Identifier: MIT
 * Which numbers of a growing sequence have been taken: an entry of the map of flows answers for one
 * TCP connection, once, whichever loop asks. Lies in memory that processes share: no lock, so
 * nothing to wait for where one of them dies. Bounded: each number has the place that its remainder
 * says, where the newest that was taken stands; what is not newer counts as taken. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrib.h"

#define ONCE_WINDOW (UINT64_C(1) << 18)

/* All zero when new; memory that nothing was written to takes up no room. */
struct once {
    _Atomic uint64_t newest[ONCE_WINDOW];
};

/* Takes a number, which are from 1 upwards. Returns false where it was taken before, or one was
 * that is newer by a multiple of ONCE_WINDOW. */
bool once_take(struct once *o, uint64_t number) NODISCARD NONNULL(1);
