/* SPDX-License-Identifier: MIT
 * The command line of `check`: each file is a policy of its own; a workflow file may hold several,
 * and what is said of them is said with its own lines. */
#include "review/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/say.h"
#include "review/dump_rules.h"
#include "review/policy_files.h"
#include "review/workflow.h"

struct check {
    struct policy_options policy; /* as the command line has them */
    bool dump, strict;
    size_t errors, warnings; /* of all files */
    const char *repo;
    char repo_room[REPO_ROOM];
};

/* Where a policy stands that is a part of a file; NULL members: it is the file. */
struct place {
    struct check *check;
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
    const struct place *p = context;
    struct diagnostic told = *d;
    bool of_context = p->workflow && p->step->context.data && strcmp(d->file, "context") == 0;
    if (of_context) {
        told.file = p->file;
        workflow_place(p->workflow, &p->step->context, &told.line, &told.column);
    } else {
        map_place(p, d->file, &told.line, &told.column);
    }
    p->check->errors += d->kind == DIAGNOSTIC_ERROR;
    p->check->warnings += d->kind == DIAGNOSTIC_WARNING;
    policy_say(&told);
}

static void dump(const struct policy *policy, const struct place *p)
{
    CLEANUP_BUFFER struct buffer out = {0};
    for (size_t i = 0; i < policy_rule_count(policy); i++) {
        const struct rule *r = policy_rule(policy, i);
        size_t line = r->line, column = r->column;
        map_place(p, r->file, &line, &column);
        buffer_clear(&out);
        dump_rule(r, line, &out);
        if (!buffer_failed(&out))
            puts(out.data);
    }
}

static void check_policy(struct place *p, const struct policy_source *source,
                         const struct policy_options *options)
{
    struct check *c = p->check;
    struct policy_options o = *options;
    size_t errors = c->errors, warnings = c->warnings;
    o.diagnose = on_diagnostic;
    o.diagnose_context = p;
    struct policy *policy = policy_parse(source, 1, &o);
    errors = c->errors - errors;
    warnings = c->warnings - warnings;
    if (!policy && !errors) {
        say_error("cannot check '%s': out of memory", p->file);
        c->errors++;
        return;
    }
    if (policy && c->dump) {
        dump(policy, p);
    } else if (!c->dump) {
        printf("%s", p->file);
        if (p->workflow)
            printf(":%zu", p->step->policy.line);
        if (policy)
            printf(": %zu rule%s", policy_rule_count(policy),
                   policy_rule_count(policy) == 1 ? "" : "s");
        else
            printf(": %zu error%s", errors, errors == 1 ? "" : "s");
        printf(", %zu warning%s\n", warnings, warnings == 1 ? "" : "s");
    }
    policy_unref(policy);
}

static void check_step(struct place *p, struct policy_files *files)
{
    const struct workflow_step *step = p->step;
    struct policy_options o = p->check->policy;
    const struct policy_source source = {p->file, step->policy.data, step->policy.len};
    if (!step->policy.data) {
        if (!p->check->dump)
            printf("%s:%zu: the step holds no policy\n", p->file, step->line);
        return;
    }
    o.load = policy_files_load_inline;
    o.load_context = files;
    o.lenient = o.lenient || step->lenient;
    /* What GitHub puts in place of an expression is not known here. */
    if (!o.context && step->context.data && !strstr(step->context.data, "${{"))
        o.context = step->context.data;
    check_policy(p, &source, &o);
}

static void check_workflow(struct place *p, const struct policy_source *source,
                           struct policy_files *files)
{
    struct workflow workflow;
    struct workflow_fault fault = {0};
    int result = workflow_parse(source->data, source->len, &workflow, &fault);
    if (result == -EINVAL) {
        const struct diagnostic d = {DIAGNOSTIC_ERROR, p->file, fault.line, fault.column,
                                     fault.text};
        p->check->errors++;
        policy_say(&d);
    } else if (result < 0) {
        say_error("cannot check '%s': %s", p->file, strerror(-result));
        p->check->errors++;
    } else if (!workflow.n_steps && !p->check->dump) {
        printf("%s: no step uses egress-filter\n", p->file);
    }
    p->workflow = &workflow;
    for (size_t i = 0; result == 0 && i < workflow.n_steps; i++) {
        p->step = &workflow.steps[i];
        check_step(p, files);
    }
    workflow_release(&workflow);
}

static bool is_workflow(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static void check_file(struct check *c, const char *path)
{
    struct policy_files files = {0};
    struct policy_source source;
    struct place place = {.check = c, .file = path};
    int result = policy_files_read(&files, path, &source);
    if (result < 0) {
        say_error("cannot read '%s': %s", path, strerror(-result));
        c->errors++;
    } else if (is_workflow(path)) {
        check_workflow(&place, &source, &files);
    } else {
        struct policy_options o = c->policy;
        o.load = policy_files_load;
        o.load_context = &files;
        place.file = source.name;
        check_policy(&place, &source, &o);
    }
    policy_files_release(&files);
}

static const struct cli_option options[] = {
    {.name = "dump-rules",
     .set = cli_flag,
     .field = offsetof(struct check, dump),
     .help = "print every rule as one JSON object a line"},
    {.name = "strict",
     .set = cli_flag,
     .field = offsetof(struct check, strict),
     .help = "exit with 1 when there are warnings"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct check, policy.context),
     .help = "start context, such as '[cgroup=@host]' (default in a workflow: the step's own)"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = offsetof(struct check, repo),
     .help =
         "values of {owner} and {repo} (default: GITHUB_REPOSITORY; without any, rules that use "
         "them are checked with them left open)"},
    {.name = "lenient",
     .set = cli_flag,
     .field = offsetof(struct check, policy.lenient),
     .help = "bad allow lines are warnings"},
};

const struct cli_command check_command = {
    .name = "check",
    .also = "validate",
    .summary = "say what is wrong in policy files",
    .usage = "[OPTION…] FILE…",
    .about =
        "Says what is wrong in policy files, each by itself: FILE:LINE:COLUMN, what, and what\n"
        "to write instead. In a GitHub workflow (.yml, .yaml) the policies of the steps that\n"
        "use egress-filter are checked where they stand. - is standard input.\n",
    .status =
        "Exit status: 0 good, 1 warnings under --strict, 2 errors, or a file cannot be read.\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_FILE,
    .least = 1,
    .most = -1,
    .needs = "needs a file to read",
    .main = check_main,
};

int check_main(int argc, char **argv)
{
    struct check c = {0};
    struct cli_rest files;
    int code = cli_parse(&check_command, argc, argv, &c, &files);
    if (code != CLI_GO)
        return code;
    if (!policy_set_repo(c.repo, c.repo_room, &c.policy))
        return CHECK_BAD;
    for (int i = 0; i < files.n; i++)
        check_file(&c, files.list[i]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the result: %s", strerror(errno));
        return CHECK_BAD;
    }
    return c.errors ? CHECK_BAD : c.strict && c.warnings ? CHECK_WARNED : CHECK_GOOD;
}
