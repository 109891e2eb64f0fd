/* SPDX-License-Identifier: MIT
 * One file after another; a file that is no log is given up. */
#include "review/log_input.h"

#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "review/lines.h"

#define FAULTS_MAX 20 /* a file that is no log is not read to its end */

void log_input_fault(struct log_input *in, const char *text)
{
    char place[64];
    in->bad = true;
    in->faults++;
    fflush(stdout);
    snprintf(place, sizeof(place), ":%zu: error: ", in->line);
    say_safely(stderr, in->name, strlen(in->name));
    fputs(place, stderr);
    say_safely(stderr, text, strlen(text));
    putc('\n', stderr);
}

static int take_line(void *context, const char *line, size_t len, size_t number)
{
    struct log_input *in = context;
    in->line = number;
    if (line)
        in->take(in->context, line, len);
    else
        log_input_fault(in, "the line is longer than 1 MiB");
    return in->faults >= FAULTS_MAX;
}

static void before_more(void *context)
{
    const struct log_input *in = context;
    if (in->wait)
        in->wait(in->context);
}

static void read_file(struct log_input *in, const char *path)
{
    in->name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    in->line = in->faults = 0;
    if (in->begin)
        in->begin(in->context);
    int result = lines_read(path, take_line, before_more, in);
    if (result > 0)
        say_error("'%s' has too many lines that are no events", in->name);
    if (result >= 0)
        return;
    say_error("cannot read the events '%s': %s", path, strerror(-result));
    in->bad = true;
}

void log_input_read(struct log_input *in, char **paths, int n)
{
    for (int i = 0; i < n; i++)
        read_file(in, paths[i]);
    if (n == 0)
        read_file(in, "-");
}
