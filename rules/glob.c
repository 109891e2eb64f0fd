/* SPDX-License-Identifier: MIT
 * The one kind of wildcard that the language has. fnmatch is not used: it knows `?`, `[` and `\`,
 * and can be made to take exponential time. */
#include "rules/glob.h"

bool glob_matches(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
{
    size_t p = 0, t = 0;
    size_t star = pattern_len, mark = 0; /* the last `*`, and what it has not taken yet */
    while (t < text_len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern_len && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star < pattern_len) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}
