/* SPDX-License-Identifier: MIT
 * Records of processes that the proxy still uses: held here, so that a connection's closing record
 * can name a process that has been gone for long. */
#pragma once

#include "attribution/process.h"
#include "base/attrib.h"

struct pins;

struct pins *pins_new(void) NODISCARD;
void pins_clear(struct pins *pins) NONNULL(1); /* lets go of all */
/* Lets go of all and frees; accepts NULL. */
void pins_free(struct pins *pins);
/* Holds the record (once for each process and state), taking a count of its own. */
void pins_hold(struct pins *pins, struct process *p) NONNULL(1, 2);
/* The held record, borrowed; NULL when it is not held. */
struct process *pins_find(const struct pins *pins, const struct process_id *id) NONNULL(1, 2);
void pins_let_go(struct pins *pins, const struct process_id *id) NONNULL(1, 2);
