/* SPDX-License-Identifier: MIT
 * libyaml says where a scalar begins and ends, and what it means, but not which byte of the file
 * became which byte of the text. Here both are walked side by side. */
#include "review/workflow_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const char *file;
    size_t at, end;
    const char *text;
    size_t done, len;
    uint32_t *places;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* The next n bytes of the text stood here. */
static void place(struct walk *w, size_t n, size_t at)
{
    for (; n > 0 && w->done < w->len; n--)
        w->places[w->done++] = (uint32_t)at;
}

static size_t line_length(const struct walk *w)
{
    size_t n = 0;
    while (w->at + n < w->end && !is_break(w->file[w->at + n]))
        n++;
    return n;
}

static void skip_break(struct walk *w)
{
    if (w->at < w->end && w->file[w->at] == '\r')
        w->at++;
    if (w->at < w->end && w->file[w->at] == '\n')
        w->at++;
}

/* Anchors and tags in front of the scalar, with the comments and lines that may follow them. */
static void skip_properties(struct walk *w)
{
    while (w->at < w->end) {
        char c = w->file[w->at];
        if (c == '&' || c == '!')
            while (w->at < w->end && !is_blank(w->file[w->at]) && !is_break(w->file[w->at]))
                w->at++;
        else if (c == '#')
            w->at += line_length(w);
        else if (is_blank(c) || is_break(c))
            w->at++;
        else
            return;
    }
}

/* Whether the text goes on with these bytes here, after line breaks and what they were folded to.
 */
static bool find_line(struct walk *w, const char *line, size_t n)
{
    size_t at = w->done;
    for (;; at++) {
        if (w->len - at >= n && memcmp(w->text + at, line, n) == 0)
            break;
        if (at >= w->len || (w->text[at] != '\n' && w->text[at] != ' '))
            return false;
    }
    place(w, at - w->done, w->at);
    return true;
}

/* A block keeps its lines, less an indentation; folded ones lose some of the breaks between. The
 * first line that is not blank tells how much of it is indentation. */
static void walk_block(struct walk *w)
{
    size_t indent = 0;
    bool known = false;
    w->at += line_length(w); /* the indicator's line */
    skip_break(w);
    while (w->at < w->end && w->done < w->len) {
        size_t n = line_length(w), blanks = 0;
        while (blanks < n && w->file[w->at + blanks] == ' ')
            blanks++;
        if (!known && blanks < n) {
            size_t inner = 0, from = w->done;
            while (from < w->len && w->text[from] == '\n')
                from++;
            while (from + inner < w->len && w->text[from + inner] == ' ')
                inner++;
            indent = blanks - MIN(inner, blanks);
            known = true;
        }
        size_t cut = MIN(MIN(indent, blanks), n);
        w->at += cut;
        if (n > cut && find_line(w, w->file + w->at, n - cut)) {
            for (size_t i = 0; i < n - cut; i++)
                place(w, 1, w->at + i);
        }
        w->at += n - cut;
        /* The break itself, where it is one in the text: it belongs to the line that it ends. */
        if (w->done < w->len && w->text[w->done] == '\n')
            place(w, 1, w->at);
        skip_break(w);
    }
}

/* Blanks and breaks within a flow scalar: one space, or as many breaks as there were but one. */
static void walk_fold(struct walk *w)
{
    size_t from = w->at;
    bool breaks = false;
    while (w->at < w->end && (is_blank(w->file[w->at]) || is_break(w->file[w->at]))) {
        breaks = breaks || is_break(w->file[w->at]);
        w->at++;
    }
    if (!breaks) {
        for (size_t i = from; i < w->at; i++)
            place(w, 1, i);
    } else if (w->done < w->len && w->text[w->done] == '\n') {
        while (w->done < w->len && w->text[w->done] == '\n')
            place(w, 1, from);
    } else {
        place(w, 1, from);
    }
}

static size_t escape_length(char c)
{
    return c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
}

static size_t character_length(const struct walk *w)
{
    size_t n = 1;
    while (w->done + n < w->len && ((unsigned char)w->text[w->done + n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* Behind a backslash: one character of the text, or a break that is none. */
static void walk_escape(struct walk *w)
{
    size_t from = w->at;
    char next = w->at + 1 < w->end ? w->file[w->at + 1] : '\0';
    if (is_break(next)) {
        w->at++;
        skip_break(w);
        while (w->at < w->end && is_blank(w->file[w->at]))
            w->at++;
        return;
    }
    w->at = MIN(w->end, w->at + escape_length(next));
    place(w, character_length(w), from);
}

static void walk_flow(struct walk *w, enum scalar_style style)
{
    if (style != SCALAR_PLAIN)
        w->at++; /* the quote */
    while (w->at < w->end && w->done < w->len) {
        char c = w->file[w->at];
        if (is_blank(c) || is_break(c)) {
            walk_fold(w);
        } else if (style == SCALAR_DOUBLE && c == '\\') {
            walk_escape(w);
        } else {
            place(w, 1, w->at);
            w->at += style == SCALAR_SINGLE && c == '\'' ? 2 : 1;
        }
    }
}

int scalar_map_init(struct scalar_map *m, const char *file, size_t start, size_t end,
                    enum scalar_style style, const char *text, size_t len)
{
    struct walk w = {.file = file, .at = start, .end = end, .text = text, .len = len};
    *m = (struct scalar_map){calloc(len + 1, sizeof(*m->at)), len};
    if (!m->at)
        return -ENOMEM;
    w.places = m->at;
    skip_properties(&w);
    if (style == SCALAR_BLOCK)
        walk_block(&w);
    else
        walk_flow(&w, style);
    size_t last = w.done > 0 ? m->at[w.done - 1] : MIN(start, end);
    place(&w, len - w.done, last);
    /* The end of the text is behind its last byte, unless that ended a line. */
    last = len > 0 ? m->at[len - 1] : last;
    m->at[len] =
        (uint32_t)(len > 0 && text[len - 1] != '\n' ? MIN(last + 1, MAX(last, end)) : last);
    return 0;
}

void scalar_map_release(struct scalar_map *m)
{
    free(m->at);
    *m = (struct scalar_map){0};
}
