/* SPDX-License-Identifier: MIT
 * Times as the log writes them, RFC 3339, and no clock. */
#pragma once

#include <stdint.h>

#include "base/attrib.h"

/* "2026-11-22T10:30:46.456123Z", or with an offset such as +01:00, as seconds of Unix time. 0 or
 * -EINVAL. */
int event_time_parse(const char *text, int64_t *seconds) NODISCARD NONNULL(1, 2);
