/* SPDX-License-Identifier: MIT
 * Takes secrets out of command lines before they are written to a log that many may read. By form
 * only: it errs towards hiding too much, and cannot know a password that looks like a word. */
#pragma once

#include <stdbool.h>

#include "base/attrib.h"
#include "base/buffer.h"

/* What one argument says about the next; starts as {0} for each command line. */
struct redact {
    bool secret;   /* the next argument is the value of an option like --token */
    bool userpass; /* … of -u: what follows a colon is a password */
    bool header;   /* … of -H */
};

/* Appends the argument, secrets in it replaced by ***; returns whether there were any. Arguments
 * of a command line are given in their order. */
bool redact_arg(struct redact *state, const char *arg, struct buffer *out) NONNULL(1, 2, 3);
