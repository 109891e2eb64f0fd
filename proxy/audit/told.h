/* SPDX-License-Identifier: MIT
 * What the log says of a process, written once for all of its records: it is the larger part of
 * every line, and redacting a command line costs more than all else. A process record never
 * changes, so neither does this. */
#pragma once

#include "attribution/process.h"
#include "audit/record.h"
#include "base/attrib.h"
#include "base/buffer.h"

struct told;

/* NULL: memory ran out. */
struct told *told_new(enum log_args args) NODISCARD;
void told_free(struct told *t); /* accepts NULL */

/* The members of a line about that process; NULL where they are too long to be kept or memory ran
 * out. Valid until the next call. Holds a count of p, of so many processes as there are places. */
const struct buffer *told_of(struct told *t, struct process *p) NODISCARD NONNULL(1, 2);

#define TOLD_PLACES 256
#define TOLD_MAX    8192 /* bytes about one process */
