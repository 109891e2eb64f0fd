/* SPDX-License-Identifier: MIT
 * Draining to a mark: libbpf alone would go on for as long as more comes, and whoever makes events
 * as fast as they are read could keep the keeper from everything else. */
#include "attribution/hooks_ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    EVENT_HEAD = 8,     /* of each event in a ring, and what its size is rounded up to */
    COMMIT_TRIES = 100, /* an event is written while those behind it are there already */
};

static int take_event(void *context, void *data, size_t len)
{
    struct hooks_ring *r = context;
    const size_t size = (EVENT_HEAD + len + EVENT_HEAD - 1) / EVENT_HEAD * EVENT_HEAD;
    r->event(r->context, data, len);
    r->left -= MIN(r->left, size);
    return r->left ? 0 : -ECANCELED; /* the event itself has been taken */
}

static void *map_page(int fd, int protection, off_t at)
{
    void *page = mmap(NULL, (size_t)getpagesize(), protection, MAP_SHARED, fd, at);
    return page == MAP_FAILED ? NULL : page;
}

int hooks_ring_open(struct hooks_ring *r, int map_fd)
{
    r->buffer = ring_buffer__new(map_fd, take_event, r, NULL);
    if (!r->buffer)
        return -errno;
    r->consumer = map_page(map_fd, PROT_READ, 0);
    r->producer = map_page(map_fd, PROT_READ, getpagesize());
    return r->consumer && r->producer ? 0 : -errno;
}

void hooks_ring_close(struct hooks_ring *r)
{
    if (r->consumer)
        munmap(r->consumer, (size_t)getpagesize());
    if (r->producer)
        munmap(r->producer, (size_t)getpagesize());
    ring_buffer__free(r->buffer);
}

size_t hooks_ring_filled(const struct hooks_ring *r)
{
    return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) -
           __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
}

int hooks_ring_drain(struct hooks_ring *r, size_t bytes)
{
    const unsigned long from = *r->consumer;
    r->left = bytes;
    for (int i = 0; r->left && i < COMMIT_TRIES; i++) {
        const int n = ring_buffer__consume(r->buffer);
        if (n < 0 && n != -ECANCELED)
            return n;
    }
    return *r->consumer != from;
}
