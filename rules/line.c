/* SPDX-License-Identifier: MIT
 * From bytes to words. Nothing behind this file sees a NUL, a control character, a comment or a
 * byte that is not UTF-8. */
#include "rules/line.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX_LEN = 128 };

void line_reader_init(struct line_reader *reader, const void *data, size_t len)
{
    *reader = (struct line_reader){data, len, 0};
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        reader->data += 3;
        reader->len -= 3;
    }
}

bool line_next(struct line_reader *reader, struct span *line)
{
    if (reader->len == 0)
        return false;
    const char *end = memchr(reader->data, '\n', reader->len);
    size_t len = end ? (size_t)(end - reader->data) : reader->len;
    size_t taken = len + (end != NULL);
    *line = (struct span){reader->data, len, 0};
    if (len > 0 && line->text[len - 1] == '\r')
        line->len--;
    reader->data += taken;
    reader->len -= taken;
    reader->number++;
    return true;
}

/* The length of the character at the front; 0 where it is not UTF-8. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char mask, lead;
        unsigned min;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 1; n <= ARRAY_SIZE(forms); n++) {
        if ((s[0] & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        unsigned code = s[0] & (unsigned char)~forms[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if (i >= len || (s[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (s[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code < forms[n - 1].min || code > 0x10ffff || surrogate ? 0 : n;
    }
    return 0;
}

/* Whether all is printable ASCII, as nearly every line is: eight bytes at a time. */
static bool is_printable(struct span s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t odd = 0;
    for (; s.len >= 8; s.text += 8, s.len -= 8) {
        uint64_t eight;
        memcpy(&eight, s.text, sizeof(eight));
        /* Beyond ASCII, below a blank, or DEL. */
        odd |= (eight | (eight - ones * 0x20) | (eight + ones)) & tops;
    }
    for (size_t i = 0; i < s.len; i++)
        odd |= (unsigned char)s.text[i] < 0x20 || (unsigned char)s.text[i] > 0x7e;
    return odd == 0;
}

bool line_check(struct reporter *r, struct span line)
{
    if (line.len > LINE_MAX_LEN) {
        reporter_error(r, LINE_MAX_LEN, "the line is longer than 64 KiB; write shorter ones");
        return false;
    }
    if (is_printable(line))
        return true;
    for (size_t i = 0; i < line.len;) {
        size_t n = utf8_length((const unsigned char *)line.text + i, line.len - i);
        if (line.text[i] == '\0' || n == 0) {
            reporter_error(r, i,
                           n ? "the line holds a NUL; write a text file"
                             : "the line is not UTF-8 here; write the file in UTF-8");
            return false;
        }
        i += n;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Walks over one character. A quote opens only right behind a word's first `=`, where a selector's
 * value begins: elsewhere it is a character like others, and an error of its place. */
struct scan {
    char quote;
    bool equals; /* this word had its first `=` */
    size_t opened;
};

static void scan_step(struct scan *scan, struct span s, size_t i)
{
    char c = s.text[i];
    if (scan->quote) {
        if (c == scan->quote)
            scan->quote = '\0';
        return;
    }
    if (is_blank(c)) {
        scan->equals = false;
    } else if ((c == '"' || c == '`') && i > 0 && s.text[i - 1] == '=' && scan->equals &&
               scan->opened == i) {
        scan->quote = c;
    } else if (c == '=' && !scan->equals) {
        scan->equals = true;
        scan->opened = i + 1; /* a quote counts here and nowhere else in the word */
    }
}

struct span line_content(struct span line)
{
    struct scan scan = {0};
    size_t start = 0, end = line.len;
    while (start < end && is_blank(line.text[start]))
        start++;
    bool comment = span_find(line, '#') < line.len;
    for (size_t i = start; comment && i < line.len; i++) {
        if (line.text[i] == '#' && !scan.quote && (i == start || is_blank(line.text[i - 1]))) {
            end = i;
            break;
        }
        scan_step(&scan, line, i);
    }
    while (end > start && is_blank(line.text[end - 1]))
        end--;
    return span_cut(line, start, end - start);
}

bool line_check_content(struct reporter *r, struct span content)
{
    if (is_printable(content))
        return true;
    for (size_t i = 0; i < content.len; i++) {
        unsigned char c = (unsigned char)content.text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            reporter_error(r, content.at + i,
                           "the line holds a control character; write blanks or a tab");
            return false;
        }
    }
    return true;
}

struct span line_word(struct span content)
{
    size_t len = 0;
    while (len < content.len && !is_blank(content.text[len]))
        len++;
    return span_cut(content, 0, len);
}

static bool value_is_good(const char *value)
{
    size_t len = strlen(value);
    if (len == 0 || len > VALUE_MAX_LEN || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
        return false;
    return strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
           len;
}

/* Whether a placeholder stands at the front; value is NULL where it has none. */
static size_t placeholder_at(const struct reporter *r, const char *text, size_t len,
                             const char **value)
{
    const struct {
        const char *name, *value;
    } names[] = {{"{owner}", r->options->owner}, {"{repo}", r->options->repo}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i].name);
        if (len >= n && memcmp(text, names[i].name, n) == 0) {
            *value = names[i].value;
            return n;
        }
    }
    return 0;
}

