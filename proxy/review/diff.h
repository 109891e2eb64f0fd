/* SPDX-License-Identifier: MIT
 * `egress-filter diff OLD NEW`: what a change of a policy means. */
#pragma once

/* What the command exits with. */
enum { DIFF_SAME, DIFF_CHANGED, DIFF_BAD };

int diff_main(int argc, char **argv);
