/* SPDX-License-Identifier: MIT
 * Mounts as descriptors: made apart from the tree, then put into place, without a moment at which
 * a half-made one is seen. Descriptors are the caller's; errors are negative errnos. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/attrib.h"

/* The object that an absolute path names when no part of it is a symbolic link: a resolved path
 * that was changed meanwhile gives an error instead of another object. O_PATH. */
int mounts_open(const char *path) NODISCARD NONNULL(1);
/* The same below a directory, which the path does not leave. */
int mounts_open_at(int dir, const char *path) NODISCARD NONNULL(2);

/* A new empty file system in memory, not attached; its root has mode and owner of `like`. */
int mounts_tmpfs(const struct stat *like) NODISCARD NONNULL(1);
/* A copy of what the descriptor refers to, with the mounts below it, not attached. */
int mounts_copy(int object) NODISCARD;
/* A new mount of that kind of file system (of this process's own namespaces), not attached. */
int mounts_new(const char *type) NODISCARD NONNULL(1);
/* The mount and all below it; other flags stay. */
int mounts_read_only(int mount) NODISCARD;
/* Puts a mount that is not attached over the target; target is any descriptor of the place. */
int mounts_attach(int mount, int target) NODISCARD;

/* A read-only copy of the object over the target; they may be one. */
int mounts_cover(int object, int target) NODISCARD;
/* An empty directory that looks like this one and takes nothing, over it. */
int mounts_cover_empty(int directory) NODISCARD;
