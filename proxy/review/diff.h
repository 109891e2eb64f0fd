/* SPDX-License-Identifier: MIT
 * `egress-filter diff OLD NEW`: what a change of a policy means. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { DIFF_SAME, DIFF_CHANGED, DIFF_BAD };

extern const struct cli_command diff_command;

int diff_main(int argc, char **argv);
