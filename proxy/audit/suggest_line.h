/* SPDX-License-Identifier: MIT
 * One line of a policy, between who finds it, who merges several and who writes them. */
#pragma once

#include "audit/suggest.h"
#include "audit/summary_rows.h"

enum line_class { LINE_HOST, LINE_URL, LINE_DNS, LINE_IP };

/* All texts are a row's. */
struct line {
    const struct summary_row *row;
    enum line_class class;
    const char *target; /* name or URL, as it is written; NULL: ip */
    const char *host;   /* by which lines are grouped: of a URL its host, not followed by a NUL */
    size_t host_len;    /* 0: they are grouped by ip */
    uint32_t ip;
    uint16_t port;
    bool udp, private;
    const char *method;          /* "" where none is written */
    const char *exe, *container; /* NULL: whatever it is */
    /* What it stands for, once lines are merged: */
    uint64_t count, first_us, last_us;
    uint64_t looked_up; /* of the count, look-ups */
    uint64_t seen[SUMMARY_SEEN_MAX];
    size_t n_seen, runs;
    bool connected; /* a connection was asked for, not only a look-up */
    bool gone;      /* another line says it all */
    bool also;      /* everybody's, where known programs have lines of their own: a proposal */
};

/* Fills in the line of a denied row and returns true, or appends why there is none. */
bool line_of(const struct summary_row *row, struct line *out, struct buffer *why) NODISCARD
    NONNULL(1, 2, 3);
/* The line for the DNS server that a look-up was sent to; false where that is the filter. */
bool line_of_resolver(const struct summary_row *row, struct line *out) NODISCARD NONNULL(1, 2);
/* Whether one process asked for it, at most once beside the look-ups of one name's IPv4 and IPv6
 * address: three records may well be one attempt. */
bool line_is_once(const struct line *l) NODISCARD NONNULL(1);
/* Appends its text. */
void line_write(const struct line *l, struct buffer *out) NONNULL(1, 2);

/* The lines of a whole summary, sorted by destination. */
struct suggestions {
    struct line *lines;
    size_t n_lines;
    struct without {
        const struct summary_row *row;
        char *why; /* owned */
    } * without;
    size_t n_without;
    bool let_through; /* something was denied by the policy alone: audit mode */
};
