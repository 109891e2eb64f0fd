/* SPDX-License-Identifier: MIT
 * The narrowest lines of a policy that would have allowed what was denied. Names and programs are
 * those of the watched: nothing of theirs gets into a line that the language could take for more
 * than a name, an address, a path or a program, and what cannot stand in a line stands escaped in a
 * comment. Pure.
 *
 * What is decided here: a name goes before its address; a name's look-up and its connection are
 * one line; each program has a line of its own, so that none rides on what another needs; a
 * wildcard, or a line for everybody where several programs are known, is only ever proposed. */
#pragma once

#include "audit/summary.h"
#include "base/buffer.h"

struct summary_row;
struct suggestions;

/* Of all denials of a summary, which stays as it is until these are freed. NULL without memory. */
struct suggestions *suggestions_new(const struct summary *s) NODISCARD NONNULL(1);
void suggestions_free(struct suggestions *s); /* accepts NULL */
/* How many lines there are, and how many destinations for which there is none. */
size_t suggestions_count(const struct suggestions *s, size_t *without) NONNULL(1, 2);

/* Appends a whole policy: each line with who asked, how often and when; at the end, as comments,
 * what no line allows, and why. */
void suggestions_policy(const struct suggestions *s, struct buffer *out) NONNULL(1, 2);
/* Appends the lines alone, indented, to be pasted from a terminal: at most `max`. */
void suggestions_lines(const struct suggestions *s, size_t max, struct buffer *out) NONNULL(1, 3);
/* Appends one object: {"lines":[{"line":…,"count":…,…}],"without":[{"destination":…,"why":…}]}. */
void suggestions_json(const struct suggestions *s, struct buffer *out) NONNULL(1, 2);

/* Of one row alone: true, and its line is appended; false, and why there is none. */
bool suggest_row(const struct summary_row *row, struct buffer *out) NODISCARD NONNULL(1, 2);
