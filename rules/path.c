/* SPDX-License-Identifier: MIT
 * Paths of URLs. Servers disagree about odd paths, so those have no normal form at all: they match
 * no allow rule and every veto. */
#include "rules/path.h"

#include <errno.h>
#include <string.h>

#include "rules/glob.h"

struct writer {
    char *out;
    size_t len, size;
    bool full;
};

static void put(struct writer *w, char c)
{
    if (w->len + 1 < w->size)
        w->out[w->len++] = c;
    else
        w->full = true;
}

static void put_escape(struct writer *w, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    put(w, '%');
    put(w, hex[c >> 4]);
    put(w, hex[c & 15]);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum { UNRESERVED = 1, IN_SEGMENT = 2 }; /* IN_SEGMENT: may stand there by itself, RFC 3986 */

#define PLAIN (UNRESERVED | IN_SEGMENT)
static const unsigned char characters[256] = {
    ['a' ... 'z'] = PLAIN, ['A' ... 'Z'] = PLAIN, ['0' ... '9'] = PLAIN, ['-'] = PLAIN,
    ['.'] = PLAIN,         ['_'] = PLAIN,         ['~'] = PLAIN,         ['!'] = IN_SEGMENT,
    ['$'] = IN_SEGMENT,    ['&'] = IN_SEGMENT,    ['\''] = IN_SEGMENT,   ['('] = IN_SEGMENT,
    [')'] = IN_SEGMENT,    ['*'] = IN_SEGMENT,    ['+'] = IN_SEGMENT,    [','] = IN_SEGMENT,
    [';'] = IN_SEGMENT,    ['='] = IN_SEGMENT,    [':'] = IN_SEGMENT,    ['@'] = IN_SEGMENT,
};

static bool is_unreserved(unsigned char c)
{
    return characters[c] & UNRESERVED;
}

static bool is_segment_char(unsigned char c)
{
    return characters[c] & IN_SEGMENT;
}

/* One character or escape of a segment; returns how many bytes it took, or a negative errno. */
static int put_char(struct writer *w, const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];
    if (c == '%') {
        int high = len > 2 ? hex_digit(text[1]) : -1;
        int low = len > 2 ? hex_digit(text[2]) : -1;
        if (high < 0 || low < 0)
            return -EINVAL;
        c = (unsigned char)(high << 4 | low);
        if (c < 0x20 || c == 0x7f)
            return -EINVAL;
        if (is_unreserved(c))
            put(w, (char)c);
        else
            put_escape(w, c);
        return 3;
    }
    if (c < 0x20 || c == 0x7f || c == '#')
        return -EINVAL;
    if (is_segment_char(c))
        put(w, (char)c);
    else
        put_escape(w, c);
    return 1;
}

static bool is_dots(const char *text, size_t len)
{
    return (len == 1 && text[0] == '.') || (len == 2 && text[0] == '.' && text[1] == '.');
}

/* Whether decoding %2F or %5C would bring a dot segment to light. */
static bool hides_dots(const char *segment, size_t len)
{
    size_t start = 0;
    bool split = false;
    for (size_t i = 0; i + 2 < len; i++) {
        if (memcmp(segment + i, "%2F", 3) != 0 && memcmp(segment + i, "%5C", 3) != 0)
            continue;
        if (is_dots(segment + start, i - start))
            return true;
        split = true;
        start = i + 3;
        i += 2;
    }
    return split && is_dots(segment + start, len - start);
}

/* Settles the segment that begins at start, its slash included. doubled: where the last doubled
 * slash was made one. */
static int settle(struct writer *w, size_t start, bool last, size_t *doubled)
{
    const char *segment = w->out + start + 1;
    size_t len = w->len - start - 1;
    if (len == 0) {
        *doubled = last ? *doubled : start;
        w->len = start;
    } else if (len == 1 && segment[0] == '.') {
        w->len = start;
    } else if (is_dots(segment, len)) {
        /* Right behind a doubled slash servers differ in which segment `..` takes away. */
        if (start == 0 || start == *doubled)
            return -EINVAL;
        w->len = (size_t)((char *)memrchr(w->out, '/', start) - w->out);
    } else if (hides_dots(segment, len)) {
        return -EINVAL;
    }
    return 0;
}

