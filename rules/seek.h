/* SPDX-License-Identifier: MIT
 * Which rules can be about an event: the lists under its names and addresses, and in long ones what
 * the event holds the guards of. What a rule means is judged in match.c. */
#pragma once

#include "rules/event.h"
#include "rules/matcher.h"

/* One event while it is judged. */
struct seeker {
    const struct matcher *matcher;
    const struct event *event;
    const char *path; /* normal form, or NULL where it has none */
    size_t path_len;
    /* Looks at an entry; label is the one that its wildcard is about, or NULL. */
    void (*visit)(void *context, const struct entry *e, const char *label, size_t label_len);
    void *context;
};

/* Visits all entries whose suffix the name has and whose kind of list the event's stage asks for:
 * whoever is visited need not match, and may be visited again. */
void seek_name(const struct seeker *s, const char *name, size_t len) NONNULL(1, 2);
/* The same for blocks around an address. */
void seek_blocks(const struct seeker *s, uint32_t ip) NONNULL(1);
/* And for URLs with that address. */
void seek_address_urls(const struct seeker *s, uint32_t ip) NONNULL(1);
