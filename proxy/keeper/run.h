/* SPDX-License-Identifier: MIT
 * The sub-command `run`. */
#pragma once

/* Returns the exit status. */
int run_main(int argc, char **argv);
