/* SPDX-License-Identifier: MIT
 * Workflow files: which steps are the filter's, what their policies are, and where each of their
 * bytes stood, whatever way YAML was asked to write them. */
#include "unit/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "review/workflow.h"

#define STEP "jobs:\n  a:\n    steps:\n      - uses: ./\n        with:\n"

static void parse(const char *text, struct workflow *w)
{
    struct workflow_fault fault = {0};
    int result = workflow_parse(text, strlen(text), w, &fault);
    if (result != 0)
        fail_msg("%s\n  %d at %zu:%zu: %s", text, result, fault.line, fault.column, fault.text);
}

/* Which uses: is the filter, by whether its policy is found. */
static void steps(void **state)
{
    (void)state;
    static const struct {
        const char *uses;
        size_t found;
    } rows[] = {
        {"owner/egress-filter@v1", 1},
        {"owner/Egress-Filter@v1", 1},
        {"owner/repo/egress-filter@main", 1},
        {"owner/egress-filter@releases/v1", 1},
        {"./", 1},
        {"'./'", 1},
        {"owner/egress-filter", 0},
        {"owner/egress-filter@", 0},
        {"owner/my-egress-filter@v1", 0},
        {"egress-filter@v1", 0},
        {"owner/egress-filter-tools@v1", 0},
        {"owner/other@egress-filter@v1", 0},
        {"./egress-filter", 0},
        {"./x", 0},
        {"[./]", 0},
        {"docker://x/egress-filter@sha256:00", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[256];
        struct workflow w;
        snprintf(text, sizeof(text),
                 "jobs:\n  a:\n    steps:\n      - uses: %s\n        with:\n"
                 "          policy: a.org\n",
                 rows[i].uses);
        parse(text, &w);
        if (w.n_steps != rows[i].found)
            fail_msg("%s: %zu steps", rows[i].uses, w.n_steps);
        workflow_release(&w);
    }
}

/* Where steps are looked for, and how many are found. */
static void places(void **state)
{
    (void)state;
#define USE "{uses: ./, with: {policy: a.org}}"
    static const struct {
        const char *text;
        size_t found;
    } rows[] = {
        {"jobs: {a: {steps: [" USE ", " USE "]}, b: {steps: [" USE "]}}", 3},
        {"runs: {steps: [" USE "]}", 1},
        {"jobs: {a: {steps: [" USE "]}}\n---\njobs: {a: {steps: [" USE "]}}\n", 2},
        {"jobs: {a: &j {steps: [" USE "]}, b: *j}", 1},
        {"jobs: {a: {steps: &s [" USE "]}, b: {steps: *s}}", 1},
        {"jobs: {a: {steps: [&s " USE ", *s, *s]}}", 1},
        {"jobs: {a: &a {steps: [*a]}}", 0},
        {"jobs: [" USE "]", 0},
        {"steps: [" USE "]", 0},
        {"jobs: {a: {steps: " USE "}}", 0},
        {"jobs: {a: {steps: [" USE ", x, [y]]}}", 1},
        {"", 0},
        {"# nothing\n", 0},
        {"x", 0},
        {"jobs:", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct workflow w;
        parse(rows[i].text, &w);
        if (w.n_steps != rows[i].found)
            fail_msg("%s: %zu steps", rows[i].text, w.n_steps);
        workflow_release(&w);
    }
}

/* Writes where each line of the policy begins, and the end of the text: "6:13 7:13 end 8:1". */
static void describe(const struct workflow *w, const struct workflow_text *t, struct buffer *out)
{
    size_t lines = 1;
    buffer_clear(out);
    buffer_printf(out, "'%s'", t->data);
    for (size_t i = 0; i + 1 < t->len; i++)
        lines += t->data[i] == '\n';
    for (size_t n = 1; n <= lines; n++) {
        size_t line = n, column = 1;
        workflow_place(w, t, &line, &column);
        buffer_printf(out, " %zu:%zu", line, column);
    }
    size_t line = lines, column = SIZE_MAX;
    workflow_place(w, t, &line, &column);
    buffer_printf(out, " end %zu:%zu", line, column);
}

static void scalars(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {STEP "          policy: |\n            a.org\n\n            b.org\n",
         "'a.org\n\nb.org\n' 7:13 8:1 9:13 end 9:18"},
        {STEP "          policy: |-\n            a.org\n              b.org",
         "'a.org\n  b.org' 7:13 8:13 end 8:20"},
        {STEP "          policy: |2\n              a.org\n            b.org\n      - x: y\n",
         "'  a.org\nb.org\n' 7:13 8:13 end 8:18"},
        {STEP "          policy: | # why\n\n            a.org\n", "'\na.org\n' 7:1 8:13 end 8:18"},
        {STEP "          policy: &p !!str |+\n            a.org\n\n",
         "'a.org\n\n' 7:13 8:1 end 8:1"},
        {STEP "          policy: >\n            a.org\n            b.org\n\n            c.org\n",
         "'a.org b.org\nc.org\n' 7:13 10:13 end 10:18"},
        {STEP "          policy: >\n            a.org\n\n\n            c.org\n",
         "'a.org\n\nc.org\n' 7:13 8:1 10:13 end 10:18"},
        {STEP "          policy: a.org\n", "'a.org' 6:19 end 6:24"},
        {STEP "          policy: a.org\n            b.org # why\n", "'a.org b.org' 6:19 end 7:18"},
        {STEP "          policy: a.org\n\n            b.org\n",
         "'a.org\nb.org' 6:19 8:13 end 8:18"},
        {STEP "          policy: 'it''s\n\n           b.org '\n",
         "'it's\nb.org ' 6:20 8:12 end 8:18"},
        {STEP "          policy: \"a.org\\nb.org\\n\"\n", "'a.org\nb.org\n' 6:20 6:27 end 6:32"},
        {STEP "          policy: \"\\u00fc.org\\x0ab.org\\\n            c\"\n",
         "'\xc3\xbc.org\nb.orgc' 6:20 6:34 end 7:14"},
        {STEP "          policy:\n            # why\n            \"a.org\"\n",
         "'a.org' 8:14 end 8:19"},
        {STEP "          policy: !!str\n            # why\n            \"a.org\"\n",
         "'a.org' 8:14 end 8:19"},
        {STEP "          policy:\n", "'' 6:18 end 6:18"},
        {STEP "          policy: ''\n", "'' 6:19 end 6:19"},
        {"jobs: {a: {steps: [{uses: ./, with: {policy: a.org}}]}}", "'a.org' 1:46 end 1:51"},
        {"\xef\xbb\xbfjobs: {a: {steps: [{uses: ./, with: {policy: a.org}}]}}",
         "'a.org' 1:49 end 1:54"},
        {"\xef\xbb\xbfjobs:\r\n  \xc3\xbc: # \xe2\x82\xac\r\n    steps:\r\n      - uses: ./\r\n"
         "        with:\r\n          policy: |\r\n            \xc3\xbc.org\r\n            "
         "b.org\r\n",
         "'\xc3\xbc.org\nb.org\n' 7:13 8:13 end 8:18"},
    };
    CLEANUP_BUFFER struct buffer got = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct workflow w;
        parse(rows[i].text, &w);
        assert_int_equal(w.n_steps, 1);
        assert_non_null(w.steps[0].policy.data);
        describe(&w, &w.steps[0].policy, &got);
        if (strcmp(got.data, rows[i].want) != 0)
            fail_msg("%s\n  want: %s\n   got: %s", rows[i].text, rows[i].want, got.data);
        workflow_release(&w);
    }
}

