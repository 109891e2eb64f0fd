/* SPDX-License-Identifier: MIT
 * The second matcher's paths (POLICY-LANGUAGE.md, section 2), and its two comparisons with `*`.
 * Written from the page alone, slow and plain on purpose: nothing of rules/ is used or followed. */
#pragma once

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ORACLE_SEGMENTS = 24, ORACLE_SEGMENT = 96, ORACLE_PATH = 256 };

struct oracle_path {
    bool bad; /* climbs out, an invalid escape, an encoded control character, a hidden dot */
    size_t n;
    char segment[ORACLE_SEGMENTS][ORACLE_SEGMENT];
};

/* `*` stands for any characters; nothing else is special. */
static inline bool oracle_glob(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return oracle_glob(pattern + 1, text) || (*text != '\0' && oracle_glob(pattern, text + 1));
    return *pattern == *text && oracle_glob(pattern + 1, text + 1);
}

static inline int oracle_hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, tolower((unsigned char)c));
    return at == NULL ? -1 : (int)(at - digits);
}

/* Escapes: unreserved characters decoded, the others with upper-case hex. False when invalid. */
static inline bool oracle_unescape(const char *raw, char *out)
{
    static const char upper[] = "0123456789ABCDEF";
    for (; *raw != '\0'; raw++) {
        if (*raw != '%') {
            *out++ = *raw;
            continue;
        }
        int high = oracle_hex(raw[1]);
        int low = high < 0 ? -1 : oracle_hex(raw[2]);
        if (high < 0 || low < 0)
            return false;
        int c = high * 16 + low;
        raw += 2;
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL)) {
            *out++ = (char)c;
        } else {
            *out++ = '%';
            *out++ = upper[high];
            *out++ = upper[low];
        }
    }
    *out = '\0';
    return true;
}

static inline bool oracle_is_dots(const char *s)
{
    return strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

/* Whether `.` or `..` is a component of a segment once its %2F, %5C and \ count as slashes. */
static inline bool oracle_hides_dots(const char *segment)
{
    char part[ORACLE_SEGMENT];
    size_t n = 0;
    bool split = false;
    for (const char *s = segment;; s++) {
        size_t width = 0;
        if (*s == '\\')
            width = 1;
        else if (strncmp(s, "%2F", 3) == 0 || strncmp(s, "%5C", 3) == 0)
            width = 3;
        if (width == 0 && *s != '\0') {
            part[n++] = *s;
            continue;
        }
        part[n] = '\0';
        n = 0;
        split = split || width > 0;
        if (split && oracle_is_dots(part))
            return true;
        if (*s == '\0')
            return false;
        s += width - 1;
    }
}

/* One segment more: a dot segment is removed with what it takes away. False when it climbs out, and
 * where it would take away nothing but a doubled slash: the page does not say which of the two is
 * done first, and what has two readings is not allowed. */
static inline bool oracle_path_push(struct oracle_path *path, const char *segment)
{
    if (strcmp(segment, ".") == 0)
        return true;
    if (strcmp(segment, "..") == 0)
        return path->n > 0 && path->segment[--path->n][0] != '\0';
    assert(path->n < ORACLE_SEGMENTS);
    strcpy(path->segment[path->n++], segment);
    return true;
}

/* Empty segments are what doubled and trailing slashes leave. */
static inline void oracle_path_drop_empty(struct oracle_path *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < path->n; i++)
        if (path->segment[i][0] != '\0')
            memmove(path->segment[kept++], path->segment[i], ORACLE_SEGMENT);
    path->n = kept;
}

static inline void oracle_path_read(const char *raw, struct oracle_path *path)
{
    char text[ORACLE_PATH * 3];
    path->n = 0;
    assert(strlen(raw) < ORACLE_PATH && raw[0] == '/');
    path->bad = !oracle_unescape(raw, text);
    if (path->bad)
        return;
    for (char *s = text; s != NULL && !path->bad;) {
        char *segment = s + 1, *end = strchr(segment, '/');
        char copy[ORACLE_SEGMENT] = "";
        size_t len = end == NULL ? strlen(segment) : (size_t)(end - segment);
        assert(len < sizeof(copy));
        memcpy(copy, segment, len);
        path->bad = oracle_hides_dots(copy) || !oracle_path_push(path, copy);
        s = end;
    }
    oracle_path_drop_empty(path);
}

/* A last segment that is `*` alone matches the rest, also nothing. */
static inline bool oracle_path_fits(const struct oracle_path *pattern,
                                    const struct oracle_path *path)
{
    bool rest = pattern->n > 0 && strcmp(pattern->segment[pattern->n - 1], "*") == 0;
    size_t fixed = rest ? pattern->n - 1 : pattern->n;
    if (rest ? path->n < fixed : path->n != fixed)
        return false;
    for (size_t i = 0; i < fixed; i++)
        if (!oracle_glob(pattern->segment[i], path->segment[i]))
            return false;
    return true;
}

/* `*.REST`: one or more labels in front of REST; else `*` stands within the first label only. */
static inline bool oracle_name_fits(const char *pattern, const char *name)
{
    if (strncmp(pattern, "*.", 2) == 0) {
        for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
            if (oracle_name_fits(pattern + 2, dot + 1))
                return true;
        return false;
    }
    char mine[64] = "", its[64] = "";
    size_t a = strcspn(pattern, "."), b = strcspn(name, ".");
    assert(a < sizeof(mine) && b < sizeof(its));
    memcpy(mine, pattern, a);
    memcpy(its, name, b);
    return oracle_glob(mine, its) && strcmp(pattern + a, name + b) == 0;
}
