/* SPDX-License-Identifier: MIT
 * From files to a policy: goes through lines, headers and includes, and decides what an error
 * costs: the line, the section, or the whole policy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/compose.h"
#include "rules/lint.h"
#include "rules/policy_struct.h"
#include "rules/selector.h"
#include "rules/word.h"

/* The total keeps a few files that include each other's like from being read for ever. */
enum { INCLUDE_DEPTH_MAX = 16, INCLUDE_TOTAL_MAX = 10000 };

/* A file that is being read, and who included it. */
struct frame {
    const struct frame *above;
    const char *name; /* owned by the policy */
    unsigned depth;
    struct line_reader reader;
    struct context context;
    const struct selector *added; /* selectors of the include lines above, all of them */
    size_t n_added;
};

struct parser {
    const struct policy_options *options;
    struct policy *policy;
    struct reporter reporter;
    struct context start;
    struct words words;
    size_t n_includes;
    bool full; /* too many rules, or errors: said once */
};

static bool read_source(struct parser *p, const struct policy_source *source,
                        const struct frame *above, const struct selector *added, size_t n_added);

/* A failure that nobody spoke of is lack of memory. */
static void settle(struct parser *p, bool good)
{
    if (!good && !p->reporter.bad)
        p->reporter.failed = true;
}

static bool is_header(struct span content)
{
    return content.len > 0 && content.text[0] == '[';
}

/* Whether a veto stands between here and the next header. */
static bool section_has_veto(struct line_reader reader)
{
    struct span line;
    while (line_next(&reader, &line)) {
        struct span content = line_content(line);
        if (is_header(content))
            return false;
        if (span_is(line_word(content), "deny"))
            return true;
    }
    return false;
}

static void read_header(struct parser *p, struct frame *f, struct span content)
{
    struct reporter *r = &p->reporter;
    struct context context;
    bool open = false;
    r->soft = p->options->lenient && !section_has_veto(f->reader);
    bool good = line_expand(r, &p->policy->arena, &content, &open);
    if (good)
        good = context_parse(r, &p->policy->arena, &p->start, content, &p->words, &context);
    else
        context = p->start;
    settle(p, good);
    context.open = context.open || open;
    context.broken = !good;
    context.closed = !good && r->soft;
    f->context = context;
}

static void add_rule(struct parser *p, struct rule *rule)
{
    int result = policy_add(p->policy, rule);
    if (result == 0)
        return;
    p->reporter.failed = true;
    if (result == -E2BIG && !p->full) {
        p->reporter.soft = false;
        reporter_error(&p->reporter, 0,
                       "the policy has more than %d rules; write fewer, with "
                       "wildcards or address blocks",
                       RULES_MAX);
        p->full = true;
    }
}

/* In a workflow file GitHub fills these in before the filter sees the policy. */
static bool has_expression(struct span content)
{
    return span_find(content, '$') < content.len &&
           memmem(content.text, content.len, "${{", 3) != NULL;
}

static bool compose(struct parser *p, struct frame *f, enum rule_action action, struct rule *rule)
{
    struct arena *arena = &p->policy->arena;
    size_t first = action == RULE_DENY ? 1 : 0;
    const struct selector *own;
    if (p->words.n <= first) {
        struct span deny = p->words.list[0];
        reporter_error(&p->reporter, deny.at + deny.len,
                       "deny needs a target; write one such as deny *.example.com");
        return false;
    }
    if (!rule_compose(&p->reporter, arena, &f->context, action, &p->words, first, rule))
        return false;
    own = rule->selectors;
    return f->n_added == 0 || selectors_merge(arena, own, rule->n_selectors, NULL, 0, f->added,
                                              f->n_added, &rule->selectors, &rule->n_selectors);
}

static void read_rule(struct parser *p, struct frame *f, struct span content,
                      enum rule_action action)
{
    struct reporter *r = &p->reporter;
    struct rule rule;
    bool open = false;
    const struct span typed = content;
    if (f->context.closed && action == RULE_ALLOW)
        return;
    r->soft = p->options->lenient && action == RULE_ALLOW;
    if (has_expression(content)) {
        size_t at = (size_t)((char *)memmem(content.text, content.len, "${{", 3) - content.text);
        reporter_warn(r, content.at + at,
                      "what GitHub puts in place of ${{ }} is not known here, this line is not "
                      "checked; write the value, or {owner} and {repo}");
        if (action == RULE_ALLOW)
            return;
    }
    bool good = line_expand(r, &p->policy->arena, &content, &open) &&
                words_split(r, content, &p->words) && compose(p, f, action, &rule);
    settle(p, good || f->context.broken);
    if (!good)
        return;
    rule.open = rule.open || open;
    rule.file = f->name;
    rule.line = r->line;
    rule.column = typed.at + 1;
    rule.text = arena_copy(&p->policy->arena, typed.text, typed.len);
    if (!rule.text)
        r->failed = true;
    else
        add_rule(p, &rule);
}

