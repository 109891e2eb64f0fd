/* SPDX-License-Identifier: MIT
 * Writes JSON of hostile bytes: whatever goes in, what comes out is one line of valid UTF-8 that
 * no control byte, quote or line separator can break. Commas come by themselves: a buffer that
 * does not end in an opening bracket or a colon gets one before the next key or element. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/buffer.h"

/* A comma where one is due: before an element of an array that has others before it. */
void json_put_comma(struct buffer *out) NONNULL(1);
/* `"name":`; the name is ours and plain. */
void json_put_key(struct buffer *out, const char *name) NONNULL(1, 2);
/* A quoted string. Bytes that are not UTF-8 become U+FFFD; returns false when there were any. */
bool json_put_string(struct buffer *out, const char *data, size_t len) NONNULL(1);
/* A quoted string: the bytes in base64. */
void json_put_base64(struct buffer *out, const char *data, size_t len) NONNULL(1);

/* Whole members. A text that is not UTF-8 is followed by NAME_raw in base64. */
void json_put_text(struct buffer *out, const char *name, const char *data, size_t len)
    NONNULL(1, 2);
/* The same of a text that ends with a NUL; null where there is none. */
void json_put_text_or_null(struct buffer *out, const char *name, const char *text) NONNULL(1, 2);
void json_put_word(struct buffer *out, const char *name, const char *word) NONNULL(1, 2, 3);
void json_put_bool(struct buffer *out, const char *name, bool value) NONNULL(1, 2);
/* Readers hold integers in 63 bits (jansson refuses more), so greater ones are written as that. */
void json_put_number(struct buffer *out, const char *name, uint64_t value) NONNULL(1, 2);

/* The length of the UTF-8 character at the start of data, and which; 0 where there is none. */
size_t utf8_length(const char *data, size_t len, uint32_t *code) NONNULL(3);
