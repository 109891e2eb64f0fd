/* SPDX-License-Identifier: MIT
 * From a line of JSON to an event: records of the log as the filter writes them, and short ones
 * written by hand. Pure: what was resolved is learnt from the lines themselves, and the only clock
 * is their `ts`, so that a log is judged as it was when it was written. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"
#include "base/error.h"
#include "rules/event.h"

struct event_reader;

/* names: how many learnt names are held; a filter holds EVENT_READER_NAMES. NULL without memory. */
#define EVENT_READER_NAMES 16384
struct event_reader *event_reader_new(size_t names) NODISCARD;
void event_reader_free(struct event_reader *r); /* accepts NULL */

/* Takes the next line, without its newline.
 * 1: *out is an event to be judged, borrowed until the next call. 0: there is nothing to judge (a
 * DNS answer, which was learnt; the end of a connection; the life of the filter; a blank line).
 * -EBADMSG, with a sentence: the line is neither. */
int event_reader_line(struct event_reader *r, const char *line, size_t len,
                      const struct event **out, struct error *error) NODISCARD NONNULL(1, 2, 4, 5);
/* The line of which the newest event was made: the object, for what no event holds. Borrowed until
 * the next call; NULL where there was none. */
struct json_t *event_reader_object(struct event_reader *r) NONNULL(1);
