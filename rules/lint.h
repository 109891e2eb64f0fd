/* SPDX-License-Identifier: MIT
 * Warnings about what rules mean together; those about one line alone are the parser's. */
#pragma once

#include "rules/policy_struct.h"
#include "rules/reporter.h"

void policy_lint(const struct policy *p, struct reporter *r) NONNULL(1, 2);
