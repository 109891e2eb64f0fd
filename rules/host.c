/* SPDX-License-Identifier: MIT
 * Names with and without wildcards. Half of this file is about saying what is wrong with one in
 * words that lead to the right one. */
#include "rules/host.h"

#include <string.h>

#include "rules/address.h"
#include "rules/glob.h"
#include "rules/name.h"

static void say_label(struct reporter *r, struct span label, enum label_problem problem,
                      size_t where)
{
    size_t at = label.at + where;
    switch (problem) {
    case LABEL_GOOD:
        break;
    case LABEL_EMPTY:
        reporter_error(r, at, "a label of the name is empty; write one dot between labels");
        break;
    case LABEL_LONG:
        reporter_error(r, at, "the label is longer than 63 characters; write a shorter one");
        break;
    case LABEL_CHARACTER:
        if (label.text[where] == ',' || label.text[where] == ';') {
            reporter_error(r, at, "names are not listed; write one rule a line");
            break;
        }
        reporter_error(r, at,
                       "a name holds letters, digits, hyphens and underscores; write it as it "
                       "stands in DNS");
        break;
    case LABEL_HYPHEN:
        reporter_error(r, at,
                       "a label neither begins nor ends with a hyphen; take the hyphen away");
        break;
    case LABEL_LAST:
        reporter_error(r, at,
                       "the last label of a name begins with a letter; write a name such as "
                       "github.com, or a whole IPv4 address");
        break;
    case LABEL_UNDERSCORE:
        reporter_error(r, at,
                       "the last label of a name holds no underscore; write a name such as "
                       "github.com");
        break;
    }
}

/* The first label, and what is behind its dot. */
static struct span label_take(struct span *rest)
{
    size_t dot = span_find(*rest, '.');
    struct span label = span_cut(*rest, 0, dot);
    size_t skip = MIN(dot + 1, rest->len);
    *rest = span_cut(*rest, skip, rest->len - skip);
    return label;
}

/* Says why this is no name; always false. */
static bool refuse_fixed(struct reporter *r, struct span s)
{
    struct span rest = s, label = s;
    size_t where, n;
    char scratch[LABEL_MAX_LEN];
    bool more = true;
    while (more) {
        more = span_find(rest, '.') < rest.len;
        label = label_take(&rest);
        if (label_is_ascii(label.text, label.len)) {
            enum label_problem problem = label_check(label.text, label.len, false, &where);
            if (problem != LABEL_GOOD)
                return say_label(r, label, problem, where), false;
        } else if (label_normalize(label.text, label.len, scratch, &n) < 0) {
            reporter_error(r, label.at, "'%.*s' is no internationalised label; write its xn-- form",
                           SPAN(label));
            return false;
        }
    }
    enum label_problem problem = LABEL_GOOD;
    if (label_is_ascii(label.text, label.len))
        problem = label_check_last(label.text, label.len, &where);
    if (problem != LABEL_GOOD)
        say_label(r, label, problem, where);
    else
        reporter_error(r, s.at, "the name is longer than 253 characters; write a shorter one");
    return false;
}

/* A fixed name: the whole target, or what stands behind the wildcard. */
static bool fixed_parse(struct reporter *r, struct arena *arena, struct span s,
                        struct host_pattern *out)
{
    char name[NAME_MAX_LEN + 1];
    if (name_normalize(s.text, s.len, name) < 0)
        return refuse_fixed(r, s);
    out->suffix_len = strlen(name);
    out->suffix = arena_copy(arena, name, out->suffix_len);
    return out->suffix != NULL;
}

/* Mistakes that are better named before labels are looked at. */
static bool shape_check(struct reporter *r, struct span s)
{
    if (s.len == 0)
        reporter_error(r, s.at, "a name is missing; write one such as github.com");
    else if (span_is(s, "*"))
        reporter_error(r, s.at,
                       "a lone * would be every name; write *.example.com, or 0.0.0.0/0 for every "
                       "address");
    else if (span_find(s, '*') < s.len && memmem(s.text, s.len, "**", 2))
        reporter_error(r, s.at + (size_t)((char *)memmem(s.text, s.len, "**", 2) - s.text),
                       "** is no wildcard; write a single *, such as *.example.com");
    else if (s.text[s.len - 1] == '.')
        reporter_error(r, s.at + s.len - 1, "a name takes no trailing dot; write '%.*s'",
                       SPAN(span_cut(s, 0, s.len - 1)));
    else if (address_looks_like(s.text, s.len))
        reporter_error(r, s.at,
                       "'%.*s' is no IPv4 address; write four numbers from 0 to 255 without "
                       "leading zeros, such as 8.8.8.8",
                       SPAN(s));
    else
        return true;
    return false;
}

