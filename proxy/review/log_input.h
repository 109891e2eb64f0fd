/* SPDX-License-Identifier: MIT
 * Logs, and events written by hand, read line by line in bounded memory: files and standard input,
 * as they come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"

struct log_input {
    /* Gets each line, without its newline. */
    void (*take)(void *context, const char *line, size_t len);
    /* Called before each file, and while more of it is waited for; both may be NULL. */
    void (*begin)(void *context), (*wait)(void *context);
    void *context;
    bool bad; /* a line, or a whole file, could not be read: it was said on stderr */
    /* Of the file that is being read: */
    const char *name;
    size_t line, faults;
};

/* Reads the files in order; "-", and none at all, is standard input. A line is at most
 * RECORD_LINE_MAX long; a file with twenty bad ones is not read to its end. */
void log_input_read(struct log_input *in, char **paths, int n) NONNULL(1);
/* Says what is wrong with the line at hand: FILE:LINE: error: text. */
void log_input_fault(struct log_input *in, const char *text) NONNULL(1, 2);
