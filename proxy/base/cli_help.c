/* SPDX-License-Identifier: MIT
 * The page that --help prints, for a terminal of 80 columns where that can be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/say.h"

#define COLUMNS  100 /* no line is longer */
#define LEFT_MAX 24  /* an option that is longer has its help on the next line */

/* Columns that UTF-8 text takes, each character one. */
static int columns(const char *text, size_t len)
{
    int n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Words, broken at COLUMNS; the first line begins at column `at`, as all others do. */
static void wrap(const char *text, int at)
{
    int column = at;
    while (*text) {
        size_t len = strcspn(text, " ");
        int wide = columns(text, len);
        if (column > at && column + 1 + wide > COLUMNS) {
            printf("\n%*s", at, "");
            column = at;
        } else if (column > at) {
            putchar(' ');
            column++;
        }
        fwrite(text, 1, len, stdout);
        column += wide;
        text += len + (text[len] == ' ');
    }
    putchar('\n');
}

static int left_of(const struct cli_option *o, char *out, size_t room)
{
    int n = snprintf(out, room, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    return n > 0 ? columns(out, strlen(out)) : 0;
}

static void print_options(const struct cli_command *c)
{
    static const struct cli_option help = {.name = "help", .help = "this text"};
    char left[80];
    int widest = 6;
    for (size_t i = 0; i < c->n_options; i++) {
        int wide = c->options[i].help ? left_of(&c->options[i], left, sizeof left) : 0;
        if (wide <= LEFT_MAX && wide > widest)
            widest = wide;
    }
    for (size_t i = 0; i <= c->n_options; i++) {
        const struct cli_option *o = i < c->n_options ? &c->options[i] : &help;
        if (!o->help)
            continue;
        int wide = left_of(o, left, sizeof left);
        if (wide > widest)
            printf("  %s\n%*s", left, widest + 4, "");
        else
            printf("  %s%*s", left, widest + 2 - wide, "");
        wrap(o->help, widest + 4);
    }
}

bool cli_printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    say_note("cannot print what was asked for: %s", strerror(errno));
    return false;
}

void cli_help(const struct cli_command *c)
{
    printf("usage: egress-filter %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage,
           c->about);
    print_options(c);
    if (c->status)
        printf("\n%s", c->status);
    if (c->example)
        printf("\n%s", c->example);
}