static void options(void **state)
{
    (void)state;
    struct workflow w;
    parse(STEP "          context: '[cgroup=@host]'\n          lenient: true\n"
               "          policy: |\n            a.org\n"
               "      - uses: ./\n        with:\n          lenient: false\n"
               "      - with: {policy: b.org}\n        uses: ./\n",
          &w);
    assert_int_equal(w.n_steps, 3);
    assert_string_equal(w.steps[0].context.data, "[cgroup=@host]");
    assert_int_equal(w.steps[0].context.line, 6);
    assert_int_equal(w.steps[0].context.column, 21);
    assert_true(w.steps[0].lenient);
    assert_int_equal(w.steps[0].line, 4);
    assert_int_equal(w.steps[0].policy.line, 9);
    assert_null(w.steps[1].policy.data);
    assert_null(w.steps[1].context.data);
    assert_false(w.steps[1].lenient);
    assert_int_equal(w.steps[1].line, 10);
    assert_string_equal(w.steps[2].policy.data, "b.org");
    assert_int_equal(w.steps[2].line, 14);
    workflow_release(&w);
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {STEP "          policy: [a, b]\n",
         "6:19 the step's 'policy' is no text; write it as a block, policy: |"},
        {STEP "          context: {}\n",
         "6:20 the step's 'context' is no text; write it as a block, context: |"},
        {"jobs: [\n", "2:1 this is no YAML: did not find expected node content; mend it, GitHub "
                      "could not read it either"},
        {"a: \xff\n", "1:4 this is no YAML: invalid leading UTF-8 octet; mend it, GitHub could "
                      "not read it either"},
        {"a: *b\n", "1:4 this is no YAML: found undefined alias; mend it, GitHub could not read "
                    "it either"},
        {"a:\n\tb: c\n", "2:1 this is no YAML: found character that cannot start any token; mend "
                         "it, GitHub could not read it either"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct workflow w;
        struct workflow_fault fault = {0};
        char got[256];
        assert_int_equal(workflow_parse(rows[i].text, strlen(rows[i].text), &w, &fault), -EINVAL);
        snprintf(got, sizeof(got), "%zu:%zu %s", fault.line, fault.column, fault.text);
        assert_string_equal(got, rows[i].want);
        workflow_release(&w);
    }
}

