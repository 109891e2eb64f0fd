/* SPDX-License-Identifier: MIT
 * Keywords and selectors behind a target, in a header, or on an include line. */
#include "rules/word.h"

#include <string.h>

#include "rules/selector.h"

static const struct {
    const char *name;
    unsigned bit;
    enum rule_action action;
    unsigned types; /* enum target_set */
    const char *hint;
} keywords[] = {
    {"passthrough", KEYWORD_PASSTHROUGH, RULE_ALLOW, SET_HOST,
     "passthrough belongs to an allow rule for a name; write the name alone, or leave it away"},
    {"insecure", KEYWORD_INSECURE, RULE_ALLOW, SET_HOST | SET_ADDRESS | SET_URL,
     "insecure belongs to an allow rule that is not dns:; leave it away"},
    {"private", KEYWORD_PRIVATE, RULE_ALLOW, SET_HOST | SET_URL,
     "private belongs to an allow rule with a name; leave it away"},
    {"websocket", KEYWORD_WEBSOCKET, RULE_ALLOW, SET_URL,
     "websocket belongs to a URL or path rule; leave it away, a host rule allows it anyway"},
    {"expected", KEYWORD_EXPECTED, RULE_DENY, SET_HOST | SET_ADDRESS | SET_URL | SET_DNS,
     "expected belongs to a deny line; write deny in front, or leave it away"},
};

unsigned keyword_find(struct span word)
{
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (span_is(word, keywords[i].name))
            return keywords[i].bit;
    return 0;
}

const char *keyword_name(unsigned keyword)
{
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (keywords[i].bit == keyword)
            return keywords[i].name;
    return "";
}

const char *keyword_misplaced(unsigned keyword, enum rule_action action, enum target_type type)
{
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (keywords[i].bit == keyword &&
            (keywords[i].action != action || !(keywords[i].types & 1u << type)))
            return keywords[i].hint;
    return NULL;
}

bool extras_init(struct extras *e, struct arena *arena, const struct words *words)
{
    size_t n = 0;
    for (size_t i = 0; i < words->n; i++)
        n += selector_is(words->list[i]);
    *e = (struct extras){0};
    e->selectors = n > 0 ? arena_array(arena, n, sizeof(*e->selectors)) : NULL;
    return n == 0 || e->selectors;
}

static bool add_selector(struct extras *e, struct reporter *r, struct arena *arena,
                         struct span word)
{
    struct selector s;
    if (!selector_parse(r, arena, word, &s))
        return false;
    for (size_t i = 0; i < e->n_selectors; i++) {
        if (s.kind != SELECTOR_ARG && selector_same(&s, &e->selectors[i])) {
            reporter_error(r, word.at,
                           "%s= stands twice; write it once, with a * where several "
                           "values were meant",
                           selector_name(s.kind));
            return false;
        }
    }
    e->selectors[e->n_selectors++] = s;
    return true;
}

/* Ports and protocols that stand apart from their target. */
static bool say_detached(struct reporter *r, struct span word)
{
    struct span ports = word;
    if (ports.text[0] == ':')
        ports = span_cut(word, 1, word.len - 1);
    bool number = ports.len > 0;
    for (size_t i = 0; i < ports.len; i++)
        number = number && strchr("0123456789|-,", ports.text[i]);
    if (number)
        reporter_error(r, word.at, "a port stands right behind its target; write TARGET:%.*s",
                       SPAN(ports));
    else if (span_is(word, "tcp") || span_is(word, "udp"))
        reporter_error(r, word.at,
                       "the protocol stands right behind the port; write TARGET:PORT/%.*s",
                       SPAN(word));
    else
        return false;
    return true;
}

bool extras_add(struct extras *e, struct reporter *r, struct arena *arena, struct span word)
{
    if (selector_is(word))
        return add_selector(e, r, arena, word);
    unsigned keyword = keyword_find(word);
    if (keyword == 0 && say_detached(r, word))
        return false;
    if (keyword == 0) {
        reporter_error(r, word.at,
                       "'%.*s' is no keyword and no selector; write one of passthrough, insecure, "
                       "private, websocket, expected, or NAME=VALUE, and one rule a line",
                       SPAN(word));
        return false;
    }
    if (e->keywords & keyword) {
        reporter_error(r, word.at, "%s stands twice; write it once", keyword_name(keyword));
        return false;
    }
    e->keywords |= keyword;
    e->keyword_at[__builtin_ctz(keyword)] = word.at;
    return true;
}
