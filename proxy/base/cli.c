/* SPDX-License-Identifier: MIT
 * Reads a command line by a command's table, and says what is wrong with it. */
#include "base/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"

#define NAME_MAX_LENGTH 40  /* longer than any name in a table */
#define FIRST_ROW       256 /* getopt's value of the first row: no letter */

int cli_flag(void *field, const char *value)
{
    (void)value;
    *(bool *)field = true;
    return 0;
}

int cli_any(void *field, const char *value)
{
    *(const char **)field = value;
    return 0;
}

int cli_text(void *field, const char *value)
{
    *(const char **)field = value;
    return *value ? 0 : -EINVAL;
}

int cli_path(void *field, const char *value)
{
    return strcmp(value, "-") == 0 ? -EINVAL : cli_text(field, value);
}

int cli_add(void *field, const char *value)
{
    struct cli_list *list = field;
    if (!*value)
        return -EINVAL;
    if (list->n == CLI_LIST_MAX)
        return -E2BIG;
    list->items[list->n++] = value;
    return 0;
}

/* How many letters one must put in, take out, change or swap to make one word of the other. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_LENGTH + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_LENGTH || m > NAME_MAX_LENGTH)
        return NAME_MAX_LENGTH;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = MIN(MIN(now[j - 1], last[j]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = MIN(now[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

/* How far the word is from the name, as one mistypes or shortens it; SIZE_MAX: not meant. */
static size_t mistaken(const char *word, const char *name)
{
    size_t len = strlen(word);
    if (len > 1 && strncmp(word, name, len) == 0)
        return 1;
    size_t far = distance(word, name);
    return far <= MAX(1u, MIN(len, strlen(name)) / 3) ? far : SIZE_MAX;
}

const struct cli_command *cli_find(const struct cli_command *const *table, size_t n,
                                   const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i]->name, name) == 0 ||
            (table[i]->also && strcmp(table[i]->also, name) == 0))
            return table[i];
    return NULL;
}

const struct cli_command *cli_nearest(const struct cli_command *const *table, size_t n,
                                      const char *name)
{
    const struct cli_command *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t far = table[i]->summary ? mistaken(name, table[i]->name) : SIZE_MAX;
        if (far < least) {
            least = far;
            best = table[i];
        }
    }
    return best;
}

static const struct cli_option *nearest_option(const struct cli_command *c, const char *name)
{
    const struct cli_option *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < c->n_options; i++) {
        size_t far = c->options[i].help ? mistaken(name, c->options[i].name) : SIZE_MAX;
        if (far < least) {
            least = far;
            best = &c->options[i];
        }
    }
    return best;
}

static int misused(const struct cli_command *c)
{
    fprintf(stderr, "usage: egress-filter %s%s%s\n", c->name, *c->usage ? " " : "", c->usage);
    return c->misuse ? c->misuse : 2;
}

/* word: as it was typed, with its dashes. */
static int say_unknown(const struct cli_command *c, const char *word)
{
    char name[NAME_MAX_LENGTH + 1];
    const char *bare = word + strspn(word, "-");
    size_t len = strcspn(bare, "="), dashes = (size_t)(bare - word);
    const struct cli_option *meant = NULL;
    if (len > 0 && len < sizeof name) {
        memcpy(name, bare, len);
        name[len] = '\0';
        meant = nearest_option(c, name);
    }
    if (meant)
        say_note("%s has no option '%.*s'; did you mean '--%s'?", c->name, (int)(dashes + len),
                 word, meant->name);
    else
        say_note("%s has no option '%.*s'; see egress-filter %s --help", c->name,
                 (int)(dashes + len), word, c->name);
    return misused(c);
}

static int say_no_value(const struct cli_command *c, const struct cli_option *o)
{
    say_note("option '--%s' needs a value: --%s %s", o->name, o->name, o->value);
    return misused(c);
}

