/* SPDX-License-Identifier: MIT
 * How the parser speaks: it knows where it is, so that those who find a mistake give an offset in
 * the line and a sentence, and nothing else. */
#pragma once

#include "base/attrib.h"
#include "rules/arena.h"
#include "rules/policy.h"

/* A piece of a line that knows where it stood. */
struct span {
    const char *text;
    size_t len;
    size_t at; /* offset in the line */
};

enum { REPORTER_ERRORS_MAX = 20 };

struct reporter {
    const struct policy_options *options;
    const char *file;
    size_t line;
    const char *raw;         /* the line as it was typed */
    const uint32_t *columns; /* offset → offset as typed, where placeholders moved it; or NULL */
    size_t n_columns;
    bool soft;     /* --lenient: errors of this line are warnings, and it is skipped */
    bool bad;      /* this line has an error, soft or not */
    bool failed;   /* the policy is refused */
    size_t errors; /* of all lines; no more than REPORTER_ERRORS_MAX are told */
};

void reporter_error(struct reporter *r, size_t at, const char *format, ...) PRINTF(3, 4)
    NONNULL(1, 3);
void reporter_warn(struct reporter *r, size_t at, const char *format, ...) PRINTF(3, 4)
    NONNULL(1, 3);
/* For a place in a file that is not the line being read. */
void reporter_warn_at(struct reporter *r, const char *file, size_t line, size_t column,
                      const char *format, ...) PRINTF(5, 6) NONNULL(1, 2, 5);

static inline struct span span_cut(struct span s, size_t from, size_t len)
{
    return (struct span){s.text + from, len, s.at + from};
}

/* A copy of what was typed where s stands, placeholders not filled in; NULL without memory. */
char *reporter_typed(const struct reporter *r, struct arena *arena, struct span s) NODISCARD
    NONNULL(1, 2);

bool span_is(struct span s, const char *text) NONNULL(2);
/* The offset of c, or the length where there is none. */
size_t span_find(struct span s, char c);
/* How much of a span to quote in a message: its length, within reason, on a character boundary. */
int span_clip(struct span s);

/* For printf's "%.*s". */
#define SPAN(s) span_clip(s), (s).text