static const char *load_problem(int error, bool preset)
{
    switch (-error) {
    case ENOENT:
        return preset ? "there is no such preset; egress-filter presets lists those there are"
                      : "there is no such file; write its path relative to this file";
    case EPERM:
        return "an inline policy may include presets only; write @PRESET";
    case EACCES:
        return "the file may not be read; give the reader the right to";
    case EFBIG:
        return "the file is too large; write smaller ones";
    default:
        return "it cannot be read; write the path of a readable file, or @PRESET";
    }
}

static bool in_cycle(const struct frame *f, const char *name)
{
    for (; f; f = f->above)
        if (strcmp(f->name, name) == 0)
            return true;
    return false;
}

/* The selectors of an include line, with those of the lines above in front. */
static bool include_selectors(struct parser *p, const struct frame *f,
                              const struct selector **added, size_t *n_added)
{
    struct reporter *r = &p->reporter;
    struct arena *arena = &p->policy->arena;
    struct extras extras;
    bool good = true;
    if (!extras_init(&extras, arena, &p->words))
        return false;
    for (size_t i = 2; i < p->words.n; i++) {
        struct span word = p->words.list[i];
        if (selector_is(word)) {
            good = extras_add(&extras, r, arena, word) && good;
            continue;
        }
        reporter_error(r, word.at,
                       "'%.*s' cannot stand on an include line; write selectors only, NAME=VALUE",
                       SPAN(word));
        good = false;
    }
    return good && selectors_merge(arena, f->added, f->n_added, NULL, 0, extras.selectors,
                                   extras.n_selectors, added, n_added);
}

static bool include_load(struct parser *p, const struct frame *f, struct span what,
                         struct policy_source *source)
{
    struct reporter *r = &p->reporter;
    bool preset = what.text[0] == '@';
    char *name = arena_copy(&p->policy->arena, what.text + preset, what.len - preset);
    if (!name)
        return false;
    if (f->depth >= INCLUDE_DEPTH_MAX || p->n_includes >= INCLUDE_TOTAL_MAX) {
        reporter_error(r, what.at,
                       f->depth >= INCLUDE_DEPTH_MAX
                           ? "includes are nested deeper than 16 levels; include from higher up"
                           : "the policy includes more than 10,000 files; write fewer");
        return false;
    }
    p->n_includes++;
    int error = p->options->load
                    ? p->options->load(p->options->load_context, f->name, name, preset, source)
                    : -ENOSYS;
    if (error < 0) {
        reporter_error(r, what.at, "cannot include '%.*s': %s", SPAN(what),
                       p->options->load ? load_problem(error, preset)
                                        : "includes cannot be used here; write the rules out");
        return false;
    }
    if (in_cycle(f, source->name)) {
        reporter_error(r, what.at,
                       "'%.*s' includes itself, by way of this line; take one of the includes out",
                       SPAN(what));
        return false;
    }
    return true;
}

static void read_include(struct parser *p, struct frame *f, struct span content)
{
    struct reporter *r = &p->reporter;
    const struct selector *added;
    size_t n_added;
    struct policy_source source = {0};
    bool open = false;
    if (!line_expand(r, &p->policy->arena, &content, &open) ||
        !words_split(r, content, &p->words)) {
        settle(p, false);
        return;
    }
    p->policy->open = p->policy->open || open;
    if (p->words.n < 2) {
        reporter_error(r, content.at + content.len,
                       "include needs a file or preset; write one such as include @npm");
        return;
    }
    struct span what = p->words.list[1];
    bool good = include_selectors(p, f, &added, &n_added);
    good = include_load(p, f, what, &source) && good;
    settle(p, good);
    if (!good)
        return;
    struct reporter saved = *r;
    good = read_source(p, &source, f, added, n_added);
    saved.failed = r->failed || !good;
    saved.errors = r->errors;
    *r = saved;
}

/* `Deny x` must not be taken for a bad allow line, which --lenient would skip. */
static bool check_case(struct reporter *r, struct span word)
{
    static const char *const words[] = {"deny", "include"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (word.len != strlen(words[i]) || span_is(word, words[i]) ||
            strncasecmp(word.text, words[i], word.len) != 0)
            continue;
        reporter_error(r, word.at, "'%.*s' is written in small letters; write %s", SPAN(word),
                       words[i]);
        return false;
    }
    return true;
}

/* Words of other rule languages. What was meant as a veto must not be skipped by --lenient. */
static const struct {
    const char *word;
    bool veto;
} foreign[] = {
    {"allow", false}, {"permit", false}, {"accept", false}, {"block", true},
    {"reject", true}, {"drop", true},    {"forbid", true},
};

