/* SPDX-License-Identifier: MIT
 * An exec event of the ring as a record of a process, before its ancestors are known. */
#pragma once

#include "attribution/process.h"
#include "base/attrib.h"

/* Room for what the record points to. */
struct decoded {
    struct process process;
    struct process_key parent;
    char text[2 * PROCESS_PATH_MAX + PROCESS_ARGS_MAX + 3]; /* with the NULs */
    const char *args[PROCESS_ARGS_MAX];
};

/* Fills in *out, whose strings and arguments point into *out itself.
 * Returns 0, or -EBADMSG when the bytes are no such event. */
int decode_exec(const void *event, size_t len, struct decoded *out) NODISCARD NONNULL(1, 3);
