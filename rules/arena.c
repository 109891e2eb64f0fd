/* SPDX-License-Identifier: MIT
 * Memory that lives exactly as long as a policy does. */
#include "rules/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 32 * 1024, BLOCK_SIZE_MAX = 256 * 1024 }; /* each twice the one before */

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

void arena_release(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
    size_t room = a->blocks ? MIN(a->blocks->size * 2, (size_t)BLOCK_SIZE_MAX) : BLOCK_SIZE;
    room = MAX(room, size);
    struct arena_block *b = calloc(1, sizeof(*b) + room);
    if (!b)
        return NULL;
    b->size = room;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

static void *take(struct arena *a, size_t size, size_t align)
{
    struct arena_block *b = a->blocks;
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t at = b ? (b->used + align - 1) / align * align : 0;
    if (!b || at > b->size || size > b->size - at) {
        b = add_block(a, size);
        if (!b)
            return NULL;
        at = 0;
    }
    b->used = at + size;
    return b->data + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return take(a, size, alignof(max_align_t));
}

char *arena_text(struct arena *a, size_t size)
{
    return take(a, size, 1);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

char *arena_copy(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_text(a, len + 1);
    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}
