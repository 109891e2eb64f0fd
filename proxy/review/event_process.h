/* SPDX-License-Identifier: MIT
 * The process of an event, out of the fields that the log has for it. */
#pragma once

#include "review/event_fields.h"
#include "rules/cgroup.h"
#include "rules/event.h"

/* Lists of strings that a process points to; kept from event to event. */
struct event_texts {
    const char **list;
    size_t n, size;
};

struct event_owner {
    struct event_process process;
    struct event_texts args, parents;
    char container_id[CGROUP_ID_LEN + 1];
};

/* Fills in out->process, whose strings belong to the JSON. A fact that is not mentioned is not
 * known; one that is null is known to be absent (`"container_name":null`: in no container).
 * Returns whether anything tells of a process at all. */
bool event_owner_read(struct fields *f, struct event_owner *out) NONNULL(1, 2);
void event_owner_release(struct event_owner *o) NONNULL(1);
