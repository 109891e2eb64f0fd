/* SPDX-License-Identifier: MIT
 * Memory that lives exactly as long as a policy does. A policy is made of very many small pieces
 * that all die together, so they are cut from large blocks and never freed one by one. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

void arena_release(struct arena *a) NONNULL(1);
/* Zeroed, aligned for any type; NULL when memory ran out. */
void *arena_alloc(struct arena *a, size_t size) NODISCARD NONNULL(1);
void *arena_array(struct arena *a, size_t n, size_t size) NODISCARD NONNULL(1);
/* Zeroed too, but not aligned: most of a policy is short texts. */
char *arena_text(struct arena *a, size_t size) NODISCARD NONNULL(1);
/* A NUL-terminated copy. */
char *arena_copy(struct arena *a, const char *text, size_t len) NODISCARD NONNULL(1, 2);
