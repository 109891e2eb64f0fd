/* SPDX-License-Identifier: MIT
 * The command line of `fmt`. A file is written only when it has no error, is not formatted already,
 * and means the same afterwards, which is looked at and not believed. */
#include "review/fmt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/say.h"
#include "review/dump_rules.h"
#include "review/file_replace.h"
#include "review/fmt_diff.h"
#include "review/policy_files.h"
#include "rules/format.h"
#include "rules/rule.h"

struct fmt {
    const char *context;
    bool check, diff;
    bool differs, bad;
};

/* The text of one file on its way. */
struct text {
    struct policy_source source;
    struct buffer out;
    struct format_map map;
    struct policy_files files;
};

static void text_release(struct text *t)
{
    format_map_release(&t->map);
    buffer_release(&t->out);
    policy_files_release(&t->files);
}

/* What a line includes does not change how it is written: one rule shows its name and selectors. */
static int load_one(void *context, const char *from, const char *what, bool preset,
                    struct policy_source *source)
{
    (void)context, (void)from, (void)preset;
    static const char rule[] = "included.example";
    *source = (struct policy_source){what, rule, sizeof(rule) - 1};
    return 0;
}

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    (void)context;
    if (d->kind == DIAGNOSTIC_ERROR)
        policy_say(d);
}

/* Every rule of a text, but for the number of its line; false where it is refused. */
static bool dump(const struct fmt *f, const struct policy_source *source, bool loud,
                 struct buffer *out)
{
    const struct policy_options options = {
        .context = f->context, .load = load_one, .diagnose = loud ? on_diagnostic : NULL};
    struct policy *policy = policy_parse(source, 1, &options);
    for (size_t i = 0; policy && i < policy_rule_count(policy); i++)
        dump_rule(policy_rule(policy, i), 0, out);
    bool good = policy != NULL && !buffer_failed(out);
    policy_unref(policy);
    return good;
}

/* Fills in t->out; false when the file has errors, or formatting it would change it. */
static bool format(const struct fmt *f, struct text *t)
{
    CLEANUP_BUFFER struct buffer before = {0}, after = {0};
    if (!dump(f, &t->source, true, &before))
        return false;
    if (policy_format(t->source.data, t->source.len, &t->out, &t->map) < 0) {
        say_error("out of memory");
        return false;
    }
    const struct policy_source written = {t->source.name, t->out.data, t->out.len};
    if (dump(f, &written, false, &after) && before.len == after.len &&
        (before.len == 0 || memcmp(before.data, after.data, before.len) == 0))
        return true;
    say_error("'%s' would mean something else when formatted, so it is left "
              "alone; please report this",
              t->source.name);
    return false;
}

static void write_back(struct fmt *f, const char *path, const struct stat *was,
                       const struct text *t)
{
    struct error error = {0};
    if (file_replace(path, was, t->out.data, t->out.len, &error) < 0) {
        say_error("%s", error.text);
        f->bad = true;
        return;
    }
    puts(path);
}

static void settle(struct fmt *f, const char *path, const struct stat *was, struct text *t)
{
    CLEANUP_BUFFER struct buffer diff = {0};
    bool differs = t->out.len != t->source.len ||
                   (t->out.len > 0 && memcmp(t->out.data, t->source.data, t->out.len) != 0);
    bool is_stdin = strcmp(path, "-") == 0;
    f->differs = f->differs || differs;
    if (is_stdin && !f->check && !f->diff) {
        fwrite(t->out.data, 1, t->out.len, stdout);
        return;
    }
    if (!differs)
        return;
    if (f->diff) {
        fmt_diff(t->source.name, &t->map, &t->out, &diff);
        fwrite(diff.data ? diff.data : "", 1, diff.len, stdout);
    } else if (f->check) {
        puts(t->source.name);
    } else {
        write_back(f, path, was, t);
    }
}

static void take_file(struct fmt *f, const char *path)
{
    struct text t = {0};
    struct stat was = {0};
    bool is_stdin = strcmp(path, "-") == 0;
    int result = !is_stdin && stat(path, &was) < 0 ? -errno : 0;
    if (result == 0)
        result = policy_files_read(&t.files, path, &t.source);
    if (result < 0)
        say_error("cannot read '%s': %s", path, strerror(-result));
    if (result < 0 || !format(f, &t))
        f->bad = true;
    else
        settle(f, path, &was, &t);
    text_release(&t);
}

static const struct cli_option options[] = {
    {.name = "check",
     .set = cli_flag,
     .field = offsetof(struct fmt, check),
     .help = "write nothing; name the files that are not in that form"},
    {.name = "diff",
     .set = cli_flag,
     .field = offsetof(struct fmt, diff),
     .help = "write nothing; print what would change"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct fmt, context),
     .help = "start context, where a policy needs one to be read"},
};

const struct cli_command fmt_command = {
    .name = "fmt",
    .summary = "write policy files in their one form",
    .usage = "[--check] [--diff] [OPTION…] FILE…",
    .about =
        "Writes policy files in their one form: blanks, columns, empty lines and the case of\n"
        "methods; comments, order and words stay, and so does what the policy means. Prints the\n"
        "names of files that it changed. A file with errors is left alone. - is standard input,\n"
        "and then the result goes to standard output.\n",
    .status = "Exit status: 0 done, 1 --check found some, 2 errors, or a file cannot be read or "
              "written.\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_FILE,
    .least = 1,
    .most = -1,
    .needs = "needs a file",
    .main = fmt_main,
};

int fmt_main(int argc, char **argv)
{
    struct fmt f = {0};
    struct cli_rest files;
    int code = cli_parse(&fmt_command, argc, argv, &f, &files);
    if (code != CLI_GO)
        return code;
    for (int i = 0; i < files.n; i++)
        take_file(&f, files.list[i]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the result: %s", strerror(errno));
        return FMT_BAD;
    }
    return f.bad ? FMT_BAD : f.check && f.differs ? FMT_DIFFERS : FMT_GOOD;
}
