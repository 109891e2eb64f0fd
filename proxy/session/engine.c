/* SPDX-License-Identifier: MIT
 * What all stages of a loop share: numbers, learnt names, and counting what is under way, so that
 * an end can wait for it. */
#include "session/engine.h"

#include <time.h>

uint64_t engine_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

uint64_t engine_next_conn(struct engine *e)
{
    return atomic_fetch_add_explicit(e->last_conn, 1, memory_order_relaxed) + 1;
}

/* A name that cannot be learnt does not count: the connection by it is resolved anew, or denied. */
void engine_learn(struct engine *e, const char *name, uint32_t address, uint32_t ttl)
{
    if (!shared_lock_take(e->lock, e->loop))
        return;
    names_learn(e->names, ENGINE_CLIENT, name, address, ttl, engine_now());
    shared_lock_give(e->lock, e->loop);
}

void engine_begin(struct engine *e)
{
    e->active++;
}

void engine_end(struct engine *e)
{
    if (--e->active == 0 && e->idle)
        e->idle(e->idle_context);
}
