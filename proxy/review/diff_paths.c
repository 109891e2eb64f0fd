/* SPDX-License-Identifier: MIT
 * Paths from patterns: each pattern gives one that it matches, prefixes also what lies at and below
 * them, and two with wildcards one that both match, where that is simple. */
#include "review/diff_paths.h"

#include <string.h>

#include "review/diff_fill.h"
#include "rules/path.h"

#define ANY_OTHER "any other path"

enum { PATHS_MAX = 200 };

static const struct {
    const char *name;
    unsigned bit;
} methods[] = {
    {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},      {"POST", METHOD_POST},
    {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE},  {"PATCH", METHOD_PATCH},
    {"OPTIONS", METHOD_OPTIONS}, {"PROPFIND", METHOD_OTHER},
};

static bool is_asked(const struct rule *r, bool https, uint16_t port)
{
    return rule_is(r, SET_URL) && r->url.https == https && r->url.port == port;
}

/* Methods that stand in the same rules are one cell. */
static void make_methods(const struct diff_rules *rules, bool https, uint16_t port,
                         struct diff_requests *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        struct diff_method *same = NULL;
        for (size_t k = 0; k < out->n_methods && !same; k++) {
            unsigned one = methods[i].bit, other = out->methods[k].set & -out->methods[k].set;
            same = &out->methods[k];
            for (size_t j = 0; j < rules->n && same; j++)
                if (is_asked(rules->list[j], https, port) &&
                    !(rules->list[j]->methods & one) != !(rules->list[j]->methods & other))
                    same = NULL;
        }
        if (same)
            same->set |= methods[i].bit;
        else
            out->methods[out->n_methods++] = (struct diff_method){methods[i].name, methods[i].bit};
    }
}

/* Which of the patterns match a path, a mark for each. */
static uint8_t *marks_of(struct arena *arena, const struct diff_requests *out, const char *path)
{
    uint8_t *marks = arena_alloc(arena, out->n_patterns + 1);
    size_t len = strlen(path);
    for (size_t i = 0; marks && i < out->n_patterns; i++)
        marks[i] = path_pattern_matches(out->patterns[i], path, len);
    return marks;
}

/* Two paths that the same rules match are one cell. */
static bool is_known(struct diff_requests *out, const uint8_t *marks, const char *text)
{
    for (size_t i = 0; i < out->n_paths; i++) {
        if (memcmp(out->paths[i].marks, marks, out->n_patterns) != 0)
            continue;
        /* What a rule calls it says more than "any other path". */
        if (i == 0 && strcmp(out->paths[i].text, ANY_OTHER) == 0)
            out->paths[i].text = text;
        return true;
    }
    return false;
}

static bool add(struct arena *arena, struct diff_requests *out, const char *path, const char *text)
{
    char normal[4096];
    size_t len;
    if (!path || !text)
        return false;
    /* What a wildcard was filled with may have made it another path. */
    int result = rule_path_normalize(path, strlen(path), normal, sizeof(normal), &len);
    const uint8_t *marks = marks_of(arena, out, path);
    if (!marks)
        return false;
    if (result == 0 && is_known(out, marks, text))
        return true;
    if (result < 0 || out->n_paths == PATHS_MAX) {
        out->exact = false;
        return true;
    }
    out->paths[out->n_paths++] = (struct diff_path){path, text, marks};
    return true;
}

/* `*` is the whole last segment. */
static bool is_prefix(const char *pattern)
{
    size_t len = strlen(pattern);
    return len >= 2 && strcmp(pattern + len - 2, "/*") == 0;
}

/* No wildcard but that of a prefix. */
static bool is_simple(const char *pattern)
{
    const char *star = strchr(pattern, '*');
    return !star || (is_prefix(pattern) && star[1] == '\0');
}

static bool paths_alike(const void *rules, const char *a, const char *b)
{
    const struct diff_requests *out = rules;
    size_t len_a = strlen(a), len_b = strlen(b);
    for (size_t i = 0; i < out->n_patterns; i++)
        if (path_pattern_matches(out->patterns[i], a, len_a) !=
            path_pattern_matches(out->patterns[i], b, len_b))
            return false;
    return true;
}

static const char *const fillers[] = {"any-other", "x", "q7", "other", "z0z", "w8", NULL};

static char *make_path(struct arena *arena, const void *pattern, const char *with)
{
    return diff_fill(arena, pattern, with);
}

static bool add_filled(struct arena *arena, const char *pattern, const char *text,
                       struct diff_requests *out)
{
    const struct diff_filling filling = {.pattern = pattern,
                                         .rules = out,
                                         .make = make_path,
                                         .alike = paths_alike,
                                         .fillers = fillers};
    return add(arena, out, diff_fill_fresh(arena, &filling, &out->exact), text);
}

