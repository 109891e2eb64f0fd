/* SPDX-License-Identifier: MIT
 * The layout of the shared memory. */
#include "roles/shared.h"

#include <errno.h>

/* Learnt names that are kept. */
#define NAMES_ENTRIES 16384

/* Each part begins on a cache line of its own. */
enum { LINE = 64 };
/* Milliseconds that the lock may be held by another that is starting, or has died. */
enum { LOCK_MS = 1000 };

struct layout {
    _Alignas(LINE) struct shared_lock lock;
    _Alignas(LINE) _Atomic uint64_t last_conn;
    _Alignas(LINE) struct once connections;
};

static size_t whole_lines(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

size_t shared_size(void)
{
    return sizeof(struct layout) + whole_lines(name_limits_size()) + names_size(NAMES_ENTRIES);
}

int shared_attach(struct shared *s, void *memory, size_t size, uint32_t loop)
{
    struct layout *l = memory;
    char *limits = (char *)memory + sizeof(struct layout);
    char *names = limits + whole_lines(name_limits_size());
    if (size < shared_size() || (uintptr_t)memory % LINE != 0)
        return -EINVAL;
    /* Also taken where this loop held it when it died. What it wrote half-way is seen as such by
     * who reads names, and is a number in the budgets. */
    if (!shared_lock_take(&l->lock, loop, LOCK_MS))
        return -EBUSY;
    *s = (struct shared){.names = names_attach(names, names_size(NAMES_ENTRIES)),
                         .name_limits = name_limits_attach(limits, name_limits_size()),
                         .connections = &l->connections,
                         .last_conn = &l->last_conn,
                         .lock = &l->lock};
    shared_lock_give(&l->lock, loop);
    return s->names && s->name_limits ? 0 : -EINVAL;
}
