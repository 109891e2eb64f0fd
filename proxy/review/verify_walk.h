/* SPDX-License-Identifier: MIT
 * Walks the lines of logs along the chain and says what is wrong where. Several files are one
 * chain in the order given. No I/O: lines go in, findings come out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/record_line.h"
#include "base/attrib.h"

struct digest;

enum finding_kind {
    FINDING_CHANGED,   /* bytes and hash do not go together */
    FINDING_MISSING,   /* records are not there */
    FINDING_REORDERED, /* a record stands where it does not belong, or twice */
    FINDING_TORN,      /* a line that ends in the middle */
    FINDING_FORM,      /* a line that is no record */
    FINDING_CUT_OFF,   /* the end is not the one that was told elsewhere */
};

struct finding {
    enum finding_kind kind;
    const char *file;
    uint64_t line; /* from 1 */
    uint64_t seq;  /* 0: not known */
    const char *text;
};

struct walk {
    void (*found)(void *context, const struct finding *f);
    void *context;
    bool has_head; /* the newest record as told elsewhere */
    uint64_t head_seq;
    uint8_t head_hash[RECORD_HASH_LEN];

    /* Results: */
    uint64_t records, runs, stops, findings;
    uint64_t seq; /* of the newest record */
    uint8_t hash[RECORD_HASH_LEN];
    uint64_t line;   /* of the current file */
    bool running;    /* a run began and has not stopped */
    bool head_found; /* a record with the head's number was seen */

    /* Own: */
    struct digest *digest;
    const char *file;
};

/* The caller sets found, context and head beforehand. 0 or -ENOMEM. */
int walk_start(struct walk *w) NODISCARD NONNULL(1);
void walk_file(struct walk *w, const char *name) NONNULL(1, 2);
/* One line without its newline; ended: it had one. */
void walk_line(struct walk *w, const char *line, size_t len, bool ended) NONNULL(1);
/* A line longer than any record; told instead of walk_line. */
void walk_long_line(struct walk *w) NONNULL(1);
/* After the last line of the last file: looks at the end. */
void walk_end(struct walk *w) NONNULL(1);
void walk_release(struct walk *w) NONNULL(1);

const char *finding_word(enum finding_kind kind);
