/* SPDX-License-Identifier: MIT
 * The sub-command `run`. */
#pragma once

#include "base/cli.h"

/* What it exits with where the filter failed, and for a wrong command line. */
enum { RUN_FAILED = 125 };

extern const struct cli_command run_command;

/* Returns the exit status. */
int run_main(int argc, char **argv);