static bool add_pattern(struct arena *arena, const char *pattern, struct diff_requests *out)
{
    size_t len = strlen(pattern);
    if (!add_filled(arena, pattern, pattern, out))
        return false;
    if (!is_prefix(pattern))
        return true;
    const char *base = len > 2 ? arena_copy(arena, pattern, len - 2) : "/";
    return base && add_filled(arena, base, pattern, out);
}

/* The next segment with its slash. */
static size_t segment(const char *path)
{
    return *path ? strcspn(path + 1, "/") + 1 : 0;
}

/* A path that both match, segment by segment; the one with the wildcard gives way. */
static char *meet(struct arena *arena, const char *a, const char *b, const char *with)
{
    char *out = arena_alloc(arena, (strlen(with) + 1) * (strlen(a) + strlen(b) + 1)), *at = out;
    while (at && (*a || *b)) {
        size_t n = segment(a), m = segment(b);
        bool rest_a = strcmp(a, "/*") == 0, rest_b = strcmp(b, "/*") == 0;
        if ((n == 0 && !rest_b) || (m == 0 && !rest_a))
            return NULL;
        bool from_a = n > 0 && (m == 0 || !memchr(a, '*', n) || memchr(b, '*', m));
        bool both = n > 0 && m > 0 && memchr(a, '*', n) && memchr(b, '*', m);
        char *x = arena_copy(arena, from_a ? a : b, from_a ? n : m);
        char *y = both ? arena_copy(arena, b, m) : NULL;
        char *merged = x && y ? diff_fill_both(arena, x, y, with) : NULL;
        if (x && !merged)
            merged = diff_fill(arena, x, with);
        if (!merged)
            return NULL;
        at = stpcpy(at, merged);
        a += rest_a && m > 0 && segment(b + m) ? 0 : n;
        b += rest_b && n > 0 && segment(a) ? 0 : m;
    }
    return out;
}

struct path_pair {
    const char *a, *b;
};

static char *make_meeting(struct arena *arena, const void *pattern, const char *with)
{
    const struct path_pair *pair = pattern;
    return meet(arena, pair->a, pair->b, with);
}

/* What the i-th pattern has in common with those before it. */
static bool add_meetings(struct arena *arena, size_t i, struct diff_requests *out)
{
    const char *pattern = out->patterns[i];
    for (size_t k = 0; k < i; k++) {
        const struct path_pair pair = {pattern, out->patterns[k]};
        const struct diff_filling filling = {.pattern = &pair,
                                             .rules = out,
                                             .make = make_meeting,
                                             .alike = paths_alike,
                                             .fillers = fillers};
        if (is_simple(pair.a) && is_simple(pair.b))
            continue;
        if (!is_simple(pair.a) && !is_simple(pair.b))
            out->exact = false;
        if (out->n_paths == PATHS_MAX) { /* nothing more is taken in */
            out->exact = false;
            return true;
        }
        char *both = diff_fill_fresh(arena, &filling, &out->exact);
        if (both && !add(arena, out, both, pattern))
            return false;
    }
    return true;
}

static bool collect_patterns(struct arena *arena, const struct diff_rules *rules, bool https,
                             uint16_t port, struct diff_requests *out)
{
    out->patterns = arena_array(arena, rules->n + 1, sizeof(*out->patterns));
    for (size_t i = 0; out->patterns && i < rules->n; i++) {
        bool known = !is_asked(rules->list[i], https, port);
        for (size_t k = 0; k < out->n_patterns && !known; k++)
            known = strcmp(out->patterns[k], rules->list[i]->path) == 0;
        if (!known)
            out->patterns[out->n_patterns++] = rules->list[i]->path;
    }
    return out->patterns != NULL;
}

bool diff_requests_make(struct arena *arena, const struct diff_rules *rules, bool https,
                        uint16_t port, struct diff_requests *out)
{
    *out = (struct diff_requests){.exact = true};
    out->paths = arena_array(arena, PATHS_MAX + 1, sizeof(*out->paths));
    if (!out->paths || !collect_patterns(arena, rules, https, port, out))
        return false;
    make_methods(rules, https, port, out);
    if (!add_filled(arena, "/*/*", ANY_OTHER, out))
        return false;
    for (size_t i = 0; i < out->n_patterns; i++)
        if (!add_pattern(arena, out->patterns[i], out))
            return false;
    for (size_t i = 0; i < out->n_patterns; i++)
        if (!add_meetings(arena, i, out))
            return false;
    /* One without a normal form: no allow rule matches it, and every veto. It comes last, for it is
     * like no other. */
    out->paths[out->n_paths++] =
        (struct diff_path){"/%2e%2e/any-other", "a path that climbs out or is malformed", NULL};
    return true;
}

void diff_methods_write(unsigned set, struct buffer *out)
{
    bool first = true;
    if (set == METHOD_ALL) {
        buffer_add_string(out, "every method");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!(set & methods[i].bit))
            continue;
        buffer_add_string(out, first ? "" : "|");
        buffer_add_string(out, methods[i].bit == METHOD_OTHER ? "other" : methods[i].name);
        first = false;
    }
}
