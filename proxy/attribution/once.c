/* SPDX-License-Identifier: MIT
 * The newest number at each place, moved on by compare-and-swap: of two who take the same number
 * one sees what the other has written. */
#include "attribution/once.h"

#include <assert.h>

static_assert(ATOMIC_LONG_LOCK_FREE == 2 && sizeof(_Atomic uint64_t) == 8, "shared by processes");

bool once_take(struct once *o, uint64_t number)
{
    _Atomic uint64_t *place = &o->newest[number % ONCE_WINDOW];
    uint64_t newest = atomic_load_explicit(place, memory_order_relaxed);
    while (number > newest)
        if (atomic_compare_exchange_weak_explicit(place, &newest, number, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}
