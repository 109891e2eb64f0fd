/* SPDX-License-Identifier: MIT
 * Counting what is under way, so that an end can wait for it. */
#include "session/engine.h"

#include <time.h>

uint64_t engine_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec;
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
