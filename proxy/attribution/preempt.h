/* SPDX-License-Identifier: MIT
 * Whether the kernel preempts itself: then it leaves out a program of tracing where another task
 * was preempted in the midst of it on the same processor. */
#pragma once

#include <stdbool.h>

#include "base/attrib.h"

/* As the kernel says of itself: build is the version of uname(2), modes what the scheduler shows in
 * debugfs ("none (voluntary) full"), NULL where that cannot be read. True where it is not plain. */
bool preempt_possible(const char *build, const char *modes) NODISCARD NONNULL(1);
/* The same of the kernel that runs. */
bool preempt_here(void) NODISCARD;
