/* SPDX-License-Identifier: MIT
 * Which numbers of a growing sequence have been taken: an entry of the map of flows answers for one
 * TCP connection, once. Bounded memory; what is older than the window counts as taken. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attrib.h"

#define ONCE_WINDOW (UINT64_C(1) << 20)

struct once {
    uint64_t newest;
    uint64_t taken[ONCE_WINDOW / 64]; /* a bit for each of the last ONCE_WINDOW numbers */
};

/* Takes a number, which are from 1 upwards. Returns false where it was taken before, or is too old
 * to be known. */
bool once_take(struct once *o, uint64_t number) NODISCARD NONNULL(1);
