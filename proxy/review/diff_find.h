/* SPDX-License-Identifier: MIT
 * Two policies asked the same questions, one for each cell of what their rules tell apart; what
 * they answer differently, put together into few sentences' worth. Pure. */
#pragma once

#include "review/diff_cells.h"
#include "rules/event.h"

enum diff_kind {
    DIFF_DNS = 1 << 0, /* a look-up */
    DIFF_TLS = 1 << 1,
    DIFF_TCP = 1 << 2,
    DIFF_UNKNOWN = 1 << 3, /* TCP, and bytes of no protocol that the filter knows */
    DIFF_HTTP = 1 << 4,    /* TCP, and an HTTP request that is not read yet */
    DIFF_UDP = 1 << 5,
    DIFF_REQUEST = 1 << 6,
};

/* All of it is borrowed for the time of the call. */
struct diff_change {
    const char *target; /* as a policy would call it; a block of addresses as LOW-HIGH */
    const char *at;     /* the address at which the name lies, where it matters; or NULL */
    unsigned kinds;     /* enum diff_kind */
    const struct port_range *ports;
    size_t n_ports;   /* 0: of look-ups */
    bool https;       /* of requests, as are these: */
    unsigned methods; /* enum rule_method */
    const char *path;
    const char *who; /* "" for everybody */
    struct verdict before, after;
    const char *example; /* an event that both policies judge so, in words */
};

typedef void diff_visit(void *context, const struct diff_change *change);

struct diff_result {
    size_t changes;
    bool exact; /* false: there may be others than those that were told */
};

/* 0 or -ENOMEM. */
int diff_find(const struct policy *before, const struct policy *after, diff_visit *visit,
              void *context, struct diff_result *out) NODISCARD NONNULL(1, 2, 3, 5);
