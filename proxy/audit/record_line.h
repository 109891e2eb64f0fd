/* SPDX-License-Identifier: MIT
 * Reads lines of the log back, as far as the chain needs: where a line ends, what its hash covers,
 * its number and event. For the writer that takes a log up again and for `verify`; pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* No record is longer, the newline included: strings that others choose are bounded, and each byte
 * of them takes at most eight in a line. */
#define RECORD_LINE_MAX (1024 * 1024)
#define RECORD_HASH_LEN 32

struct line_parts {
    size_t hashed; /* bytes that the hash covers */
    uint64_t seq;
    const char *event; /* borrowed */
    size_t event_len;
    uint8_t hash[RECORD_HASH_LEN];
};

/* The length of the line at the start of data, its newline included; 0 when it does not end within
 * len; -EMSGSIZE when it does not end within RECORD_LINE_MAX. */
ptrdiff_t record_line_length(const char *data, size_t len) NODISCARD;
/* Takes a line, without its newline, apart. 0, or -EBADMSG where it has not a record's form. That
 * it is JSON in between is not looked at. */
int record_line_parse(const char *line, size_t len, struct line_parts *out) NODISCARD NONNULL(3);
/* Whether these bytes are, or could have become, the beginning of one of our records. */
bool record_line_begins(const char *data, size_t len);
/* Reads 64 hex digits of lower case. */
bool record_hash_parse(const char *hex, size_t len, uint8_t out[RECORD_HASH_LEN]) NONNULL(3);
/* Reads decimal digits, at most 63 bits, no leading zero; returns how many, 0 where there is no
 * such number. */
size_t record_number_parse(const char *data, size_t len, uint64_t *out) NONNULL(3);
