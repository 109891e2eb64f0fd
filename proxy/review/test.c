/* SPDX-License-Identifier: MIT
 * The command line of `test`, and how results are told: TAP on standard output, and in a GitHub
 * workflow annotations beside it, which show a failure at its line in the review. */
#include "review/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "review/annotation.h"
#include "review/policy_files.h"
#include "review/test_lines.h"
#include "review/workflow.h"

struct test {
    struct policy_options policy; /* as the command line has them */
    bool annotate;
    size_t number, failed, errors;
    const char *repo;
    char repo_room[REPO_ROOM];
};

/* A policy, and where it stands: in a file of its own, or in a workflow. */
struct place {
    struct test *test;
    const char *file;
    const struct workflow *workflow;
    const struct workflow_step *step;
};

static void map_place(const struct place *p, const char *file, size_t *line, size_t *column)
{
    if (p->workflow && strcmp(file, p->file) == 0)
        workflow_place(p->workflow, &p->step->policy, line, column);
}

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    struct place *p = context;
    struct diagnostic told = *d;
    if (d->kind != DIAGNOSTIC_ERROR) /* warnings are for `check` to tell */
        return;
    map_place(p, d->file, &told.line, &told.column);
    p->test->errors++;
    policy_say(&told);
    if (p->test->annotate)
        annotation_print(stdout, told.file, told.line, told.column, told.text);
}

/* In TAP a # begins a directive. */
static void print_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = strcspn(text + i, "#\\");
        n = MIN(n, len - i);
        say_safely(stdout, text + i, n);
        i += n;
        if (i < len)
            printf("\\%c", text[i++]);
    }
}

/* Why, in words; each begins where "got deny" ends. */
static const char *why(const struct test_result *t)
{
    static const struct {
        const char *reason, *words;
    } table[] = {
        {"no-rule", ": no rule allows it"},
        {"unattributed", ": it depends on a fact of the process that the test does not tell"},
        {"resolver", ": the name is allowed, the resolver is not"},
        {"private-address", ": the rule would need `private`, or the address one of its own"},
    };
    for (size_t i = 0; t->reason && i < ARRAY_SIZE(table); i++)
        if (strcmp(t->reason, table[i].reason) == 0)
            return table[i].words;
    return "";
}

/* "wanted allow, got deny by a.rules:3 `deny x.org`" */
static void explain(const struct place *p, const struct test_result *t, struct buffer *out)
{
    const struct verdict *v = &t->got;
    buffer_printf(out, "wanted %s, got %s%s", verdict_action_name(t->wanted),
                  verdict_action_name(v->action), why(t));
    if (v->file) {
        size_t line = v->line, column = 1;
        map_place(p, v->file, &line, &column);
        buffer_printf(out, "%s %s:%zu `%s`", *why(t) ? "; see" : " by", v->file, line, v->rule);
    }
}

static void on_result(void *context, const struct test_result *t)
{
    struct place *p = context;
    CLEANUP_BUFFER struct buffer text = {0};
    size_t line = t->line, column = t->text.at + 1;
    bool good = t->read && t->good;
    map_place(p, p->file, &line, &column);
    p->test->failed += !good;
    printf("%s %zu - ", good ? "ok" : "not ok", ++p->test->number);
    print_text(p->file, strlen(p->file));
    printf(":%zu ", line);
    print_text(t->text.text, t->text.len);
    putchar('\n');
    if (good || !t->read)
        return;
    explain(p, t, &text);
    if (buffer_failed(&text))
        return;
    fputs("# ", stdout);
    say_safely(stdout, text.data, text.len);
    putchar('\n');
    if (p->test->annotate)
        annotation_print(stdout, p->file, line, column, text.data);
}

static void test_policy(struct place *p, const struct policy_source *source,
                        const struct policy_options *options)
{
    struct test *t = p->test;
    struct policy_options o = *options;
    size_t errors = t->errors, before = t->number;
    o.diagnose = on_diagnostic;
    o.diagnose_context = p;
    struct policy *policy = policy_parse(source, 1, &o);
    if (!policy && t->errors == errors) {
        say_error("cannot test '%s': out of memory", p->file);
        t->errors++;
    } else if (policy && policy_is_open(policy)) {
        say_error("'%s' uses {owner} or {repo}, and neither --repo OWNER/REPO nor "
                  "GITHUB_REPOSITORY says what they are",
                  p->file);
        t->errors++;
    } else if (policy && !test_lines(policy, source, &o, on_result, p) && t->errors == errors) {
        say_error("cannot test '%s': out of memory", p->file);
        t->errors++;
    } else if (policy && t->number == before) {
        fputs("# ", stdout);
        say_safely(stdout, p->file, strlen(p->file));
        puts(" holds no tests");
    }
    policy_unref(policy);
}

