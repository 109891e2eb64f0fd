/* SPDX-License-Identifier: MIT
 * `egress-filter test FILE...`: whether policies say what their own tests ask of them. */
#pragma once

/* What the command exits with. */
enum { TEST_GOOD, TEST_FAILED, TEST_BAD };

int test_main(int argc, char **argv);
