/* SPDX-License-Identifier: MIT
 * Records of what the guard in the kernel refused: nothing is left to judge there. A loop of
 * refused calls is cheaper than its records, so their number is bounded by the second; beyond it
 * they are counted by process, and beyond that by kind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attribution/process.h"
#include "base/attrib.h"

struct keeper;

enum refusal_kind {
    REFUSED_IPV6,
    REFUSED_SOCKET,
    REFUSED_IPV6_SOCKET,
    REFUSED_PACKET_SOCKET,
    REFUSED_KINDS
};

#define REFUSALS_TOLD   256 /* records of their own in one second */
#define REFUSALS_COUNTS 64  /* processes that are counted then */

struct refusal_count {
    enum refusal_kind kind;
    uint32_t proto;
    struct process_id id;
    uint64_t count;
};

struct refusals {
    unsigned told;
    struct refusal_count counts[REFUSALS_COUNTS];
    size_t n_counts;
    uint64_t others[REFUSED_KINDS]; /* of nobody in particular */
    struct attribution_lost lost;   /* as it was when it was last told */
};

/* Takes one event of the ring. Returns false when it is none of a refusal. */
bool keeper_refused(struct keeper *k, const void *event, size_t len) NODISCARD NONNULL(1, 2);
/* A second is over: writes what was only counted, and what the rings had no room for. */
void keeper_flush_refusals(struct keeper *k) NONNULL(1);
