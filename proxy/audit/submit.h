/* SPDX-License-Identifier: MIT
 * The proxy's end of the log: hands records to the keeper and learns that they were written.
 * Identical denials (same process, destination and verdict) within one second are folded into one
 * record with a count, so that nobody fills the disk by knocking. */
#pragma once

#include "audit/record.h"
#include "base/attrib.h"
#include "keeper/requests.h"

struct event_base;
struct submit;

/* status: 0, written; else a negative errno: what was recorded must not be let through. */
typedef void submit_done(void *context, int status);

struct submit *submit_new(struct event_base *base, struct requests *requests,
                          struct ipc *keeper) NODISCARD NONNULL(1, 2, 3);
void submit_free(struct submit *s); /* accepts NULL */

struct submit_ticket;
/* Submits a record. done (may be NULL: nobody waits) is called later, once; except where the
 * record is settled at once: then *status is set to 0 or a negative errno, NULL is returned and
 * done is not called. */
struct submit_ticket *submit_record(struct submit *s, const struct record *r, submit_done *done,
                                    void *context, int *status) NONNULL(1, 2, 5);
void submit_cancel(struct submit_ticket *t); /* accepts NULL */

/* Writes what is folded now. */
void submit_flush(struct submit *s) NONNULL(1);