int rule_path_normalize(const char *path, size_t len, char *out, size_t size, size_t *out_len)
{
    struct writer w = {out, 0, size, false};
    size_t doubled = SIZE_MAX;
    const char *query = len > 0 ? memchr(path, '?', len) : NULL;
    if (query)
        len = (size_t)(query - path);
    if (len == 0 || path[0] != '/')
        return -EINVAL;
    for (size_t i = 0; i < len;) {
        size_t start = w.len;
        put(&w, '/');
        for (i++; i < len && path[i] != '/';) {
            if (is_segment_char((unsigned char)path[i])) { /* nearly all */
                put(&w, path[i++]);
                continue;
            }
            int taken = put_char(&w, path + i, len - i);
            if (taken < 0)
                return taken;
            i += (size_t)taken;
        }
        if (w.full)
            return -ENAMETOOLONG;
        int bad = settle(&w, start, i >= len, &doubled);
        if (bad < 0)
            return bad;
    }
    if (w.len == 0)
        put(&w, '/');
    if (w.full || w.len >= size)
        return -ENAMETOOLONG;
    out[w.len] = '\0';
    *out_len = w.len;
    return 0;
}

static bool pattern_check(struct reporter *r, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.text[i];
        const char *why = NULL;
        if (c == '?')
            why = "a query takes no part in matching; leave it away from the `?` on";
        else if (c == '#')
            why = "a fragment never leaves the client; leave it away from the `#` on";
        else if (c == '*' && i + 1 < s.len && s.text[i + 1] == '*')
            why = "** is no wildcard; write /*, which as the last segment matches the rest";
        else if (c == '%' &&
                 (i + 2 >= s.len || hex_digit(s.text[i + 1]) < 0 || hex_digit(s.text[i + 2]) < 0))
            why = "a % begins an escape; write two hexadecimal digits behind it, or %25";
        else if (c != '/' && c != '%' && !is_segment_char((unsigned char)c))
            why = "this character may not stand in a path; write it percent-encoded";
        if (why) {
            reporter_error(r, s.at + i, "%s", why);
            return false;
        }
    }
    return true;
}

const char *path_pattern_parse(struct reporter *r, struct arena *arena, const char *base,
                               struct span s)
{
    if (!pattern_check(r, s))
        return NULL;
    size_t prefix = base && strcmp(base, "/") != 0 ? strlen(base) : 0;
    size_t size = prefix + s.len + 2;
    char *out = arena_text(arena, size);
    size_t len;
    if (!out)
        return NULL;
    if (prefix > 0)
        memcpy(out, base, prefix);
    int result = rule_path_normalize(s.text, s.len, out + prefix, size - prefix, &len);
    if (result < 0) {
        reporter_error(r, s.at,
                       "the path climbs out of its root, hides a dot segment, or escapes a control "
                       "character; write it in its plain form");
        return NULL;
    }
    if (prefix + len >= RULE_PATH_MAX) {
        reporter_error(r, s.at, "the path is longer than %d bytes; write a shorter one",
                       RULE_PATH_MAX - 1);
        return NULL;
    }
    if (prefix > 0 && len == 1)
        out[prefix] = '\0'; /* `/` below a base is the base itself */
    return out;
}

struct segment {
    const char *text;
    size_t len;
};

/* The next segment of a normal form; false at its end. */
static bool segment_next(const char **text, const char *end, struct segment *s)
{
    if (end - *text < 2)
        return false;
    s->text = *text + 1;
    const char *slash = memchr(s->text, '/', (size_t)(end - s->text));
    *text = slash ? slash : end;
    s->len = (size_t)(*text - s->text);
    return true;
}

bool path_pattern_matches(const char *pattern, const char *path, size_t len)
{
    const char *pattern_end = pattern + strlen(pattern), *path_end = path + len;
    struct segment want, have;
    while (segment_next(&pattern, pattern_end, &want)) {
        bool any = want.len == 1 && want.text[0] == '*';
        if (any && pattern == pattern_end)
            return true;
        if (!segment_next(&path, path_end, &have))
            return false;
        if (!any && !glob_matches(want.text, want.len, have.text, have.len))
            return false;
    }
    return !segment_next(&path, path_end, &have);
}
