/* SPDX-License-Identifier: MIT
 * The parser of command lines, over a table of its own: what it takes, and what it says of the
 * rest. */
#include "base/cli.h"

#include <errno.h>

#include "unit/review_run.h"

struct fields {
    bool quiet, strict;
    const char *log, *way;
    struct cli_list files;
};

static struct fields got;
static struct cli_rest rest;

static int set_way(void *field, const char *value)
{
    *(const char **)field = value;
    return strcmp(value, "up") == 0 || strcmp(value, "down") == 0 ? 0 : -EINVAL;
}

static const char *const ways[] = {"up", "down", NULL};

static const struct cli_option options[] = {
    {.name = "quiet", .set = cli_flag, .field = offsetof(struct fields, quiet), .help = "say less"},
    {.name = "strict",
     .set = cli_flag,
     .field = offsetof(struct fields, strict),
     .help = "take warnings for errors, and say so in a sentence that is much longer than what is "
             "left of a line behind the options"},
    {.name = "log",
     .value = "FILE",
     .set = cli_text,
     .field = offsetof(struct fields, log),
     .help = "where to write"},
    {.name = "file",
     .value = "FILE",
     .set = cli_add,
     .field = offsetof(struct fields, files),
     .help = "what to read"},
    {.name = "way",
     .value = "WAY",
     .kind = CLI_WORD,
     .words = ways,
     .set = set_way,
     .field = offsetof(struct fields, way),
     .help = "where to"},
    {.name = "secret", .set = cli_flag, .field = offsetof(struct fields, strict)},
};

static const struct cli_command plain = {.name = "look",
                                         .usage = "[OPTION…] FILE…",
                                         .about = "Looks.\n",
                                         .options = options,
                                         .n_options = ARRAY_SIZE(options),
                                         .least = 1,
                                         .most = 2,
                                         .needs = "needs one file or two"};
static const struct cli_command outer = {.name = "do",
                                         .usage = "COMMAND",
                                         .about = "Does.\n",
                                         .options = options,
                                         .n_options = ARRAY_SIZE(options),
                                         .takes = CLI_COMMAND,
                                         .least = 1,
                                         .most = -1,
                                         .needs = "needs a command",
                                         .misuse = 125};
static const struct cli_command bare = {.name = "version", .usage = "", .about = "Prints.\n"};

static int run_plain(int argc, char **argv)
{
    got = (struct fields){0};
    return cli_parse(&plain, argc, argv, &got, &rest);
}

static int run_outer(int argc, char **argv)
{
    got = (struct fields){0};
    return cli_parse(&outer, argc, argv, &got, &rest);
}

static int run_bare(int argc, char **argv)
{
    return cli_parse(&bare, argc, argv, NULL, &rest);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        int (*command)(int argc, char **argv);
        const char *line;
        int code;
        const char *says;
    } table[] = {
        {run_plain, "look --quite a", 2, "look has no option '--quite'; did you mean '--quiet'?"},
        {run_plain, "look a --srict=3", 2, "no option '--srict'; did you mean '--strict'?"},
        {run_plain, "look --qui a", 2, "no option '--qui'; did you mean '--quiet'?"},
        {run_plain, "look -quiet a", 2, "no option '-quiet'; did you mean '--quiet'?"},
        {run_plain, "look a -x", 2, "no option '-x'; see egress-filter look --help"},
        {run_plain, "look --sekret a", 2, "no option '--sekret'; see egress-filter look --help"},
        {run_plain, "look --hel", 2, "no option '--hel'"},
        {run_plain, "look --quiet=yes a", 2, "option '--quiet' takes no value"},
        {run_plain, "look --log", 2, "option '--log' needs a value: --log FILE"},
        {run_plain, "look --log= a", 2, "option '--log' needs a value: --log FILE"},
        {run_plain, "look --way left a", 2, "option '--way' cannot be 'left': it is up or down"},
        {run_plain, "look --way \x1b[31m a", 2, "cannot be '\\x1b[31m': it is"},
        {run_plain, "look", 2, "look needs one file or two\nusage: egress-filter look [OPTION…]"},
        {run_plain, "look a b c", 2, "look needs one file or two"},
        {run_outer, "do --quiet", 125, "do needs a command"},
        {run_outer, "do --nosuch x", 125, "do has no option '--nosuch'"},
        {run_bare, "version x", 2,
         "version takes no arguments, and got 'x'\nusage: egress-filter "
         "version\n"},
        {run_bare, "version --quiet", 2, "version has no option '--quiet'"},
    };
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        int code = review_run(table[i].command, table[i].line, "", &out, &err);
        if (code != table[i].code || !strstr(err.data, table[i].says) || *out.data)
            fail_msg("%s: %d, %s", table[i].line, code, err.data);
        assert_non_null(strstr(err.data, "\nusage: egress-filter "));
    }
}

