/* SPDX-License-Identifier: MIT
 * What all stages of a loop share: numbers, learnt names, and counting what is under way, so that
 * an end can wait for it. */
#include "session/engine.h"

#include <time.h>

#include "attribution/places.h"

enum {
    /* Questions that are judged and recorded: the keeper's pace, of which no process has all. */
    JUDGING_MAX = 8192,
    /* Those that wait for a resolver take a descriptor each. */
    ASKING_MAX = 4096,
    ASKING_MIN = 64,
    /* How long the lock is waited for, in milliseconds: the next loop of that number gives back
     * what a dead one held. Until it does, each wait would stop everything here anew. */
    LOCK_MS = 1000,
    LOCK_LOST_MS = 1,
};

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

bool engine_lock(struct engine *e)
{
    e->lock_lost = !shared_lock_take(e->lock, e->loop, e->lock_lost ? LOCK_LOST_MS : LOCK_MS);
    return !e->lock_lost;
}

void engine_unlock(struct engine *e)
{
    shared_lock_give(e->lock, e->loop);
}

bool engine_make_places(struct engine *e, size_t files)
{
    const size_t asking = MIN(MAX(files / 8, ASKING_MIN), ASKING_MAX);
    e->judging = places_new(JUDGING_MAX, JUDGING_MAX / 4);
    e->asking = places_new(asking, asking);
    return e->judging && e->asking;
}

/* A name that cannot be learnt does not count: the connection by it is resolved anew, or denied. */
void engine_learn(struct engine *e, const char *name, uint32_t address, uint32_t ttl)
{
    if (!engine_lock(e))
        return;
    names_learn(e->names, ENGINE_CLIENT, name, address, ttl, engine_now());
    engine_unlock(e);
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
