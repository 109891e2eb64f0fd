/* SPDX-License-Identifier: MIT
 * The second matcher's lines: a comment taken away, and what is left split at its blanks. */
#pragma once

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { ORACLE_WORDS = 16, ORACLE_WORD = 192 };

struct oracle_words {
    size_t n;
    char word[ORACLE_WORDS][ORACLE_WORD];
};

static inline char oracle_quote(char open, char c)
{
    if (open != '\0')
        return c == open ? '\0' : open;
    return c == '"' || c == '`' ? c : '\0';
}

/* Takes a comment and the blanks around away. */
static inline void oracle_bare(const char *line, size_t len, char *out)
{
    char open = '\0';
    size_t n = 0, from = 0;
    for (; n < len; n++) {
        if (open == '\0' && line[n] == '#' && (n == 0 || isblank((unsigned char)line[n - 1])))
            break;
        open = oracle_quote(open, line[n]);
    }
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        n--;
    while (from < n && isspace((unsigned char)line[from]))
        from++;
    memcpy(out, line + from, n - from);
    out[n - from] = '\0';
}

static inline void oracle_split(const char *text, struct oracle_words *words)
{
    words->n = 0;
    while (*text != '\0') {
        char open = '\0', *word = words->word[words->n];
        size_t n = 0;
        for (; *text != '\0' && (open != '\0' || !isblank((unsigned char)*text)); text++) {
            open = oracle_quote(open, *text);
            word[n++] = *text;
        }
        word[n] = '\0';
        words->n += n > 0;
        assert(words->n < ORACLE_WORDS);
        while (isblank((unsigned char)*text))
            text++;
    }
}
