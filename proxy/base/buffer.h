/* SPDX-License-Identifier: MIT
 * Bytes that grow. Allocation failure is remembered instead of returned: append as you like and
 * ask once, at the end, with buffer_failed(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct buffer {
    char *data; /* owned; NUL-terminated whenever it is not NULL (the NUL is not counted) */
    size_t len;
    size_t size;
    bool failed;
};

void buffer_init(struct buffer *b) NONNULL(1);
/* Frees what the buffer owns; accepts a half-built or released one. */
void buffer_release(struct buffer *b) NONNULL(1);
/* Empties it for new use, keeps the memory, forgets an earlier failure. */
void buffer_clear(struct buffer *b) NONNULL(1);
bool buffer_failed(const struct buffer *b) NONNULL(1);

void buffer_add(struct buffer *b, const void *data, size_t len) NONNULL(1);
void buffer_add_char(struct buffer *b, char c) NONNULL(1);
void buffer_add_string(struct buffer *b, const char *s) NONNULL(1, 2);
void buffer_add_number(struct buffer *b, uint64_t value) NONNULL(1); /* in decimal */
void buffer_printf(struct buffer *b, const char *format, ...) PRINTF(2, 3) NONNULL(1, 2);

#define CLEANUP_BUFFER CLEANUP(buffer_release)
