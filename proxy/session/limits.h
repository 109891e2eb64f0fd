/* SPDX-License-Identifier: MIT
 * What one loop of the proxy may hold for its clients, in all and for each process: descriptors,
 * pipes, and bytes that were read and may not go on yet. What is beyond waits in the kernel's
 * buffers where it can, and is refused with a record where it cannot. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "base/shares.h"

enum limit {
    LIMIT_FILES, /* descriptors: of connections, and of flows of UDP */
    LIMIT_PIPES, /* pipes with something in them */
    LIMIT_BYTES, /* said by clients and servers, and held in memory of ours */
    LIMIT_KINDS
};

struct limits {
    struct shares *of[LIMIT_KINDS];
    /* Connections that were accepted and are not served: who made them is being asked, or that they
     * are refused is being recorded. Beyond waiting_max the backlog holds what comes. */
    size_t waiting, waiting_max;
};

/* Who holds something of it. */
struct holder {
    struct limits *limits;
    struct shares_key key;
};

/* files: how many descriptors this process may have. Returns 0 or -ENOMEM; limits_release accepts
 * what is half made. */
int limits_init(struct limits *l, size_t files) NODISCARD NONNULL(1);
void limits_release(struct limits *l) NONNULL(1);

/* p NULL: not attributed; all of these share one share. */
struct holder holder_of(struct limits *l, const struct process *p) NODISCARD NONNULL(1);
/* Returns false, and takes nothing, when that is more than it may have. */
bool holder_take(const struct holder *h, enum limit what, size_t n) NODISCARD NONNULL(1);
/* The same for what finishes something that has begun (base/shares.h). */
bool holder_take_more(const struct holder *h, enum limit what, size_t n) NODISCARD NONNULL(1);
void holder_give(const struct holder *h, enum limit what, size_t n) NONNULL(1);
