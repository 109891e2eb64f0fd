/* SPDX-License-Identifier: MIT
 * Tests within a policy. They are comments to the parser, so a policy that has some means the same
 * to every release. */
#include "review/test_lines.h"

#include <string.h>

static bool read_action(struct span word, enum verdict_action *out)
{
    static const enum verdict_action actions[] = {VERDICT_DENY, VERDICT_ALLOW, VERDICT_INSPECT};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!span_is(word, verdict_action_name(actions[i])))
            continue;
        *out = actions[i];
        return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What stands behind `#?` on a line that holds nothing else. */
static bool find_test(struct span line, struct span *out)
{
    size_t at = 0;
    while (at < line.len && is_blank(line.text[at]))
        at++;
    if (line.len - at < 2 || memcmp(line.text + at, "#?", 2) != 0)
        return false;
    *out = line_content(span_cut(line, at + 2, line.len - at - 2));
    return true;
}

/* What was meant as a test and is a comment: behind a rule, or with a blank in the #?. It would
 * never be asked, and all would seem well. */
static bool find_mistaken(struct span line, struct span *out)
{
    struct span content = line_content(line);
    size_t at = content.len > 0 ? (size_t)(content.text - line.text) + content.len : 0;
    while (at < line.len && is_blank(line.text[at]))
        at++;
    *out = span_cut(line, at, line.len - at);
    for (const char *c = "#?"; *c; c++) {
        if (at >= line.len || line.text[at++] != *c)
            return false;
        while (at < line.len && is_blank(line.text[at]))
            at++;
    }
    enum verdict_action action;
    return read_action(line_word(span_cut(line, at, line.len - at)), &action);
}

static bool read_wanted(struct reporter *r, struct span word, enum verdict_action *out)
{
    if (read_action(word, out))
        return true;
    reporter_error(r, word.at,
                   "a test begins with its verdict; write #? allow, #? deny or #? inspect, then "
                   "an event");
    return false;
}

/* The filter's own word, which says of a look-up whether another resolver would have helped. */
static const char *reason_of(const struct policy *policy, const struct event *e,
                             const struct verdict *v)
{
    struct event at_self = *e;
    at_self.resolver_is_self = true;
    if (e->stage == EVENT_DNS && !e->resolver_is_self && v->reason == REASON_NO_RULE &&
        policy_match(policy, &at_self).action == VERDICT_ALLOW)
        return "resolver";
    return verdict_reason_name(v, e->process != NULL);
}

static void ask(const struct policy *policy, struct reporter *r, struct span text,
                struct test_result *out)
{
    struct event_words words = {0};
    struct arena arena = {0};
    bool open = false;
    *out = (struct test_result){.line = r->line, .text = text};
    out->text.text = r->raw + text.at; /* as typed */
    if (line_check_content(r, text) && line_expand(r, &arena, &text, &open)) {
        struct span word = line_word(text);
        struct span rest = span_cut(text, word.len, text.len - word.len);
        out->read = read_wanted(r, word, &out->wanted) && event_words_parse(r, rest, &words);
    }
    if (out->read) {
        out->got = policy_match(policy, &words.event);
        out->good = out->got.action == out->wanted;
        out->reason = reason_of(policy, &words.event, &out->got);
        out->known_process = words.event.process != NULL;
        out->got.name = NULL; /* borrowed from the event */
    }
    event_words_release(&words);
    arena_release(&arena);
}

bool test_lines(const struct policy *policy, const struct policy_source *source,
                const struct policy_options *options, test_visit *visit, void *context)
{
    struct reporter r = {.options = options, .file = source->name};
    struct line_reader reader;
    struct span line, text;
    bool good = true;
    line_reader_init(&reader, source->data, source->len);
    while (line_next(&reader, &line)) {
        struct test_result result;
        r.line = reader.number;
        r.raw = line.text;
        r.columns = NULL;
        r.n_columns = 0;
        if (!line_check(&r, line))
            continue;
        if (find_test(line, &text)) {
            ask(policy, &r, text, &result);
        } else if (find_mistaken(line, &text)) {
            reporter_error(&r, text.at,
                           "this is a comment and would not be asked; write a test on a line of "
                           "its own, beginning with #?");
            result = (struct test_result){.line = r.line, .text = text};
        } else {
            continue;
        }
        good = good && result.read;
        visit(context, &result);
    }
    return good;
}
