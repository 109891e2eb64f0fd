/* SPDX-License-Identifier: MIT
 * From a decision in a log back to the record that it was, as far as a summary asks for it. */
#pragma once

#include "audit/summary.h"
#include "review/event_fields.h"
#include "rules/policy.h"

struct log_record {
    struct record record;
    struct summary_who who; /* who.run is left to the caller */
};

/* Fills in what the object says of a decision about this event. Texts are the object's. False where
 * it tells of none: neither `policy` nor `outcome`. What is wrong with it is told in the fields. */
bool log_record_read(struct fields *f, const struct event *e, struct log_record *out) NODISCARD
    NONNULL(1, 2, 3);
/* Puts a policy's own verdict in place of the log's, where the log's is a policy's too: what a
 * limit or a machine's fault denied, no policy allows. Returns whether it is denied now. */
bool log_record_judge(const struct policy *p, const struct event *e, struct log_record *r) NODISCARD
    NONNULL(1, 2, 3);
