/* SPDX-License-Identifier: MIT
 * Lines are taken apart into a head (up to the target), a tail (keywords and selectors) and a
 * comment, and put together in columns. Columns hold within a block: rules that nothing stands
 * between. */
#include "rules/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/line.h"
#include "rules/service.h"
#include "rules/target.h"

/* What is wider than these does not push its neighbours to the right. */
enum { HEAD_WIDTH_MAX = 48, LINE_WIDTH_MAX = 80 };

#define MARK "\xef\xbb\xbf" /* U+FEFF, which is skipped at the beginning of a file */

enum kind { KIND_BLANK, KIND_COMMENT, KIND_HEADER, KIND_RULE };

struct item {
    enum kind kind;
    const char *head, *tail; /* "" where there is none */
    struct span comment;     /* with its #; len 0 where there is none */
};

struct formatter {
    const struct policy_options options; /* nobody is told anything */
    struct reporter reporter;
    struct arena arena;
    struct words words;
    struct item *items;
    struct format_map *map;
    struct buffer *out;
};

static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Words from..to, a blank between them; NULL without memory. */
static char *join(struct formatter *f, size_t from, size_t to)
{
    size_t len = 1;
    for (size_t i = from; i < to; i++)
        len += f->words.list[i].len + 1;
    char *text = arena_alloc(&f->arena, len), *at = text;
    for (size_t i = from; text && i < to; i++) {
        if (i > from)
            *at++ = ' ';
        at = mempcpy(at, f->words.list[i].text, f->words.list[i].len);
    }
    return text;
}

static bool is_request_target(struct span s)
{
    return span_is_url(s) || (s.len > 0 && s.text[0] == '/');
}

/* How many words the head has; a method in front of the target counts, and is returned. */
static size_t head_words(const struct words *w, size_t *method)
{
    size_t n = 0;
    *method = w->n;
    if (w->n > 0 && span_is(w->list[0], "include"))
        return MIN(w->n, 2);
    if (w->n > 0 && span_is(w->list[0], "deny"))
        n++;
    if (n + 1 < w->n && methods_parse(w->list[n]) != 0 && is_request_target(w->list[n + 1]))
        *method = n++;
    return MIN(w->n, n + 1);
}

static void capitals(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] >= 'a' && text[i] <= 'z')
            text[i] = (char)(text[i] - 'a' + 'A');
}

/* What GitHub will put in place of an expression is not known, so such a line stays as it is. */
static bool has_expression(struct span s)
{
    return memmem(s.text, s.len, "${{", 3) != NULL;
}

static bool read_rule(struct formatter *f, struct span content, struct item *item)
{
    size_t method;
    if (has_expression(content) || !words_split(&f->reporter, content, &f->words)) {
        item->head = arena_copy(&f->arena, content.text, content.len);
        item->tail = "";
        return item->head != NULL;
    }
    size_t n = head_words(&f->words, &method);
    char *head = join(f, 0, n);
    if (head && method < f->words.n)
        capitals(head + (method > 0 ? f->words.list[0].len + 1 : 0), f->words.list[method].len);
    item->head = head;
    item->tail = join(f, n, f->words.n);
    return item->head && item->tail;
}

static bool read_header(struct formatter *f, struct span content, struct item *item)
{
    bool closed = content.len > 1 && content.text[content.len - 1] == ']';
    item->tail = "";
    if (!closed || has_expression(content) ||
        !words_split(&f->reporter, span_cut(content, 1, content.len - 2), &f->words)) {
        item->head = arena_copy(&f->arena, content.text, content.len);
        return item->head != NULL;
    }
    char *parts = join(f, 0, f->words.n), *at = parts;
    for (size_t i = 0; parts && i < f->words.n; at += f->words.list[i++].len + 1)
        if (methods_parse(f->words.list[i]) != 0)
            capitals(at, f->words.list[i].len);
    char *head = parts ? arena_alloc(&f->arena, strlen(parts) + 3) : NULL;
    if (head)
        stpcpy(stpcpy(stpcpy(head, "["), parts), "]");
    item->head = head;
    return head != NULL;
}

static bool read_line(struct formatter *f, struct span line, struct item *item)
{
    struct span content = line_content(line);
    size_t end = content.at + content.len, len = line.len;
    while (len > end && strchr(" \t\r", line.text[len - 1]))
        len--;
    while (end < len && (line.text[end] == ' ' || line.text[end] == '\t'))
        end++;
    *item = (struct item){.head = "", .tail = "", .comment = span_cut(line, end, len - end)};
    if (content.len > 0) {
        item->kind = content.text[0] == '[' ? KIND_HEADER : KIND_RULE;
        return item->kind == KIND_HEADER ? read_header(f, content, item)
                                         : read_rule(f, content, item);
    }
    item->kind = item->comment.len > 0 ? KIND_COMMENT : KIND_BLANK;
    return true;
}