static bool glob_parse(struct reporter *r, struct arena *arena, struct span label,
                       struct host_pattern *out)
{
    size_t where;
    if (span_is(label, "*")) {
        reporter_error(r, label.at,
                       "only one *. may stand in front; write *.example.com, which is any number "
                       "of labels");
        return false;
    }
    if (!label_is_ascii(label.text, label.len)) {
        reporter_error(r, label.at,
                       "a label with a wildcard must be ASCII; write its xn-- form, or a * for "
                       "the whole label");
        return false;
    }
    enum label_problem problem = label_check(label.text, label.len, true, &where);
    if (problem != LABEL_GOOD)
        return say_label(r, label, problem, where), false;
    char *glob = arena_copy(arena, label.text, label.len);
    if (!glob)
        return false;
    for (char *c = glob; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    out->glob = glob;
    return true;
}

bool host_pattern_parse(struct reporter *r, struct arena *arena, struct span s,
                        struct host_pattern *out)
{
    *out = (struct host_pattern){0};
    if (!shape_check(r, s))
        return false;
    struct span rest = s;
    if (s.len > 2 && memcmp(s.text, "*.", 2) == 0) {
        out->subdomains = true;
        rest = span_cut(s, 2, s.len - 2);
    }
    size_t star = span_find(rest, '*');
    if (star < rest.len && star < span_find(rest, '.')) {
        struct span label = label_take(&rest);
        if (rest.len == 0) {
            reporter_error(r, label.at,
                           "a wildcard needs a fixed label behind it; write a name such as "
                           "%.*s.example.com",
                           SPAN(label));
            return false;
        }
        if (!glob_parse(r, arena, label, out))
            return false;
        star = span_find(rest, '*');
    }
    if (star < rest.len) {
        bool at_end = span_find(span_cut(rest, star, rest.len - star), '.') == rest.len - star;
        reporter_error(r, rest.at + star,
                       at_end ? "a wildcard needs a fixed label behind it; write each name out, "
                                "such as github.com"
                              : "a wildcard stands in the first label only; write *.example.com, "
                                "or each name out");
        return false;
    }
    return fixed_parse(r, arena, rest, out);
}

bool host_pattern_matches(const struct host_pattern *h, const char *name, size_t len)
{
    if (host_pattern_is_exact(h))
        return len == h->suffix_len && memcmp(name, h->suffix, len) == 0;
    if (len < h->suffix_len + 2)
        return false;
    size_t front = len - h->suffix_len - 1; /* what stands before the dot before the suffix */
    if (name[front] != '.' || memcmp(name + front + 1, h->suffix, h->suffix_len) != 0)
        return false;
    if (!h->glob)
        return true;
    const char *dot = memrchr(name, '.', front);
    size_t start = dot ? (size_t)(dot - name) + 1 : 0;
    if (h->subdomains != (start > 1))
        return false;
    return glob_matches(h->glob, strlen(h->glob), name + start, front - start);
}

bool host_pattern_covers(const struct host_pattern *a, const struct host_pattern *b)
{
    if (host_pattern_is_exact(b))
        return host_pattern_matches(a, b->suffix, b->suffix_len);
    bool same = a->suffix_len == b->suffix_len && memcmp(a->suffix, b->suffix, a->suffix_len) == 0;
    if (same && a->subdomains == b->subdomains && a->glob && b->glob)
        return strcmp(a->glob, b->glob) == 0;
    if (a->glob || !a->subdomains)
        return false;
    if (same)
        return true;
    return b->suffix_len > a->suffix_len + 1 &&
           b->suffix[b->suffix_len - a->suffix_len - 1] == '.' &&
           memcmp(b->suffix + b->suffix_len - a->suffix_len, a->suffix, a->suffix_len) == 0;
}
