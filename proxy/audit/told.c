/* SPDX-License-Identifier: MIT
 * Places by the record's address, which stays its own for as long as a place holds it. */
#include "audit/told.h"

#include <stdlib.h>

#include "audit/record_fields.h"

struct place {
    struct process *process; /* NULL: free */
    struct buffer members;
};

struct told {
    enum log_args args;
    struct place places[TOLD_PLACES];
};

struct told *told_new(enum log_args args)
{
    struct told *t = calloc(1, sizeof(*t));
    if (t)
        t->args = args;
    return t;
}

static void leave(struct place *place)
{
    process_unref(STEAL(place->process));
    buffer_release(&place->members);
}

void told_free(struct told *t)
{
    for (size_t i = 0; t && i < TOLD_PLACES; i++)
        leave(&t->places[i]);
    free(t);
}

static struct place *place_of(struct told *t, const struct process *p)
{
    const uint64_t mixed = (uint64_t)(uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15);
    return &t->places[(mixed >> 32) % TOLD_PLACES];
}

const struct buffer *told_of(struct told *t, struct process *p)
{
    struct place *place = place_of(t, p);
    if (place->process == p)
        return &place->members;
    leave(place);
    record_process_json(p, t->args, &place->members);
    if (buffer_failed(&place->members) || place->members.len > TOLD_MAX) {
        buffer_release(&place->members);
        return NULL;
    }
    place->process = process_ref(p);
    return &place->members;
}
