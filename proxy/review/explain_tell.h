/* SPDX-License-Identifier: MIT
 * An explanation as people read it, and as programs do. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "review/explain_find.h"

/* What the log itself says of the event; texts are NULL where it does not say. */
struct explain_record {
    const char *ts, *policy, *outcome, *reason, *file, *rule, *name_from;
    uint64_t seq, line, count; /* 0: not there */
    uint64_t pid;
    const char *policy_sha256; /* of the policy that was in force, or NULL */
};

/* How the record and the policy of now go together. */
enum explain_agreement {
    AGREE,         /* also where there is no record */
    AGREE_FILTER,  /* the filter had a reason of its own, which no policy has */
    DIFFER_RULE,   /* the same, by another line */
    DIFFER_POLICY, /* something else */
};
enum explain_agreement explain_agreement(const struct explanation *x,
                                         const struct explain_record *r) NONNULL(1, 2);

struct explain_told {
    const struct event *event;
    const struct explanation *explanation;
    const struct explain_record *record; /* or NULL */
    const char *policy_sha256; /* of the policy asked now, or NULL where it was not made */
};

/* Hostile bytes are made safe. */
void explain_print(const struct explain_told *t, FILE *out, bool colour) NONNULL(1, 2);
/* One line of JSON. */
void explain_write_json(const struct explain_told *t, struct buffer *out) NONNULL(1, 2);

/* The event in one line: what it goes to. Never NULL text but without memory. */
void explain_event_text(const struct event *e, bool who, struct buffer *out) NONNULL(1, 3);
/* What a reason of the filter's means, or NULL for one that is not known. */
const char *explain_reason_words(const char *reason) NONNULL(1);
/* Why record and policy differ, as far as that can be told; NULL where they do not. */
const char *explain_difference(const struct explain_told *t) NONNULL(1);
