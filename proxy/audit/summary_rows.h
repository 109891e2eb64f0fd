/* SPDX-License-Identifier: MIT
 * The rows of a summary, between who counts them, who prints them and who makes lines of a policy
 * of them. Texts in them are those of the watched: any bytes. */
#pragma once

#include "audit/summary.h"

#define SUMMARY_ROWS_MAX   10000
#define SUMMARY_TEXT_MAX   512 /* bytes kept of a destination or a program, from its end */
#define SUMMARY_RULE_MAX   160 /* bytes kept of a rule's text, or of the name of its file */
#define SUMMARY_METHOD_MAX 15
#define SUMMARY_SEEN_MAX   8 /* processes that are told apart */

enum row_kind { ROW_HOST, ROW_IP, ROW_DNS, ROW_URL, ROW_IPV6, ROW_OTHER, ROW_OTHERS };

/* A text with an owner, NUL-terminated; cut: there was more in front of it. */
struct row_text {
    char *data; /* NULL: none */
    size_t len;
    bool cut;
};

struct summary_row {
    enum row_kind kind;
    struct row_text destination, program, container;
    bool program_counts; /* exe= can match it: it is known, and not of a file tree of its own */
    uint32_t ip;         /* ROW_IP: where to; ROW_DNS: the resolver, 0 is the filter */
    uint16_t port;       /* 0: none */
    bool udp;
    char method[SUMMARY_METHOD_MAX + 1]; /* ROW_URL */
    struct row_text called;              /* ROW_IP: a name that it went by, the first one */
    bool let_through;                    /* a denied one went on: audit mode */
    bool private;                        /* a denied name lay at a private address */
    bool metadata;                       /* or at that of a metadata service */
    bool unknown_bytes;        /* ROW_HOST: a denied client spoke no protocol that is known */
    bool address_asked;        /* ROW_DNS: a denied look-up was for an address, to connect to */
    bool resolver_only;        /* ROW_DNS: only the resolver is not allowed */
    struct row_text rule_file; /* of the newest denial, else of the newest decision; may be none */
    struct row_text rule;
    uint64_t line;
    char reason[32];
    uint64_t allowed, denied, expected, failed;
    /* Of what was denied, as it was not expected: */
    uint64_t seen[SUMMARY_SEEN_MAX]; /* processes */
    size_t n_seen, runs;             /* n_seen: SUMMARY_SEEN_MAX or more */
    uint64_t run, first_us, last_us; /* the newest run; times, 0: not known */
};

/* What a record is about, before it has a row. Texts are borrowed. */
struct summary_key {
    enum row_kind kind;
    struct text destination, program, container, called, method;
    bool program_counts, destination_cut, program_cut;
    uint32_t ip;
    uint16_t port;
    bool udp;
    char lower[SUMMARY_TEXT_MAX]; /* what destination may point into */
};
void summary_key(const struct record *r, const struct summary_who *who, struct summary_key *out)
    NONNULL(1, 2, 3);

/* A copy of the rows, what was denied first, those of a program together; free() it, not what it
 * points to. */
size_t summary_sorted(const struct summary *s, struct summary_row **out) NONNULL(1, 2);
/* The rows themselves. */
const struct summary_row *summary_rows(const struct summary *s, size_t *n) NONNULL(1, 2);

/* Appends with every byte that is not printable ASCII, and a backslash, as \xNN. */
void summary_put_safe(struct buffer *out, const char *s, size_t len) NONNULL(1);
/* Where to, as people write it: `a.example:22`, `192.0.2.1:53/udp`, `a.example (dns)`. */
void summary_put_destination(const struct summary_row *row, struct buffer *out) NONNULL(1, 2);
void summary_put_program(const struct summary_row *row, struct buffer *out) NONNULL(1, 2);
