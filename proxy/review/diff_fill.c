/* SPDX-License-Identifier: MIT
 * Fills wildcards, and finds out whether what they were filled with is any text or a special one.
 */
#include "review/diff_fill.h"

#include <string.h>

#include "rules/glob.h"

static const char *const own_fillers[] = {"x", "q7", "any-other", "z0z", "w8", "k-3", "j5j", NULL};

char *diff_fill_fresh(struct arena *arena, const struct diff_filling *f, bool *exact)
{
    const char *const *fillers = f->fillers ? f->fillers : own_fillers;
    char *fresh = f->make(arena, f->pattern, DIFF_FRESH), *text = NULL;
    for (size_t i = 0; fresh && fillers[i]; i++) {
        text = f->make(arena, f->pattern, fillers[i]);
        if (!text || f->alike(f->rules, text, fresh))
            return text;
    }
    *exact = *exact && !text;
    return text;
}

char *diff_fill(struct arena *arena, const char *pattern, const char *with)
{
    size_t len = strlen(pattern) + 1, each = strlen(with);
    for (const char *c = pattern; *c; c++)
        len += *c == '*' ? each : 0;
    char *text = arena_alloc(arena, len), *out = text;
    for (; text && *pattern; pattern++) {
        if (*pattern == '*')
            out = stpcpy(out, with);
        else
            *out++ = *pattern;
    }
    return text;
}

char *diff_fill_both(struct arena *arena, const char *a, const char *b, const char *with)
{
    const char *star_a = strchr(a, '*'), *star_b = strchr(b, '*');
    if (!star_a || !star_b)
        return NULL;
    bool a_first = star_a - a >= star_b - b;
    const char *end_a = star_a + 1, *end_b = star_b + 1;
    const char *front = a_first ? a : b, *back = strlen(end_a) >= strlen(end_b) ? end_a : end_b;
    size_t len = strcspn(front, "*");
    char *text = arena_alloc(arena, len + strlen(with) + strlen(back) + 1);
    if (!text)
        return NULL;
    memcpy(text, front, len);
    stpcpy(stpcpy(text + len, with), back);
    size_t n = strlen(text);
    return glob_matches(a, strlen(a), text, n) && glob_matches(b, strlen(b), text, n) ? text : NULL;
}
