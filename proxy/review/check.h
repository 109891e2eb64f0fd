/* SPDX-License-Identifier: MIT
 * `egress-filter check FILE...`: whether policies say what their authors mean. */
#pragma once

/* What the command exits with. */
enum { CHECK_GOOD, CHECK_WARNED, CHECK_BAD };

int check_main(int argc, char **argv);