static int say_bad_value(const struct cli_command *c, const struct cli_option *o, const char *value,
                         int failed)
{
    char words[128] = "it is ";
    size_t len = strlen(words);
    for (size_t i = 0; o->words && o->words[i] && len < sizeof words; i++)
        len += (size_t)snprintf(words + len, sizeof words - len, "%s%s",
                                i == 0            ? ""
                                : o->words[i + 1] ? ", "
                                                  : " or ",
                                o->words[i]);
    const char *why = o->fault ? o->fault(value) : NULL;
    if (!why && !*value)
        return say_no_value(c, o);
    if (failed == -E2BIG)
        say_note("option '--%s' is given too often", o->name);
    else
        say_note("option '--%s' cannot be '%s': %s", o->name, value,
                 why        ? why
                 : o->must  ? o->must
                 : o->words ? words
                 : o->help  ? o->help
                            : o->value);
    return misused(c);
}

static int take(const struct cli_command *c, const struct cli_option *o, void *into,
                const char *value)
{
    int failed = o->set((char *)into + o->field, value);
    return failed ? say_bad_value(c, o, value ? value : "", failed) : CLI_GO;
}

/* The word that getopt_long has just refused: within a group of letters it has not moved on. */
static const char *refused(int argc, char **argv)
{
    const char *here = optind < argc ? argv[optind] : "";
    if (optopt && here[0] == '-' && here[1] != '-' && strchr(here, optopt))
        return here;
    return argv[optind - 1];
}

/* What getopt_long returned, other than a row of the table. */
static int other(const struct cli_command *c, int got, int argc, char **argv)
{
    const struct cli_option *o = optopt >= FIRST_ROW ? &c->options[optopt - FIRST_ROW] : NULL;
    if (got == 'h') {
        cli_help(c);
        return cli_printed() ? 0 : c->misuse ? c->misuse : 2;
    }
    if (got == ':' && o)
        return say_no_value(c, o);
    if (o) {
        say_note("option '--%s' takes no value", o->name);
        return misused(c);
    }
    return say_unknown(c, refused(argc, argv));
}

static int read_options(const struct cli_command *c, const struct option *rows, int argc,
                        char **argv, void *into)
{
    const char *letters = c->takes == CLI_COMMAND ? "+:h" : ":h";
    int result = CLI_GO;
    optind = 0; /* starts getopt afresh */
    opterr = 0;
    for (int got; result == CLI_GO && (got = getopt_long(argc, argv, letters, rows, NULL)) != -1;) {
        if (got < FIRST_ROW && got != 'h') {
            result = other(c, got, argc, argv);
            continue;
        }
        /* The word in which the name stands; its value may be the next one. */
        const char *word = argv[optind - 1 - (optarg && optarg == argv[optind - 1])];
        const char *name = got == 'h' ? "help" : c->options[got - FIRST_ROW].name;
        if (word[0] == '-' && word[1] == '-' && strcspn(word + 2, "=") != strlen(name))
            result = say_unknown(c, word);
        else
            result = got == 'h' ? other(c, got, argc, argv)
                                : take(c, &c->options[got - FIRST_ROW], into, optarg);
    }
    return result;
}

int cli_parse(const struct cli_command *c, int argc, char **argv, void *into, struct cli_rest *rest)
{
    struct option *rows = calloc(c->n_options + 2, sizeof *rows);
    if (!rows) {
        say_note("cannot read the command line: out of memory");
        return c->misuse ? c->misuse : 2;
    }
    for (size_t i = 0; i < c->n_options; i++)
        rows[i] = (struct option){c->options[i].name,
                                  c->options[i].value ? required_argument : no_argument, NULL,
                                  FIRST_ROW + (int)i};
    rows[c->n_options] = (struct option){"help", no_argument, NULL, 'h'};
    int result = read_options(c, rows, argc, argv, into);
    free(rows);
    if (result != CLI_GO)
        return result;
    *rest = (struct cli_rest){argv + optind, argc - optind};
    if (rest->n >= c->least && (c->most < 0 || rest->n <= c->most))
        return CLI_GO;
    if (c->needs)
        say_note("%s %s", c->name, c->needs);
    else
        say_note("%s takes no arguments, and got '%s'", c->name, rest->list[0]);
    return misused(c);
}
