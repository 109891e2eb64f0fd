/* SPDX-License-Identifier: MIT
 * The first process of the command's pid namespace. */
#pragma once

#include "base/attrib.h"

/* Runs argv with the environment as its child, reaps everything, passes on the signals that come
 * from outside, and exits with the child's status. What is left of the namespace ends with it. */
_Noreturn void init_run(char **argv, char **environment) NONNULL(1, 2);
