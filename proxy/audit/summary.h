/* SPDX-License-Identifier: MIT
 * What a run did, counted while it runs and told at its end: destination, program, allowed, denied,
 * and for what was denied the line that would allow it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "audit/record.h"

struct summary;

struct summary *summary_new(void) NODISCARD;
void summary_free(struct summary *s);
/* Counts one record (with its count); other than decisions are ignored. Bounded: beyond 10,000
 * rows the rest is one row, "others". */
void summary_add(struct summary *s, const struct record *r, const struct process *p) NONNULL(1, 2);

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
