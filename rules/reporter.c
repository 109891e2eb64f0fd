/* SPDX-License-Identifier: MIT
 * How the parser speaks. Messages are made here, so that the limits on their length are too. */
#include "rules/reporter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 512, CLIP_MAX = 80 };

PRINTF(7, 0)
static void say(struct reporter *r, enum diagnostic_kind kind, const char *file, size_t line,
                size_t column, const char *suffix, const char *format, va_list args)
{
    char text[TEXT_MAX];
    if (!r->options->diagnose)
        return;
    int n = vsnprintf(text, sizeof(text), format, args);
    if (n < 0)
        return;
    size_t len = MIN((size_t)n, sizeof(text) - 1);
    snprintf(text + len, sizeof(text) - len, "%s", suffix);
    const struct diagnostic d = {kind, file, line, column, text};
    r->options->diagnose(r->options->diagnose_context, &d);
}

static size_t offset_of(const struct reporter *r, size_t at)
{
    if (r->columns && r->n_columns > 0)
        return r->columns[MIN(at, r->n_columns - 1)];
    return at;
}

char *reporter_typed(const struct reporter *r, struct arena *arena, struct span s)
{
    size_t start = offset_of(r, s.at), end = offset_of(r, s.at + s.len);
    return arena_copy(arena, r->raw + start, end - start);
}

void reporter_error(struct reporter *r, size_t at, const char *format, ...)
{
    va_list args;
    r->bad = true;
    if (!r->soft) {
        r->failed = true;
        r->errors++;
    }
    if (!r->soft && r->errors > REPORTER_ERRORS_MAX)
        return;
    va_start(args, format);
    say(r, r->soft ? DIAGNOSTIC_WARNING : DIAGNOSTIC_ERROR, r->file, r->line, offset_of(r, at) + 1,
        r->soft ? " (skipped)" : "", format, args);
    va_end(args);
}

void reporter_warn(struct reporter *r, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(r, DIAGNOSTIC_WARNING, r->file, r->line, offset_of(r, at) + 1, "", format, args);
    va_end(args);
}

void reporter_warn_at(struct reporter *r, const char *file, size_t line, size_t column,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(r, DIAGNOSTIC_WARNING, file, line, column, "", format, args);
    va_end(args);
}

bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

size_t span_find(struct span s, char c)
{
    const char *found = s.len > 0 ? memchr(s.text, c, s.len) : NULL;
    return found ? (size_t)(found - s.text) : s.len;
}

int span_clip(struct span s)
{
    if (s.len <= CLIP_MAX)
        return (int)s.len;
    size_t len = CLIP_MAX;
    while (len > 0 && ((unsigned char)s.text[len] & 0xc0) == 0x80)
        len--;
    return (int)len;
}
