/* SPDX-License-Identifier: MIT
 * What a rule lacks, in words: what the event has, what the rule wants, and a sentence of both. */
#pragma once

#include "base/buffer.h"
#include "review/explain_rule.h"

struct lack_words {
    const char *name; /* stable word for programs: "exe", "port", … */
    struct buffer has, wants;
    struct buffer text; /* "the program is /usr/bin/curl, not /usr/bin/node" */
    bool known;         /* false: of the event it is not known, and has is empty */
};

/* Fills in the words; released in any case. Bytes of the event are as they are in it: hostile. */
void lack_words_init(struct lack_words *w, const struct explain_rule *x, enum lack lack,
                     const struct event *e) NONNULL(1, 2, 4);
void lack_words_release(struct lack_words *w) NONNULL(1);

/* A fact of the process as a noun: "the program", "the arguments", … */
const char *lack_noun(enum lack lack);
/* The name in `name`. */
const char *lack_name(enum lack lack);
