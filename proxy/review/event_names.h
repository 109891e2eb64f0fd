/* SPDX-License-Identifier: MIT
 * What earlier lines told a later one: names that were resolved, of one run of the filter, and the
 * time by which they count, which is the lines' own. */
#pragma once

#include "dns/names.h"
#include "review/event_fields.h"
#include "rules/event.h"
#include "rules/policy.h"

struct event_names {
    void *memory; /* owned */
    size_t size;
    struct names *names; /* laid over it */
    char run_id[64];
    bool started;  /* a line with a time was seen */
    int64_t first; /* when `now` was 0 */
    uint64_t now;  /* in seconds; never back, as the filter's own clock */
    /* Of the event being read: */
    char seen[NAMES_PER_ADDRESS][NAME_MAX_LEN + 1];
    const char *list[NAMES_PER_ADDRESS];
};

/* 0 or -ENOMEM. */
int event_names_init(struct event_names *n, size_t entries) NODISCARD NONNULL(1);
void event_names_release(struct event_names *n) NONNULL(1);

/* `ts`, where the line has one. */
void event_names_time(struct event_names *n, struct fields *f) NONNULL(1, 2);
/* A start record: a filter that starts knows no names; a file that goes on with the same run does.
 * Before event_names_time. */
void event_names_start(struct event_names *n, struct fields *f) NONNULL(1, 2);
/* A DNS answer, logged or written by hand. */
void event_names_answer(struct event_names *n, struct fields *f) NONNULL(1, 2);
/* name is in normal form. */
void event_names_learn(struct event_names *n, const char *name, uint32_t ip) NONNULL(1, 2);
/* Fills in the names that were seen for the address. */
void event_names_fill(struct event_names *n, uint32_t ip, struct event *e) NONNULL(1, 3);

/* IPv4, also where it is written as IPv6 (::ffff:1.2.3.4). 1; 0: another IPv6 address; -EINVAL. */
int event_ip_parse(const char *text, uint32_t *out) NODISCARD NONNULL(1, 2);
