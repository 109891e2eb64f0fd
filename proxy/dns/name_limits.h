/* SPDX-License-Identifier: MIT
 * How much may be told by the names that are asked for below a wildcard (THREATS.md, D06): whoever
 * owns `*.x.org`, or a name below it, reads what stands before `x.org`. Two budgets in bits
 * (name_bits.h) for each wildcard, of the process and of everything that runs, so that a process
 * for each question wins nothing. Pure: time comes from outside; of bounded size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attribution/process.h"
#include "base/attrib.h"

/* The longest that may stand before the fixed part. The longest of clouds have about 120 (a bucket
 * of 63 behind a VPC endpoint); tunnels fill all 253 that a name may have. */
#define NAME_FRONT_MAX 128
/* Bits at once, and of those that come back, a second. A host below a wildcard costs about 100:
 * some 300 new ones of a process and 1,200 of a run, where package managers use up to five, and
 * builds a few dozen. */
#define NAME_PROCESS_BITS      32768
#define NAME_PROCESS_BITS_BACK 8
#define NAME_ZONE_BITS         131072
#define NAME_ZONE_BITS_BACK    32
/* Of a name that was asked for before: only that it is this one. */
#define NAME_KNOWN_BITS 12
/* What a question for something else than an address adds. */
#define NAME_TYPE_BITS 16

struct name_limits;

/* Their bytes in memory that the keeper owns, all zero when new: a run has one budget, whatever
 * number of loops there is, and none anew with a new proxy. One writer at a time; whatever the
 * memory holds, it is kept within. */
size_t name_limits_size(void);
/* Lays them over memory; NULL when size is too small. */
struct name_limits *name_limits_attach(void *memory, size_t size) NODISCARD NONNULL(1);

/* A question that would leave. */
struct name_question {
    const char *name;           /* normal form */
    const char *zone;           /* the fixed part of the wildcard that allows it: the end of name */
    struct process_key process; /* zeros: not known, and all of those are one */
    bool known;                 /* it left before, for the same type */
    bool other_type;            /* not A */
};

/* Whether it may leave at now (seconds of a clock that does not jump): then both budgets have paid
 * for it. Else nothing was paid. */
bool name_limits_take(struct name_limits *l, const struct name_question *q, uint64_t now) NODISCARD
    NONNULL(1, 2);
