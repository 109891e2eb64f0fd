/* SPDX-License-Identifier: MIT
 * `egress-filter match --policy FILE [EVENTS...]`: what a policy says to events. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { MATCH_GOOD, MATCH_DENIED, MATCH_BAD };

extern const struct cli_command match_command;

int match_main(int argc, char **argv);
