/* SPDX-License-Identifier: MIT
 * Writing a file anew so that whoever reads it has the old bytes or the new ones, never a mixture,
 * also after a power cut. */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "base/attrib.h"
#include "base/error.h"

/* Puts the bytes in place of the regular file that was read from path, whose state was then `was`;
 * mode and owner stay, a symbolic link goes on pointing at it. 0, or a negative errno with a
 * sentence: nothing was changed then. -EAGAIN: somebody else wrote it meanwhile. */
int file_replace(const char *path, const struct stat *was, const void *data, size_t len,
                 struct error *error) NODISCARD NONNULL(1, 2, 3, 5);
