/* SPDX-License-Identifier: MIT
 * The one table of a record's fields: packing, unpacking and JSON all walk it, so a field that is
 * added to it is in all three. Internal to the record's own files. */
#pragma once

#include "audit/record.h"

enum field_kind {
    FIELD_TIME,    /* uint64_t, microseconds; `seq` follows it in JSON */
    FIELD_U64,     /* uint64_t */
    FIELD_COUNT,   /* uint64_t, in JSON from 2 on */
    FIELD_U32,     /* uint32_t */
    FIELD_U16,     /* uint16_t */
    FIELD_IP,      /* uint32_t in host order */
    FIELD_DIALED,  /* the same, in JSON only where it is not dst_ip */
    FIELD_ENUM,    /* an enum whose words are in the table */
    FIELD_TRUE,    /* bool, in JSON only when true */
    FIELD_BOOL,    /* bool, in JSON when its guard says so */
    FIELD_GUARD,   /* bool, never in JSON: others are present when it is true */
    FIELD_TEXT,    /* struct text */
    FIELD_IP6,     /* struct text, in JSON only where has_dst is false: both are called dst_ip */
    FIELD_ANSWERS, /* n_answers of answers[] */
};

struct record_field {
    const char *name; /* NULL: not in JSON */
    enum field_kind kind;
    size_t offset;            /* in struct record */
    size_t guard;             /* offset of the bool that makes it present; 0: none */
    const char *const *words; /* FIELD_ENUM; a NULL word is "absent" */
    size_t n_words;
};

extern const struct record_field record_fields[];
extern const size_t record_n_fields;

/* 9999-12-31T23:59:59.999999Z: what four digits of year can say. */
#define RECORD_TIME_MAX UINT64_C(253402300799999999)

uint64_t field_value(const struct record *r, const struct record_field *f) NONNULL(1, 2);
const struct text *field_text(const struct record *r, const struct record_field *f) NONNULL(1, 2);

/* The members of a line that tell of the process (record_process.c). */
void record_process_json(const struct process *p, enum log_args args, struct buffer *out)
    NONNULL(1, 3);
