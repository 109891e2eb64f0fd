/* SPDX-License-Identifier: MIT
 * `egress-filter test FILE...`: whether policies say what their own tests ask of them. */
#pragma once

#include "base/cli.h"

/* What the command exits with. */
enum { TEST_GOOD, TEST_FAILED, TEST_BAD };

extern const struct cli_command test_command;

int test_main(int argc, char **argv);
