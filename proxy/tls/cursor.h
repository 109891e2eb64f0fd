/* SPDX-License-Identifier: MIT
 * Reading forward through bytes of a stranger: what does not fit is not taken. The vectors are
 * those of RFC 8446 section 3.4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *at;
    size_t left;
};

static inline bool take(struct cursor *c, size_t n, struct cursor *out)
{
    if (n > c->left)
        return false;
    *out = (struct cursor){c->at, n};
    c->at += n;
    c->left -= n;
    return true;
}

/* A big-endian number of at most three bytes. */
static inline bool take_number(struct cursor *c, size_t bytes, size_t *out)
{
    struct cursor number;
    if (!take(c, bytes, &number))
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | number.at[i];
    return true;
}

/* A vector behind a length of so many bytes. */
static inline bool take_vector(struct cursor *c, size_t bytes, struct cursor *out)
{
    size_t len;
    return take_number(c, bytes, &len) && take(c, len, out);
}

/* A vector that is not empty and all there is. */
static inline bool take_only_vector(struct cursor *c, size_t bytes, struct cursor *out)
{
    return take_vector(c, bytes, out) && out->left > 0 && c->left == 0;
}
