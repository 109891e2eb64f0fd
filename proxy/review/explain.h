/* SPDX-License-Identifier: MIT
 * `egress-filter explain EVENT`, `--log FILE --conn N`: why something was denied, or allowed. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { EXPLAIN_GOOD = 0, EXPLAIN_BAD = 2 };

extern const struct cli_command explain_command;
/* argv[0] is the sub-command's name. */
int explain_main(int argc, char **argv);