static void taken(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    /* Behind and between the arguments, both forms of a value, and -- in front of what looks like
     * an option. */
    assert_int_equal(
        review_run(run_plain, "look a --log x --file=y --file z -- --quiet", "", &out, &err),
        CLI_GO);
    assert_int_equal(rest.n, 2);
    assert_false(got.quiet);
    assert_int_equal(got.files.n, 2);
    assert_int_equal(review_run(run_plain, "look --secret a", "", &out, &err), CLI_GO);
    assert_true(got.strict);
    /* What stands behind the command is the command's. */
    assert_int_equal(review_run(run_outer, "do --quiet x --nosuch -- --log", "", &out, &err),
                     CLI_GO);
    assert_true(got.quiet);
    assert_int_equal(rest.n, 4);
    assert_int_equal(review_run(run_outer, "do -- --quiet", "", &out, &err), CLI_GO);
    assert_false(got.quiet);
    assert_int_equal(rest.n, 1);
    assert_true(*out.data == '\0' && *err.data == '\0');
}

static void too_many(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    char name[] = "look", file[] = "--file=a", *argv[CLI_LIST_MAX + 3] = {name};
    for (size_t i = 1; i < CLI_LIST_MAX + 2; i++)
        argv[i] = file;
    got = (struct fields){0};
    assert_int_equal(cli_parse(&plain, CLI_LIST_MAX + 1, argv, &got, &rest), 2); /* no argument */
    assert_int_equal(got.files.n, CLI_LIST_MAX);
    got = (struct fields){0};
    assert_int_equal(cli_parse(&plain, CLI_LIST_MAX + 2, argv, &got, &rest), 2);
    assert_int_equal(got.files.n, CLI_LIST_MAX);
}

static void help(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    static const char *const lines[] = {"look --help", "look a --quiet -h --nosuch"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(review_run(run_plain, lines[i], "", &out, &err), 0);
        assert_non_null(strstr(out.data, "usage: egress-filter look [OPTION…] FILE…\n\nLooks.\n"));
        assert_non_null(strstr(out.data, "\n  --way WAY    where to\n"));
        assert_non_null(strstr(out.data, "\n  --help       this text\n"));
        assert_null(strstr(out.data, "--secret"));
        for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 100);
        assert_string_equal(err.data, "");
    }
}

static void names(void **state)
{
    (void)state;
    static const struct cli_command check = {
        .name = "check", .also = "validate", .summary = "says what is wrong"};
    static const struct cli_command role = {.name = "role"};
    static const struct cli_command *const commands[] = {&check, &role};
    static const struct {
        const char *word;
        const struct cli_command *found, *nearest;
    } table[] = {
        {"check", &check, &check},
        {"validate", &check, NULL},
        {"chekc", NULL, &check},
        {"che", NULL, &check},
        {"role", &role, NULL},
        {"rol", NULL, NULL},
        {"c", NULL, NULL},
        {"", NULL, NULL},
        {"something-else", NULL, NULL},
        {"a-word-that-is-much-longer-than-any-name-of-a-command", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        assert_ptr_equal(cli_find(commands, 2, table[i].word), table[i].found);
        assert_ptr_equal(cli_nearest(commands, 2, table[i].word), table[i].nearest);
    }
}

static void clean_up(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(review_directory), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", refusals), REPORT("-", taken), REPORT("-", too_many),
        REPORT("-", help),     REPORT("-", names), REPORT("-", clean_up),
    };
    if (review_enter(NULL) < 0)
        return 1;
    return unit_run(tests, ARRAY_SIZE(tests));
}
