/* SPDX-License-Identifier: MIT
 * `egress-filter fmt FILE...`: policies in their one form. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { FMT_GOOD, FMT_DIFFERS, FMT_BAD };

extern const struct cli_command fmt_command;

int fmt_main(int argc, char **argv);
