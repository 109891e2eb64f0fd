/* SPDX-License-Identifier: MIT
 * File descriptors with owners. */
#pragma once

#include <stddef.h>
#include <unistd.h>

#include "base/attrib.h"

/* Closes and forgets; accepts -1. */
static inline void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Hands the descriptor over to the caller. */
static inline int fd_steal(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

/* As many write(2) as it takes: where the system took only a part, the next one finishes it or says
 * why not. 0 or a negative errno. */
int fd_write_all(int fd, const void *data, size_t len) NODISCARD NONNULL(2);

#define CLEANUP_FD CLEANUP(fd_close)
