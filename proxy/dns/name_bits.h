/* SPDX-License-Identifier: MIT
 * How much a host name can tell: its length in bits in a code that is short for usual names. Pure.
 * Whoever chooses names in order to say something by them cannot say more than this on average,
 * since the code can be decoded (Kraft's inequality); words come out at about 5 bits a character,
 * random letters and digits at about 7. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"

/* labels: of a name in normal form (name_normalize), len bytes, without a dot at the end. */
unsigned name_bits(const char *labels, size_t len) NONNULL(1);
