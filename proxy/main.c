/* SPDX-License-Identifier: MIT
 * The program: a table of its commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/say.h"
#include "keeper/doctor.h"
#include "keeper/run.h"
#include "review/check.h"
#include "review/diff.h"
#include "review/explain.h"
#include "review/fmt.h"
#include "review/match.h"
#include "review/presets.h"
#include "review/suggest.h"
#include "review/test.h"
#include "review/verify.h"
#include "roles/role.h"

static int version_main(int argc, char **argv);
static int completion_main(int argc, char **argv);
static int help_main(int argc, char **argv);

static const struct cli_command version_command = {
    .name = "version",
    .summary = "print the version",
    .usage = "",
    .about = "Prints the version.\n",
    .main = version_main,
};

static const struct cli_command completion_command = {
    .name = "completion",
    .summary = "print what makes a shell complete the program's commands and options",
    .usage = "bash|zsh|fish",
    .about =
        "Prints what makes a shell complete egress-filter's commands, options and their values.\n"
        "`make install` and the package put it where shells look for it; otherwise:\n"
        "\n"
        "  bash  eval \"$(egress-filter completion bash)\"     in ~/.bashrc\n"
        "  zsh   egress-filter completion zsh > _egress-filter  in a directory of $fpath\n"
        "  fish  egress-filter completion fish | source       in config.fish\n",
    .status = "Exit status: 0 done, 2 there is no completion for that shell.\n",
    .takes = CLI_WORD,
    .words = cli_shells,
    .least = 1,
    .most = 1,
    .needs = "needs the name of one shell: bash, zsh or fish",
    .main = completion_main,
};

static const struct cli_command help_command = {
    .name = "help",
    .summary = "print this page, or that of a command",
    .usage = "[COMMAND]",
    .about = "Prints a summary of the commands, or of the options of one.\n",
    .takes = CLI_SELF,
    .most = 1,
    .needs = "tells about one command at a time",
    .main = help_main,
};

/* Not for people: it reads what the keeper writes, which are no options. */
static const struct cli_command role_command = {.name = "role", .main = role_main};

static const struct cli_command *const commands[] = {
    &run_command,    &suggest_command,    &explain_command, &doctor_command, &check_command,
    &match_command,  &test_command,       &diff_command,    &fmt_command,    &presets_command,
    &verify_command, &completion_command, &version_command, &help_command,   &role_command,
};

static int version_main(int argc, char **argv)
{
    struct cli_rest rest;
    int code = cli_parse(&version_command, argc, argv, NULL, &rest);
    if (code != CLI_GO)
        return code;
    puts("egress-filter " EGRESS_VERSION);
    return cli_printed() ? 0 : 2;
}

static int completion_main(int argc, char **argv)
{
    struct cli_rest rest;
    int code = cli_parse(&completion_command, argc, argv, NULL, &rest);
    if (code != CLI_GO)
        return code;
    if (cli_complete(rest.list[0], commands, ARRAY_SIZE(commands), stdout) < 0) {
        say_note("there is no completion for '%s'; there is for bash, zsh and fish", rest.list[0]);
        return 2;
    }
    return cli_printed() ? 0 : 2;
}

static int say_no_command(const char *name)
{
    const struct cli_command *meant = cli_nearest(commands, ARRAY_SIZE(commands), name);
    if (meant)
        say_note("there is no command '%s'; did you mean '%s'?", name, meant->name);
    else if (name[0] == '-')
        say_note("which command? It comes before its options: egress-filter run %s", name);
    else
        say_note("there is no command '%s'; see egress-filter help", name);
    return 2;
}

static int help_main(int argc, char **argv)
{
    struct cli_rest rest;
    int code = cli_parse(&help_command, argc, argv, NULL, &rest);
    if (code != CLI_GO)
        return code;
    if (rest.n == 1) {
        const struct cli_command *c = cli_find(commands, ARRAY_SIZE(commands), rest.list[0]);
        if (!c || !c->summary)
            return say_no_command(rest.list[0]);
        cli_help(c);
        return cli_printed() ? 0 : 2;
    }
    puts("egress-filter decides and records what code may reach on the network.\n\n"
         "usage: egress-filter COMMAND …\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (commands[i]->summary)
            printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    puts("\negress-filter COMMAND --help says more; man egress-filter-COMMAND says everything.");
    return cli_printed() ? 0 : 2;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version_main(1, argv);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help_main(1, argv);
    const struct cli_command *c = cli_find(commands, ARRAY_SIZE(commands), name);
    if (c)
        return c->main(argc - 1, argv + 1);
    if (*name)
        return say_no_command(name);
    say_note("which command? See egress-filter help");
    return 2;
}
