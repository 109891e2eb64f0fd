/* SPDX-License-Identifier: MIT
 * A ring of events from the kernel, drained by the amount that is in it. Internal to the hooks. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"

struct ring_buffer;

struct hooks_ring {
    struct ring_buffer *buffer;
    unsigned long *consumer, *producer; /* positions, as the kernel shows them; NULL: not mapped */
    size_t left;                        /* bytes of this call */
    void (*event)(void *context, const void *event, size_t len);
    void *context;
};

/* Maps the ring of that map; event and context are set by then. Negative errno on failure, after
 * which hooks_ring_close is still due. */
int hooks_ring_open(struct hooks_ring *r, int map_fd) NODISCARD NONNULL(1);
void hooks_ring_close(struct hooks_ring *r) NONNULL(1); /* accepts a zeroed one */
/* What is in the ring now, in bytes. */
size_t hooks_ring_filled(const struct hooks_ring *r) NONNULL(1);
/* Hands over so many bytes of events. Returns 1 where there was any, 0, or a negative errno. */
int hooks_ring_drain(struct hooks_ring *r, size_t bytes) NONNULL(1);
