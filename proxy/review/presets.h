/* SPDX-License-Identifier: MIT
 * `egress-filter presets`: the rule sets that come with the program, to be read before they are
 * included. */
#pragma once

#include "base/cli.h"

enum { PRESETS_GOOD = 0, PRESETS_BAD = 2 };

extern const struct cli_command presets_command;

int presets_main(int argc, char **argv);
