/* SPDX-License-Identifier: MIT
 * A rule as one JSON object, as `check --dump-rules` prints it: everything that is asked for when
 * it is matched, headers and includes worked in. Pure. */
#pragma once

#include "base/attrib.h"
#include "base/buffer.h"
#include "rules/rule.h"

/* line: where it stands, which in a workflow is not where it stood in the policy's own text. */
void dump_rule(const struct rule *r, size_t line, struct buffer *out) NONNULL(1, 3);