static void test_workflow(struct place *p, const struct policy_source *source,
                          struct policy_files *files)
{
    struct workflow workflow;
    struct workflow_fault fault = {0};
    int result = workflow_parse(source->data, source->len, &workflow, &fault);
    if (result < 0) {
        say_error("cannot read '%s': %s", p->file,
                  result == -EINVAL ? fault.text : strerror(-result));
        p->test->errors++;
    }
    p->workflow = &workflow;
    for (size_t i = 0; result == 0 && i < workflow.n_steps; i++) {
        const struct workflow_step *step = p->step = &workflow.steps[i];
        const struct policy_source inside = {p->file, step->policy.data, step->policy.len};
        struct policy_options o = p->test->policy;
        o.load = policy_files_load_inline;
        o.load_context = files;
        o.lenient = step->lenient;
        if (!o.context && step->context.data)
            o.context = step->context.data;
        if (step->policy.data)
            test_policy(p, &inside, &o);
    }
    workflow_release(&workflow);
}

static bool is_workflow(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static void test_file(struct test *t, const char *path)
{
    struct policy_files files = {0};
    struct policy_source source;
    struct place place = {.test = t, .file = path};
    int result = path[0] == '@' ? policy_files_preset(&files, path + 1, &source)
                                : policy_files_read(&files, path, &source);
    if (result < 0) {
        say_error("cannot read '%s': %s", path,
                  path[0] == '@' && result == -ENOENT ? "there is no such preset"
                                                      : strerror(-result));
        t->errors++;
    } else if (is_workflow(path)) {
        test_workflow(&place, &source, &files);
    } else {
        struct policy_options o = t->policy;
        o.load = policy_files_load;
        o.load_context = &files;
        place.file = source.name;
        test_policy(&place, &source, &o);
    }
    policy_files_release(&files);
}

static const struct cli_option options[] = {
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct test, policy.context),
     .help = "start context, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = offsetof(struct test, repo),
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
};

const struct cli_command test_command = {
    .name = "test",
    .summary = "ask policies the tests that stand in them",
    .usage = "[OPTION…] FILE|@PRESET…",
    .about =
        "Asks policies the tests that stand in them, as comments:\n"
        "\n"
        "  #? allow https://registry.npmjs.org/left-pad exe=/usr/bin/node\n"
        "  #? deny tcp 10.1.2.3:22\n"
        "\n"
        "An event is [METHOD] URL, tls HOST[:PORT], tcp ADDRESS:PORT, udp ADDRESS:PORT or\n"
        "dns NAME [at ADDRESS], then what is known of the process; what is not told is not known.\n"
        "Each result is a line of TAP; under GITHUB_ACTIONS failures are annotations too. Of a\n"
        "workflow (.yml, .yaml) the policies of egress-filter's steps are asked.\n",
    .status =
        "Exit status: 0 all as asked, 1 some are not, 2 a policy or a test cannot be read, or\n"
        "there is none.\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_POLICY,
    .least = 1,
    .most = -1,
    .needs = "needs a file to read, or @PRESET",
    .main = test_main,
};

int test_main(int argc, char **argv)
{
    const char *actions = getenv("GITHUB_ACTIONS");
    struct test t = {.annotate = actions && strcmp(actions, "true") == 0};
    struct cli_rest files;
    int code = cli_parse(&test_command, argc, argv, &t, &files);
    if (code != CLI_GO)
        return code;
    if (!policy_set_repo(t.repo, t.repo_room, &t.policy))
        return TEST_BAD;
    puts("TAP version 13");
    for (int i = 0; i < files.n; i++)
        test_file(&t, files.list[i]);
    printf("1..%zu\n", t.number);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the results: %s", strerror(errno));
        return TEST_BAD;
    }
    if (t.number == 0 && t.errors == 0)
        say_error("there is no test to run; write some, such as `#? allow https://github.com/ "
                  "exe=/usr/bin/git`");
    return t.errors || t.number == 0 ? TEST_BAD : t.failed ? TEST_FAILED : TEST_GOOD;
}
