/* SPDX-License-Identifier: MIT
 * The rows of a summary, between who counts them and who prints them. */
#pragma once

#include "audit/summary.h"

#define SUMMARY_ROWS_MAX 10000
#define SUMMARY_TEXT_MAX 256 /* bytes kept of a destination or a program, from its end */

enum row_kind { ROW_HOST, ROW_IP, ROW_DNS, ROW_IPV6, ROW_OTHER, ROW_OTHERS };

struct summary_row {
    enum row_kind kind;
    char *destination, *program; /* owned by the summary; NUL-terminated */
    size_t destination_len, program_len;
    uint16_t port; /* 0: none */
    bool udp;
    bool let_through; /* a denied one went on: audit mode */
    uint64_t allowed, denied, expected, failed;
    char reason[32]; /* of the newest denial */
};

/* A copy of the rows worth telling, what was denied first; free() it, not what it points to. */
size_t summary_sorted(const struct summary *s, struct summary_row **out) NONNULL(1, 2);
