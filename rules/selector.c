/* SPDX-License-Identifier: MIT
 * Selectors as they are written. Each has its own idea of a good value, so that a value which
 * could never match is an error here and not a riddle later. */
#include "rules/selector.h"

#include <string.h>

#include "rules/address.h"
#include "rules/cgroup.h"

typedef bool check_value(struct reporter *r, struct span value, struct selector *s);

static check_value check_text, check_path, check_digest, check_user, check_cgroup, check_pod,
    check_inode;

static const struct {
    const char *name;
    enum selector_kind kind;
    check_value *check;
} table[] = {
    {"exe", SELECTOR_EXE, check_path},
    {"arg", SELECTOR_ARG, check_text},
    {"parent", SELECTOR_PARENT, check_path},
    {"sha256", SELECTOR_SHA256, check_digest},
    {"user", SELECTOR_USER, check_user},
    {"cgroup", SELECTOR_CGROUP, check_cgroup},
    {"container", SELECTOR_CONTAINER, check_text},
    {"image", SELECTOR_IMAGE, check_text},
    {"pod", SELECTOR_POD, check_pod},
    {"mntns", SELECTOR_MNTNS, check_inode},
    {"netns", SELECTOR_NETNS, check_inode},
    {"step", SELECTOR_STEP, check_text},
    {"action", SELECTOR_ACTION, check_text},
};

static bool check_text(struct reporter *r, struct span value, struct selector *s)
{
    (void)r, (void)value, (void)s;
    return true;
}

static bool check_path(struct reporter *r, struct span value, struct selector *s)
{
    if (value.text[0] == '*' && !s->literal) {
        reporter_warn(r, value.at,
                      "a path that begins with * can be had anywhere, /tmp too; write it from "
                      "its / on");
        return true;
    }
    if (value.text[0] == '/')
        return true;
    reporter_error(r, value.at, "'%.*s' is no absolute path; write one such as /usr/bin/curl",
                   SPAN(value));
    return false;
}

static bool check_digest(struct reporter *r, struct span value, struct selector *s)
{
    bool good = value.len == 64 || (!s->literal && span_find(value, '*') < value.len);
    for (size_t i = 0; i < value.len; i++)
        good = good && (strchr("0123456789abcdefABCDEF", value.text[i]) ||
                        (value.text[i] == '*' && !s->literal));
    if (!good)
        reporter_error(r, value.at, "sha256= takes a digest; write its 64 hexadecimal digits");
    return good;
}

static bool all_digits(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
    return true;
}

static bool check_user(struct reporter *r, struct span value, struct selector *s)
{
    if (!all_digits(value))
        return true;
    s->numeric = true;
    if (decimal_parse(value.text, value.len, UINT32_MAX, &s->number))
        return true;
    reporter_error(r, value.at,
                   "'%.*s' is no user id; write a number without leading zeros, or a name",
                   SPAN(value));
    return false;
}

static bool check_inode(struct reporter *r, struct span value, struct selector *s)
{
    s->numeric = true;
    if (decimal_parse(value.text, value.len, UINT32_MAX, &s->number))
        return true;
    reporter_error(r, value.at,
                   "'%.*s' is no namespace; write its inode number, as readlink /proc/PID/ns/mnt "
                   "shows it in brackets",
                   SPAN(value));
    return false;
}

static bool check_pod(struct reporter *r, struct span value, struct selector *s)
{
    if (span_find(value, '/') < value.len || (!s->literal && span_find(value, '*') < value.len))
        return true;
    reporter_error(r, value.at, "'%.*s' is no pod; write NAMESPACE/NAME, such as default/%.*s",
                   SPAN(value), SPAN(value));
    return false;
}

static bool check_cgroup(struct reporter *r, struct span value, struct selector *s)
{
    static const struct {
        const char *name;
        unsigned classes;
    } names[] = {
        {"@docker", CGROUP_DOCKER},
        {"@podman", CGROUP_PODMAN},
        {"@kubernetes", CGROUP_KUBERNETES},
        {"@container", CGROUP_CONTAINER},
        {"@host", CGROUP_HOST},
        {"@rootless", CGROUP_ROOTLESS},
    };
    if (value.text[0] == '/' || (value.text[0] == '*' && !s->literal))
        return true;
    /* The byte before the value is `=` or the quote. */
    for (size_t i = 0; i < ARRAY_SIZE(names) && value.text[-1] == '='; i++)
        if (span_is(value, names[i].name))
            s->classes = names[i].classes;
    if (s->classes != 0)
        return true;
    reporter_error(r, value.at,
                   "'%.*s' is no cgroup; write a path from its / on, or, without quotes, @docker, "
                   "@podman, @kubernetes, @container, @host or @rootless",
                   SPAN(value));
    return false;
}

