/* SPDX-License-Identifier: MIT
 * What is one for all loops of a run, in memory that the keeper makes and does not look into: it
 * outlives the proxies, and budgets and numbers do not grow with them. A loop trusts none of its
 * bytes further than that another loop is what it is itself. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "attribution/once.h"
#include "base/attrib.h"
#include "base/shared_lock.h"
#include "dns/name_limits.h"
#include "dns/names.h"

struct shared {
    struct names *names;
    struct name_limits *name_limits;
    struct once *connections;
    _Atomic uint64_t *last_conn;
    struct shared_lock *lock; /* of who writes to names and name_limits */
};

/* Bytes of it; zeroed when new. */
size_t shared_size(void);
/* Finds the parts, and ends what the loop of that number (from 1) did when it died: to be called as
 * soon as there is a new one. Returns 0, -EINVAL when size is too small, or -EBUSY. */
int shared_attach(struct shared *s, void *memory, size_t size, uint32_t loop) NODISCARD
    NONNULL(1, 2);
