/* SPDX-License-Identifier: MIT
 * The command line of `diff`: two policies in, what one says and the other does not out. */
#include "review/diff.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "review/diff_tell.h"
#include "review/policy_files.h"

struct diff {
    struct policy_options options;
    bool json;
    size_t errors;
    const char *repo;
    char repo_room[REPO_ROOM];
    struct buffer text;
    bool any;
};

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    struct diff *diff = context;
    if (d->kind != DIAGNOSTIC_ERROR) /* warnings are for `check` to tell */
        return;
    diff->errors++;
    policy_say(d);
}

/* NULL after saying why. */
static struct policy *load(struct diff *d, const char *path)
{
    struct policy_files files = {0};
    struct policy_source source;
    struct policy_options o = d->options;
    struct policy *policy = NULL;
    size_t errors = d->errors;
    o.load = policy_files_load;
    o.load_context = &files;
    o.diagnose = on_diagnostic;
    o.diagnose_context = d;
    int result = path[0] == '@' ? policy_files_preset(&files, path + 1, &source)
                                : policy_files_read(&files, path, &source);
    if (result < 0)
        say_error("cannot read '%s': %s", path, strerror(-result));
    else if (!(policy = policy_parse(&source, 1, &o)) && d->errors == errors)
        say_error("cannot load '%s': out of memory", path);
    policy_files_release(&files);
    if (policy && policy_is_open(policy)) {
        say_error("'%s' uses {owner} or {repo}, and neither --repo OWNER/REPO nor "
                  "GITHUB_REPOSITORY says what they are",
                  path);
        policy_unref(policy);
        return NULL;
    }
    return policy;
}

static void on_change(void *context, const struct diff_change *change)
{
    struct diff *d = context;
    buffer_clear(&d->text);
    if (d->json) {
        fputs(d->any ? ",\n" : "\n", stdout);
        diff_tell_json(change, &d->text);
        if (!buffer_failed(&d->text))
            fwrite(d->text.data, 1, d->text.len, stdout);
    } else {
        diff_tell_words(change, &d->text);
        /* Line by line: what stands in a policy may command a terminal. */
        for (char *line = d->text.data; line && *line;) {
            size_t len = strcspn(line, "\n");
            say_safely(stdout, line, len);
            putchar('\n');
            line += len + (line[len] == '\n');
        }
    }
    d->any = true;
}

static int compare(struct diff *d, const struct policy *before, const struct policy *after)
{
    struct diff_result result;
    if (d->json)
        fputs("{\"changes\":[", stdout);
    int failed = diff_find(before, after, on_change, d, &result);
    bool same = result.changes == 0 && result.exact;
    if (d->json)
        printf("%s],\"same\":%s,\"exact\":%s}\n", d->any ? "\n" : "", same ? "true" : "false",
               result.exact ? "true" : "false");
    else if (!result.exact)
        puts("? there may be other differences: wildcards overlap, or rules are too many, to look "
             "at every case");
    else if (same)
        puts("no difference");
    buffer_release(&d->text);
    if (failed < 0) {
        say_error("out of memory");
        return DIFF_BAD;
    }
    return same ? DIFF_SAME : DIFF_CHANGED;
}

static const struct cli_option options[] = {
    {.name = "json",
     .set = cli_flag,
     .field = offsetof(struct diff, json),
     .help = "one JSON object"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct diff, options.context),
     .help = "start context of both, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = offsetof(struct diff, repo),
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
};

const struct cli_command diff_command = {
    .name = "diff",
    .summary = "say what a new policy allows or denies that the old one did not",
    .usage = "[--json] [OPTION…] OLD NEW",
    .about =
        "Says what the policy NEW allows or denies that OLD did not, for which traffic and which\n"
        "processes, by which rules, each with an event that both were asked about. Comments,\n"
        "order and form make no difference, only verdicts do. A policy is a file, - or @PRESET.\n",
    .status =
        "Exit status: 0 they say the same, 1 they differ, or may in a way that was not looked at,\n"
        "2 errors, or a file cannot be read.\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_POLICY,
    .least = 2,
    .most = 2,
    .needs = "compares two policies: egress-filter diff OLD NEW",
    .main = diff_main,
};

int diff_main(int argc, char **argv)
{
    struct diff d = {0};
    struct cli_rest policies;
    int code = cli_parse(&diff_command, argc, argv, &d, &policies);
    if (code != CLI_GO)
        return code;
    if (!policy_set_repo(d.repo, d.repo_room, &d.options))
        return DIFF_BAD;
    struct policy *before = load(&d, policies.list[0]);
    struct policy *after = load(&d, policies.list[1]);
    code = before && after ? compare(&d, before, after) : DIFF_BAD;
    policy_unref(before);
    policy_unref(after);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the differences: %s", strerror(errno));
        return DIFF_BAD;
    }
    return code;
}
