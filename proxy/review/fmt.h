/* SPDX-License-Identifier: MIT
 * `egress-filter fmt FILE...`: policies in their one form. */
#pragma once

/* What the command exits with. */
enum { FMT_GOOD, FMT_DIFFERS, FMT_BAD };

int fmt_main(int argc, char **argv);
