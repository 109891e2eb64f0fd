/* SPDX-License-Identifier: MIT
 * The sub-command `doctor`: whether `run` works on this machine, and what to do where it does not.
 */
#pragma once

#include "base/cli.h"

enum doctor_exit {
    DOCTOR_FIT = 0,
    DOCTOR_LACKING = 1, /* something that a run needs is not there */
    DOCTOR_USAGE = 2,
    DOCTOR_PARTLY = 3, /* nothing is lacking that can be seen, but root would see more */
};

extern const struct cli_command doctor_command;

/* Returns an enum doctor_exit. */
int doctor_main(int argc, char **argv);
