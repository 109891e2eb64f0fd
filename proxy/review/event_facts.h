/* SPDX-License-Identifier: MIT
 * Facts of a process in the words of selectors, as they stand behind an event: exe=/usr/bin/curl.
 * A fact has one value, so there are no wildcards; what is not told is not known. */
#pragma once

#include "base/buffer.h"
#include "rules/arena.h"
#include "rules/event.h"
#include "rules/reporter.h"

struct event_facts {
    struct event_process *process;
    const char **args, **parents;
    unsigned told; /* enum process_fact */
};

/* Makes room for as many facts as there are words. */
bool event_facts_init(struct event_facts *f, struct arena *arena, struct event_process *process,
                      size_t n_words) NODISCARD NONNULL(1, 2, 3);
/* Takes one word NAME=VALUE in; false when it is no fact, after saying why. */
bool event_facts_add(struct event_facts *f, struct reporter *r, struct arena *arena,
                     struct span word) NODISCARD NONNULL(1, 2, 3);
/* Appends what is known, each fact behind a blank. */
void event_facts_write(const struct event_process *p, struct buffer *out) NONNULL(1, 2);
/* A cgroup of the class that a policy calls by this name (@docker, …); NULL where it is none. */
const char *event_facts_cgroup(const char *name, size_t len) NONNULL(1);
