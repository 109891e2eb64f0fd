/* SPDX-License-Identifier: MIT
 * Commands and their options as tables: one parser reads them, one printer makes --help of them,
 * and shells' completion, the manual pages' test and `help` go by the same rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attrib.h"

/* What a word of the command line is, so that a shell can complete it. */
enum cli_kind {
    CLI_TEXT,    /* nothing that could be guessed */
    CLI_FILE,    /* or a directory */
    CLI_USER,    /* a user's name */
    CLI_WORD,    /* one of the option's or the command's `words` */
    CLI_POLICY,  /* a file, or @ and the name of a preset */
    CLI_PRESET,  /* the name of a preset */
    CLI_COMMAND, /* another program and its arguments */
    CLI_SELF,    /* one of this program's commands */
};

struct cli_option {
    const char *name;         /* without the dashes */
    const char *value;        /* what --help calls it; NULL: a switch */
    enum cli_kind kind;       /* of the value */
    const char *const *words; /* of CLI_WORD; NULL at the end */
    const char *help;         /* NULL: not for people */
    /* Takes the value (NULL of a switch) into the field. 0, -EINVAL, or -E2BIG: one too many. */
    int (*set)(void *field, const char *value);
    size_t field;     /* where in what cli_parse fills in */
    const char *must; /* what a value must be, for the error; NULL: `words`, or `help` say it */
    const char *(*fault)(const char *value); /* the same, where it depends on the value; or NULL */
};

struct cli_command {
    const char *name;
    const char *also;    /* another name for it, or NULL */
    const char *summary; /* for `help`; NULL: not for people */
    const char *usage;   /* what stands behind the name */
    /* Paragraphs of --help, with their line ends; NULL where there is nothing to say. */
    const char *about, *status, *example;
    const struct cli_option *options; /* --help and -h are every command's and stand in none */
    size_t n_options;
    enum cli_kind takes;      /* what stands behind the options */
    const char *const *words; /* of CLI_WORD; NULL at the end */
    int least, most;          /* how many; most < 0: any number */
    const char *needs;        /* the sentence where there are fewer or more; NULL: it takes none */
    int misuse;               /* exit status of a wrong command line; 0: 2 */
    int (*main)(int argc, char **argv); /* argv[0] is the name */
};

/* What is left of the command line behind the options. */
struct cli_rest {
    char **list; /* of argv; NULL at the end where argv has one */
    int n;
};

#define CLI_LIST_MAX 64

struct cli_list {
    const char *items[CLI_LIST_MAX]; /* of argv */
    size_t n;
};

enum { CLI_GO = -1 };

/* Reads argv by getopt_long(3), into `into`, to which the fields of the options are relative. Names
 * of options are taken whole only: an abbreviation would change its meaning with the next option.
 * Options of a command that takes another one (CLI_COMMAND) come before that. Returns CLI_GO, or
 * what to exit with, when help was asked for and printed or something was wrong and was said. */
int cli_parse(const struct cli_command *c, int argc, char **argv, void *into,
              struct cli_rest *rest) NODISCARD NONNULL(1, 3, 5);
/* The page that --help prints. */
void cli_help(const struct cli_command *c) NONNULL(1);
/* Whether all that was printed on standard output got there: true, or false after saying why not.
 */
bool cli_printed(void) NODISCARD;
/* The command of that name, NULL where there is none. */
const struct cli_command *cli_find(const struct cli_command *const *table, size_t n,
                                   const char *name) NODISCARD NONNULL(1, 3);
/* The command that people may have meant, or NULL. */
const struct cli_command *cli_nearest(const struct cli_command *const *table, size_t n,
                                      const char *name) NODISCARD NONNULL(1, 3);

/* Setters. */
int cli_flag(void *field, const char *value); /* bool */
int cli_text(void *field, const char *value); /* const char *; not empty */
/* The same, of a file that is no stream: - is refused. */
int cli_path(void *field, const char *value);
int cli_any(void *field, const char *value); /* const char *; may be empty */
int cli_add(void *field, const char *value); /* struct cli_list */

/* The shells that there is completion for; NULL at the end. */
extern const char *const cli_shells[];
/* Writes a shell's completion of all commands that are for people. 0, or -EINVAL: no such shell. */
int cli_complete(const char *shell, const struct cli_command *const *table, size_t n,
                 FILE *out) NODISCARD NONNULL(1, 2, 4);
