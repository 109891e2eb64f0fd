/* SPDX-License-Identifier: MIT
 * The one kind of wildcard that the language has. fnmatch is not used: it knows `?`, `[` and `\`,
 * and can be made to take exponential time. The leftmost place of each piece is as good as any
 * other, so pieces are looked for one behind the other, and the C library's memmem is linear. */
#include "rules/glob.h"

#include <string.h>

bool glob_matches(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
{
    const char *star = pattern_len > 0 ? memchr(pattern, '*', pattern_len) : NULL;
    if (!star)
        return pattern_len == text_len && memcmp(pattern, text, text_len) == 0;
    const char *last = memrchr(star, '*', pattern_len - (size_t)(star - pattern));
    size_t head = (size_t)(star - pattern), tail = pattern_len - (size_t)(last - pattern) - 1;
    if (text_len < head + tail || memcmp(pattern, text, head) != 0 ||
        memcmp(last + 1, text + text_len - tail, tail) != 0)
        return false;
    const char *end = text + text_len - tail;
    text += head;
    for (const char *piece = star + 1; piece <= last;) {
        const char *stop = memchr(piece, '*', (size_t)(last - piece) + 1);
        size_t len = (size_t)(stop - piece);
        const char *found = len > 0 ? memmem(text, (size_t)(end - text), piece, len) : text;
        if (!found)
            return false;
        text = found + len;
        piece = stop + 1;
    }
    return true;
}