/* One pass counts, the next one writes. */
static bool expand_pass(struct reporter *r, struct span s, char *out, uint32_t *columns,
                        size_t *len, bool *open)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        const char *value = NULL;
        size_t taken = placeholder_at(r, s.text + i, s.len - i, &value);
        const char *from = s.text + i;
        size_t from_len = 1;
        if (taken > 0) {
            *open = *open || !value;
            from = value ? value : "x";
            from_len = strlen(from);
            if (!value_is_good(from)) {
                reporter_error(r, s.at + i,
                               "the value of %.*s is no name of an owner or repository; give one "
                               "of letters, digits, '.', '_' and '-'",
                               (int)taken, s.text + i);
                return false;
            }
        }
        if (out) {
            memcpy(out + n, from, from_len);
            for (size_t k = 0; k < from_len; k++)
                columns[n + k] = (uint32_t)(s.at + i);
        }
        n += from_len;
        i += taken > 0 ? taken : 1;
    }
    *len = n;
    return true;
}

bool line_expand(struct reporter *r, struct arena *arena, struct span *content, bool *open)
{
    size_t len;
    if (span_find(*content, '{') == content->len ||
        (!memmem(content->text, content->len, "{owner}", 7) &&
         !memmem(content->text, content->len, "{repo}", 6)))
        return true;
    if (!expand_pass(r, *content, NULL, NULL, &len, open))
        return false;
    if (len > LINE_MAX_LEN) {
        reporter_error(r, content->at,
                       "the line is longer than 64 KiB with its placeholders filled in; write "
                       "shorter ones");
        return false;
    }
    char *out = arena_alloc(arena, len + 1);
    uint32_t *columns = arena_array(arena, len + 1, sizeof(*columns));
    if (!out || !columns || !expand_pass(r, *content, out, columns, &len, open))
        return false;
    columns[len] = (uint32_t)(content->at + content->len);
    r->columns = columns;
    r->n_columns = len + 1;
    *content = (struct span){out, len, 0};
    return true;
}

void words_release(struct words *w)
{
    free(w->list);
    *w = (struct words){0};
}

static bool words_add(struct words *w, struct span word)
{
    if (w->n == w->size) {
        size_t size = w->size ? w->size * 2 : 16;
        struct span *list = reallocarray(w->list, size, sizeof(*list));
        if (!list)
            return false;
        w->list = list;
        w->size = size;
    }
    w->list[w->n++] = word;
    return true;
}

/* Without a quote there is nothing to watch for but blanks. */
static bool split_at_blanks(struct span content, struct words *out)
{
    for (size_t i = 0; i < content.len;) {
        size_t start = i;
        while (i < content.len && !is_blank(content.text[i]))
            i++;
        if (i > start && !words_add(out, span_cut(content, start, i - start)))
            return false;
        i++;
    }
    return true;
}

bool words_split(struct reporter *r, struct span content, struct words *out)
{
    struct scan scan = {0};
    size_t start = 0;
    out->n = 0;
    if (span_find(content, '"') == content.len && span_find(content, '`') == content.len)
        return split_at_blanks(content, out);
    for (size_t i = 0; i <= content.len; i++) {
        bool end = i == content.len || (!scan.quote && is_blank(content.text[i]));
        if (end && i > start && !words_add(out, span_cut(content, start, i - start)))
            return false;
        if (end)
            start = i + 1;
        if (i < content.len)
            scan_step(&scan, content, i);
    }
    if (scan.quote) {
        reporter_error(r, content.at + scan.opened, "the quote is not closed; write %c at its end",
                       scan.quote);
        return false;
    }
    return true;
}