bool selector_is(struct span s)
{
    size_t equals = span_find(s, '=');
    if (equals == 0 || equals == s.len)
        return false;
    for (size_t i = 0; i < equals; i++) {
        char c = s.text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !strchr("[]-_", c))
            return false;
    }
    return true;
}

/* Takes the quotes off, and says whether the value is one. */
static bool value_unquote(struct reporter *r, struct span *value, struct selector *s)
{
    char quote = value->len > 0 ? value->text[0] : '\0';
    if (quote == '"' || quote == '`') {
        struct span inner = span_cut(*value, 1, value->len - 1);
        size_t end = span_find(inner, quote);
        if (end == inner.len) {
            reporter_error(r, value->at, "the quote is not closed; write %c at its end", quote);
            return false;
        }
        if (end + 1 < inner.len) {
            reporter_error(r, inner.at + end + 1,
                           "text stands right behind a closing quote; write a blank between, or "
                           "take it into the quotes");
            return false;
        }
        s->literal = quote == '"';
        *value = span_cut(inner, 0, end);
    }
    if (value->len == 0) {
        reporter_error(r, value->at, "the value is empty; write one, or leave the selector away");
        return false;
    }
    if (quote == '\'')
        reporter_warn(r, value->at,
                      "single quotes are part of the value; write double quotes for a literal");
    size_t odd = MIN(span_find(*value, '?'), span_find(*value, '['));
    if (!s->literal && odd < value->len)
        reporter_warn(r, value->at + odd,
                      "only * is a wildcard, this character stands for itself; write the value "
                      "in double quotes where that was meant");
    return true;
}

/* The N of arg[N]. */
static bool index_parse(struct reporter *r, struct span name, size_t bracket, struct selector *s)
{
    uint32_t number;
    if (name.text[name.len - 1] != ']' ||
        !decimal_parse(name.text + bracket + 1, name.len - bracket - 2, UINT16_MAX, &number)) {
        reporter_error(r, name.at + bracket,
                       "no number of an argument; write arg[1]=, where "
                       "arg[0]= is the program");
        return false;
    }
    s->kind = SELECTOR_ARG_AT;
    s->index = number;
    return true;
}

bool selector_parse(struct reporter *r, struct arena *arena, struct span s, struct selector *out)
{
    *out = (struct selector){0};
    size_t equals = span_find(s, '=');
    struct span name = span_cut(s, 0, equals);
    struct span value = span_cut(s, equals + 1, s.len - equals - 1);
    size_t bracket = span_find(name, '[');
    struct span word = span_cut(name, 0, bracket);
    size_t i = 0;
    while (i < ARRAY_SIZE(table) && !span_is(word, table[i].name))
        i++;
    if (i == ARRAY_SIZE(table) || (bracket < name.len && table[i].kind != SELECTOR_ARG)) {
        reporter_error(r, name.at,
                       "'%.*s' is no selector; write one of exe, arg, arg[N], parent, sha256, "
                       "user, cgroup, container, image, pod, mntns, netns, step, action",
                       SPAN(name));
        return false;
    }
    out->kind = table[i].kind;
    if (bracket < name.len && !index_parse(r, name, bracket, out))
        return false;
    if (!value_unquote(r, &value, out) || !table[i].check(r, value, out))
        return false;
    bool one = out->kind != SELECTOR_ARG && out->kind != SELECTOR_ARG_AT;
    if (one && !out->literal && span_find(value, ',') < value.len)
        reporter_warn(r, value.at + span_find(value, ','),
                      "a comma does not make a list, it is part of the value; write a rule for "
                      "each, or the value in double quotes where that was meant");
    char *copy = arena_copy(arena, value.text, value.len);
    if (copy && out->kind == SELECTOR_SHA256)
        for (char *c = copy; *c; c++)
            if (*c >= 'A' && *c <= 'F')
                *c = (char)(*c - 'A' + 'a');
    out->value = copy;
    return copy != NULL;
}

bool selector_same(const struct selector *a, const struct selector *b)
{
    return a->kind == b->kind && a->index == b->index;
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
    return selector_same(a, b) && a->literal == b->literal && strcmp(a->value, b->value) == 0;
}

const char *selector_name(enum selector_kind kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].kind == kind)
            return table[i].name;
    return "arg";
}