/* `allow` is a host's name where nothing that could be a target follows. */
static bool check_foreign(struct parser *p, const struct frame *f, struct span content,
                          struct span word)
{
    struct reporter *r = &p->reporter;
    struct span rest = line_content(span_cut(content, word.len, content.len - word.len));
    struct span next = line_word(rest), name = word;
    if (word.text[0] == '!') {
        reporter_error(r, word.at, "a veto begins with a word; write deny %.*s",
                       SPAN(span_cut(content, 1, content.len - 1)));
        return false;
    }
    if (next.len == 0 || selector_is(next) || keyword_find(next) != 0)
        return true;
    if (name.text[name.len - 1] == ':')
        name.len--;
    if (name.len < word.len && span_is(name, "deny")) {
        reporter_error(r, word.at, "deny stands without a colon; write deny %.*s", SPAN(rest));
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        if (name.len != strlen(foreign[i].word) ||
            strncasecmp(name.text, foreign[i].word, name.len) != 0)
            continue;
        if (!foreign[i].veto && f->context.closed)
            return false;
        r->soft = p->options->lenient && !foreign[i].veto;
        reporter_error(r, word.at,
                       foreign[i].veto ? "'%.*s' is no word of this language; write deny %.*s"
                                       : "'%.*s' is left away, a rule allows; write %.*s",
                       SPAN(word), SPAN(rest));
        return false;
    }
    return true;
}

static void read_line(struct parser *p, struct frame *f, struct span line)
{
    struct reporter *r = &p->reporter;
    r->line = f->reader.number;
    r->raw = line.text;
    r->columns = NULL;
    r->n_columns = 0;
    r->soft = r->bad = false;
    if (!line_check(r, line))
        return;
    struct span content = line_content(line);
    struct span word = line_word(content);
    if (content.len == 0 || !line_check_content(r, content))
        return;
    if (!check_case(r, word) || !check_foreign(p, f, content, word))
        return;
    if (is_header(content))
        read_header(p, f, content);
    else if (span_is(word, "include"))
        read_include(p, f, content);
    else
        read_rule(p, f, content, span_is(word, "deny") ? RULE_DENY : RULE_ALLOW);
}

/* A log or a program named by mistake is no policy, and what is wrong with each line helps nobody.
 */
static bool give_up(struct parser *p, size_t line)
{
    struct reporter *r = &p->reporter;
    if (p->full || r->errors < REPORTER_ERRORS_MAX)
        return p->full;
    p->full = true;
    r->line = line;
    r->columns = NULL;
    r->soft = false;
    r->errors = 0; /* this one is told */
    reporter_error(r, 0,
                   "there are too many errors, so reading stops here; mend those above, or "
                   "name a policy file");
    return true;
}

static bool read_source(struct parser *p, const struct policy_source *source,
                        const struct frame *above, const struct selector *added, size_t n_added)
{
    struct span line;
    struct frame f = {
        .above = above,
        .name = arena_copy(&p->policy->arena, source->name, strlen(source->name)),
        .depth = above ? above->depth + 1 : 0,
        .context = p->start,
        .added = added,
        .n_added = n_added,
    };
    if (!f.name)
        return false;
    p->reporter.file = f.name;
    line_reader_init(&f.reader, source->data, source->len);
    while (line_next(&f.reader, &line) && !give_up(p, f.reader.number))
        read_line(p, &f, line);
    return true;
}

/* The start context is a header that stands in no file. */
static bool read_start(struct parser *p)
{
    const char *text = p->options->context;
    struct reporter *r = &p->reporter;
    if (!text)
        return true;
    struct span line = {text, strlen(text), 0};
    bool open = false;
    r->file = "context";
    r->line = 1;
    r->raw = text;
    if (!line_check(r, line))
        return false;
    struct span content = line_content(line);
    if (!line_check_content(r, content))
        return false;
    if (!is_header(content)) {
        reporter_error(r, content.at,
                       "the start context is a header; write it in brackets, such as "
                       "[cgroup=@host]");
        return false;
    }
    struct context empty = {0}, context;
    if (!line_expand(r, &p->policy->arena, &content, &open) ||
        !context_parse(r, &p->policy->arena, &empty, content, &p->words, &context))
        return false;
    context.unsaid = 0;
    context.open = open;
    p->start = context;
    return true;
}

struct policy *policy_parse(const struct policy_source *sources, size_t n_sources,
                            const struct policy_options *options)
{
    static const struct policy_options defaults = {0};
    struct parser p = {.options = options ? options : &defaults, .policy = policy_new()};
    if (!p.policy)
        return NULL;
    p.reporter.options = p.options;
    bool good = read_start(&p);
    for (size_t i = 0; i < n_sources; i++)
        good = read_source(&p, &sources[i], NULL, NULL, 0) && good;
    words_release(&p.words);
    good = good && !p.reporter.failed && policy_seal(p.policy) == 0;
    if (good && p.options->diagnose)
        policy_lint(p.policy, &p.reporter);
    if (good)
        return p.policy;
    policy_unref(p.policy);
    return NULL;
}
