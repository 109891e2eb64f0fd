/* SPDX-License-Identifier: MIT
 * `egress-filter suggest LOG...`: the lines that a policy would need for what logs say was denied.
 */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { SUGGEST_GOOD, SUGGEST_BAD = 2 };

extern const struct cli_command suggest_command;
int suggest_main(int argc, char **argv);
