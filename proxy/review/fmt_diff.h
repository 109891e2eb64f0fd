/* SPDX-License-Identifier: MIT
 * What formatting would change, as a unified diff. Pure. */
#pragma once

#include "rules/format.h"

/* Appends the diff; nothing where nothing changes. formatted: what policy_format wrote. */
void fmt_diff(const char *name, const struct format_map *map, const struct buffer *formatted,
              struct buffer *out) NONNULL(1, 2, 3, 4);
