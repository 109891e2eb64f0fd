/* SPDX-License-Identifier: MIT
 * `egress-filter check FILE...`: whether policies say what their authors mean. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { CHECK_GOOD, CHECK_WARNED, CHECK_BAD };

extern const struct cli_command check_command;

int check_main(int argc, char **argv);