/* Every beginning of a file ends at a page that may not be touched. */
static void truncations(void **state)
{
    (void)state;
    static const char text[] =
        STEP "          policy: |2\n            a.org\n\n          context: \"\\u00fc\\\n  x\"\n"
             "      - uses: &a ./\n        with: {policy: 'it''s', context: *a}\n";
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0);
    for (size_t n = 0; n < sizeof(text); n++) {
        struct workflow w;
        struct workflow_fault fault = {0};
        memcpy(memory + page - n, text, n);
        int result = workflow_parse(memory + page - n, n, &w, &fault);
        assert_true(result == 0 || (result == -EINVAL && fault.line >= 1 && fault.text[0]));
        workflow_release(&w);
    }
    munmap(memory, 2 * page);
}

/* Files that cost libyaml the square of their size are refused before they do. */
static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *before, *repeated, *after;
        int result;
        const char *text;
    } rows[] = {
        {"", "[", "", -EINVAL, "1:101 this is nested deeper than any workflow; write it flatter"},
        {"", "{a: ", "", -EINVAL,
         "1:401 this is nested deeper than any workflow; write it flatter"},
        {"", "- ", "x", -EINVAL, "1:201 this is nested deeper than any workflow; write it flatter"},
        {"", "- &a x\n", "", -EINVAL, "1001:3 there are more than 1,000 anchors; write fewer"},
        {"", "#\n", "a: b", 0, "0:0 "},
        {"a: \"", "\\n", "\"", 0, "0:0 "},
        {"a: |\n", " x\n", "", 0, "0:0 "},
    };
    CLEANUP_BUFFER struct buffer text = {0};
    struct workflow w;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct workflow_fault fault = {0};
        char got[256];
        buffer_clear(&text);
        buffer_add_string(&text, rows[i].before);
        while (text.len < WORKFLOW_MAX - 16)
            buffer_add_string(&text, rows[i].repeated);
        buffer_add_string(&text, rows[i].after);
        int result = workflow_parse(text.data, text.len, &w, &fault);
        workflow_release(&w);
        snprintf(got, sizeof(got), "%zu:%zu %s", fault.line, fault.column, fault.text);
        if (result != rows[i].result || strcmp(got, rows[i].text) != 0)
            fail_msg("%s: %d, %s", rows[i].repeated, result, got);
    }
    struct workflow_fault fault = {0};
    buffer_add_string(&text, "                ");
    assert_int_equal(workflow_parse(text.data, text.len, &w, &fault), -EFBIG);
    workflow_release(&w);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", steps),    REPORT("-", places), REPORT("-", scalars),
        REPORT("-", options),  REPORT("-", faults), REPORT("R09", truncations),
        REPORT("R09", limits),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
