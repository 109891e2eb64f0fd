/* SPDX-License-Identifier: MIT
 * What a run did, counted while it runs and told at its end: by program and destination, with the
 * line of the policy that decided; and what was denied, of which suggest.h makes lines. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "audit/record.h"

struct summary;

struct summary *summary_new(void) NODISCARD;
void summary_free(struct summary *s);

/* Who asked, as far as a summary tells people apart. Texts are borrowed. */
struct summary_who {
    struct text exe;       /* absent: not known */
    bool exe_counts;       /* a rule's exe= can match it */
    struct text container; /* its name, where an engine told it */
    uint64_t process;      /* differs between processes; 0: not known */
    uint64_t run;          /* differs between runs of the filter */
};

/* Counts one record (with its count); other than decisions are ignored. Bounded: beyond 10,000
 * rows the rest is one row, "others". */
void summary_add(struct summary *s, const struct record *r, const struct process *p) NONNULL(1, 2);
void summary_count(struct summary *s, const struct record *r, const struct summary_who *who)
    NONNULL(1, 2, 3);

/* allowed and denied decisions; expected: denials by `deny … expected`, not part of denied. */
struct summary_totals {
    uint64_t allowed, denied, expected, failed;
};
struct summary_totals summary_totals(const struct summary *s) NONNULL(1);

/* The table for people. width: columns of the terminal, 0 for none; colour: use it. */
void summary_print(const struct summary *s, FILE *out, unsigned width, bool colour) NONNULL(1, 2);
/* One JSON object on one line: {"allowed":N,"denied":N,"expected":N,"failed":N,"log":…,"head":…,
 * "rows":[{…}]}. head: the newest record, as verify --head takes it. */
void summary_json(const struct summary *s, const char *log, const char *head, FILE *out)
    NONNULL(1, 2, 3, 4);
