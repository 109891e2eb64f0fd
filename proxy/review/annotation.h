/* SPDX-License-Identifier: MIT
 * Lines that GitHub turns into remarks beside the source: `::error file=…,line=…,col=…::text`. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/attrib.h"

/* Nothing in file or text can end the line or begin another command. */
void annotation_print(FILE *out, const char *file, size_t line, size_t column, const char *text)
    NONNULL(1, 2, 5);
