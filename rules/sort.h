/* SPDX-License-Identifier: MIT
 * Sorts numbers. qsort(3) with a call for each comparison takes a tenth of the time that loading a
 * long policy may take. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* By the bits from `bit` on, smallest first; what has the same ones stays in order. scratch holds n
 * as well. */
void sort_numbers(uint64_t *numbers, uint64_t *scratch, size_t n, unsigned bit) NONNULL(1, 2);
