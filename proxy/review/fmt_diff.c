/* SPDX-License-Identifier: MIT
 * The formatter knows which line became which, so nothing has to be searched for: each line of the
 * input is kept, changed or dropped. */
#include "review/fmt_diff.h"

#include <string.h>

enum { CONTEXT_LINES = 3 };

static bool is_changed(const struct format_line *line, const struct buffer *formatted)
{
    return line->dropped || line->unended || line->in_len != line->out_len ||
           memcmp(line->in, formatted->data + line->out, line->in_len) != 0;
}

/* The last line of those that hang together with the change at i: gaps of up to two contexts are
 * filled. */
static size_t find_end(const struct format_map *map, const struct buffer *formatted, size_t i)
{
    size_t end = i + 1;
    for (size_t k = end; k < map->n && k < end + 2 * CONTEXT_LINES; k++)
        if (is_changed(&map->lines[k], formatted))
            end = k + 1;
    return end;
}

static void put_line(struct buffer *out, char sign, const char *text, size_t len)
{
    buffer_add_char(out, sign);
    buffer_add(out, text, len);
    buffer_add_char(out, '\n');
}

/* Runs of changed lines: first what goes, then what comes. */
static void put_run(struct buffer *out, const struct format_map *map,
                    const struct buffer *formatted, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        put_line(out, '-', map->lines[i].in, map->lines[i].in_len);
    if (to > from && map->lines[to - 1].unended)
        buffer_add_string(out, "\\ No newline at end of file\n");
    for (size_t i = from; i < to; i++)
        if (!map->lines[i].dropped)
            put_line(out, '+', formatted->data + map->lines[i].out, map->lines[i].out_len);
}

static void put_hunk(struct buffer *out, const struct format_map *map,
                     const struct buffer *formatted, size_t from, size_t to)
{
    for (size_t i = from; i < to;) {
        size_t n = i;
        while (n < to && is_changed(&map->lines[n], formatted))
            n++;
        put_run(out, map, formatted, i, n);
        for (i = n; i < to && !is_changed(&map->lines[i], formatted); i++)
            put_line(out, ' ', map->lines[i].in, map->lines[i].in_len);
    }
}

void fmt_diff(const char *name, const struct format_map *map, const struct buffer *formatted,
              struct buffer *out)
{
    size_t written = 0, done = 0; /* lines of the output, and of the input, before `done` */
    for (size_t i = 0; i < map->n; i++) {
        if (!is_changed(&map->lines[i], formatted))
            continue;
        size_t from = MAX(done, i > CONTEXT_LINES ? i - CONTEXT_LINES : 0);
        size_t to = MIN(find_end(map, formatted, i) + CONTEXT_LINES, map->n), kept = 0;
        for (; done < from; done++)
            written += !map->lines[done].dropped;
        for (size_t k = from; k < to; k++)
            kept += !map->lines[k].dropped;
        if (out->len == 0)
            buffer_printf(out, "--- %s\n+++ %s\n", name, name);
        buffer_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from + 1, to - from, written + (kept > 0),
                      kept);
        put_hunk(out, map, formatted, from, to);
        written += kept;
        done = to;
        i = to - 1;
    }
}