static void pad(struct buffer *out, size_t from, size_t to)
{
    for (; from < to; from++)
        buffer_add_char(out, ' ');
}

struct columns {
    size_t tail, comment;
};

static void measure(const struct item *items, size_t n, struct columns *out)
{
    *out = (struct columns){0};
    for (size_t i = 0; i < n; i++)
        if (items[i].tail[0] && width(items[i].head) <= HEAD_WIDTH_MAX)
            out->tail = MAX(out->tail, width(items[i].head) + 1);
    for (size_t i = 0; i < n; i++) {
        size_t all = width(items[i].head);
        if (items[i].tail[0])
            all = MAX(all + 1, out->tail) + width(items[i].tail);
        if (items[i].comment.len > 0 && all <= LINE_WIDTH_MAX)
            out->comment = MAX(out->comment, all + 2);
    }
}

static void write_item(struct formatter *f, const struct item *item, const struct columns *c)
{
    struct buffer *out = f->out;
    size_t at = width(item->head);
    buffer_add_string(out, item->head);
    if (item->tail[0]) {
        size_t to = MAX(at + 1, c->tail);
        pad(out, at, to);
        buffer_add_string(out, item->tail);
        at = to + width(item->tail);
    }
    if (item->comment.len > 0) {
        if (item->kind != KIND_COMMENT)
            pad(out, at, MAX(at + 2, c->comment));
        buffer_add(out, item->comment.text, item->comment.len);
    }
}

/* How many rules stand from i on with nothing between them. */
static size_t block_length(const struct formatter *f, size_t i)
{
    size_t n = 0;
    while (i + n < f->map->n && f->items[i + n].kind == KIND_RULE)
        n++;
    return n;
}

/* Empty lines at both ends, and more than one in a row, are too many. */
static void write_all(struct formatter *f)
{
    static const struct columns none = {0};
    struct columns columns = none;
    bool owed = false, begun = false; /* an empty line, once something follows it */
    size_t block = 0;
    for (size_t i = 0; i < f->map->n; i++) {
        struct format_line *line = &f->map->lines[i];
        const struct item *item = &f->items[i];
        line->dropped = item->kind == KIND_BLANK;
        if (line->dropped) {
            owed = begun;
            continue;
        }
        if (owed) {
            /* The last of the empty lines in a row is the one that stays. */
            f->map->lines[i - 1].dropped = false;
            f->map->lines[i - 1].out = f->out->len;
            buffer_add_char(f->out, '\n');
        }
        bool begun_before = begun;
        owed = false;
        begun = true;
        if (item->kind == KIND_RULE && i >= block) {
            size_t n = block_length(f, i);
            measure(item, n, &columns);
            block = i + n;
        }
        /* Where a name begins with that character, it must not become the file's mark. */
        if (!begun_before && strncmp(item->head, MARK, strlen(MARK)) == 0)
            buffer_add_string(f->out, MARK);
        line->out = f->out->len;
        write_item(f, item, item->kind == KIND_RULE ? &columns : &none);
        line->out_len = f->out->len - line->out;
        buffer_add_char(f->out, '\n');
    }
}

static size_t count_lines(const void *data, size_t len)
{
    struct line_reader reader;
    struct span line;
    size_t n = 0;
    line_reader_init(&reader, data, len);
    while (line_next(&reader, &line))
        n++;
    return n;
}

static bool read_all(struct formatter *f, const void *data, size_t len)
{
    struct line_reader reader;
    struct span line;
    size_t i = 0;
    line_reader_init(&reader, data, len);
    while (line_next(&reader, &line)) {
        struct format_line *mapped = &f->map->lines[i];
        const char *in = i == 0 ? data : line.text; /* a byte order mark is part of the line */
        const char *end = line.text + line.len;
        size_t left = len - (size_t)(end - (const char *)data);
        bool cr = left > 0 && *end == '\r';
        *mapped = (struct format_line){
            .in = in, .in_len = (size_t)(end - in) + cr, .unended = left == cr};
        if (!read_line(f, line, &f->items[i++]))
            return false;
    }
    return true;
}

int policy_format(const void *data, size_t len, struct buffer *out, struct format_map *map)
{
    struct formatter f = {.map = map, .out = out};
    f.reporter.options = &f.options;
    map->n = count_lines(data, len);
    map->lines = calloc(map->n + 1, sizeof(*map->lines));
    f.items = calloc(map->n + 1, sizeof(*f.items));
    bool good = map->lines && f.items && read_all(&f, data, len);
    if (good) {
        buffer_add_string(out, "");
        write_all(&f);
    }
    arena_release(&f.arena);
    words_release(&f.words);
    free(f.items);
    return good && !buffer_failed(out) ? 0 : -ENOMEM;
}

void format_map_release(struct format_map *map)
{
    free(map->lines);
    *map = (struct format_map){0};
}
