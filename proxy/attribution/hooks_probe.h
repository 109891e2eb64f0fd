/* SPDX-License-Identifier: MIT
 * What this kernel lets programs be attached to, asked with programs that do nothing. */
#pragma once

#include <stdbool.h>

#include "attribution/hooks.h"

/* libbpf's warnings are kept for as long as this is in force, the first one wins. */
struct hooks_quiet {
    void *before; /* the print function that was set */
};
void hooks_quiet_begin(struct hooks_quiet *q) NONNULL(1);
void hooks_quiet_end(struct hooks_quiet *q) NONNULL(1);
/* *error becomes "cannot WHAT", with libbpf's first warning where there was one. Returns code. */
int hooks_fail(struct error *error, int code, const char *what) NONNULL(1, 3);
