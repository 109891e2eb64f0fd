/* SPDX-License-Identifier: MIT
 * File descriptors with owners. */
#pragma once

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

#define CLEANUP_FD CLEANUP(fd_close)
