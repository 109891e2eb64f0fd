/* SPDX-License-Identifier: MIT
 * A word that says who holds the lock, changed by compare-and-swap. Who waits gives way to others:
 * the holder may be the one that this core should run. */
#include "base/shared_lock.h"

#include <assert.h>
#include <sched.h>
#include <time.h>

static_assert(ATOMIC_INT_LOCK_FREE == 2, "shared by processes");

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

bool shared_lock_take(struct shared_lock *l, uint32_t holder, unsigned wait_ms)
{
    int64_t since = 0;
    for (;;) {
        uint32_t seen = 0;
        if (atomic_compare_exchange_strong_explicit(&l->holder, &seen, holder, memory_order_acquire,
                                                    memory_order_acquire) ||
            seen == holder)
            return true;
        if (!since)
            since = now_ns();
        else if (now_ns() - since > wait_ms * INT64_C(1000000))
            return false;
        sched_yield();
    }
}

void shared_lock_give(struct shared_lock *l, uint32_t holder)
{
    atomic_compare_exchange_strong_explicit(&l->holder, &holder, 0, memory_order_release,
                                            memory_order_relaxed);
}
