/* SPDX-License-Identifier: MIT
 * The program: a table of its commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrib.h"
#include "keeper/run.h"
#include "review/check.h"
#include "review/diff.h"
#include "review/fmt.h"
#include "review/match.h"
#include "review/presets.h"
#include "review/test.h"
#include "review/verify.h"
#include "roles/role.h"

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("egress-filter " EGRESS_VERSION);
    return 0;
}

static int help_main(int argc, char **argv);

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help; /* NULL: not for people */
} commands[] = {
    {"run", run_main, "run a command that reaches only what a policy allows"},
    {"check", check_main, "say what is wrong in policy files"},
    {"validate", check_main, NULL}, /* another name for it */
    {"match", match_main, "say what a policy would say to events, or to a log"},
    {"test", test_main, "ask policies the tests that stand in them"},
    {"diff", diff_main, "say what a new policy allows or denies that the old one did not"},
    {"fmt", fmt_main, "write policy files in their one form"},
    {"presets", presets_main, "list the rule sets that come with the program, or print one"},
    {"verify", verify_main, "check that a log is whole and unchanged"},
    {"version", version_main, "print the version"},
    {"help", help_main, "print this page"},
    {"role", role_main, NULL},
};

static int help_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("egress-filter decides and records what code may reach on the network.\n\n"
         "usage: egress-filter COMMAND …\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (commands[i].help)
            printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("\negress-filter COMMAND --help says more; man egress-filter says everything.");
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version_main(0, NULL);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help_main(0, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    if (*name)
        fprintf(stderr, "egress-filter: there is no command '%s'; see egress-filter help\n", name);
    else
        fputs("egress-filter: which command? See egress-filter help\n", stderr);
    return 2;
}
