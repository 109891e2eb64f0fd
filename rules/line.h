/* SPDX-License-Identifier: MIT
 * From bytes to words: lines, comments, placeholders, quotes. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"

enum { LINE_MAX_LEN = 64 * 1024 };

/* What of a file has not been read yet. */
struct line_reader {
    const char *data;
    size_t len;
    size_t number; /* of the line read last, from 1 */
};

/* Skips a byte order mark. */
void line_reader_init(struct line_reader *reader, const void *data, size_t len) NONNULL(1);
/* The next line, without its end; false when there is none. */
bool line_next(struct line_reader *reader, struct span *line) NODISCARD NONNULL(1, 2);
/* Length, NUL, UTF-8; says what is wrong. */
bool line_check(struct reporter *r, struct span line) NODISCARD NONNULL(1);
/* Takes blanks and the comment off; empty when nothing is left. */
struct span line_content(struct span line);
/* No control character but the tab. */
bool line_check_content(struct reporter *r, struct span content) NODISCARD NONNULL(1);
/* The first word. */
struct span line_word(struct span content);

/* Puts the values in place of {owner} and {repo}; from then on the reporter translates columns.
 * open is set where a placeholder has no value. False when a value is bad or memory ran out. */
bool line_expand(struct reporter *r, struct arena *arena, struct span *content,
                 bool *open) NODISCARD NONNULL(1, 2, 3, 4);

struct words {
    struct span *list; /* owned */
    size_t n, size;
};

void words_release(struct words *w) NONNULL(1);
/* Splits at blanks outside the quotes of selector values. False when memory ran out or a quote is
 * not closed, which it says. */
bool words_split(struct reporter *r, struct span content, struct words *out) NODISCARD
    NONNULL(1, 3);
