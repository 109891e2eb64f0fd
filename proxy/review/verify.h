/* SPDX-License-Identifier: MIT
 * `egress-filter verify LOG… [--head SEQ:HASH] [--json] [--quiet]`: whether a log is as it was
 * written. Needs nothing but the files. */
#pragma once

#include "base/cli.h"

enum verify_exit {
    VERIFY_GOOD = 0,
    VERIFY_BROKEN = 1,  /* a record was changed, is missing, out of order, torn, or cut off */
    VERIFY_USAGE = 2,   /* or a file cannot be read */
    VERIFY_NO_STOP = 3, /* good, but a run has no stop record: it is live or was killed */
};

extern const struct cli_command verify_command;

/* argv[0] is the sub-command's name. Returns an enum verify_exit. */
int verify_main(int argc, char **argv);
