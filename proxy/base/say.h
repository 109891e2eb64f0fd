/* SPDX-License-Identifier: MIT
 * Sentences for the person at the terminal, on stderr. Only the layers that know the user say
 * anything. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attrib.h"

void say_error(const char *format, ...) PRINTF(1, 2);
void say_warning(const char *format, ...) PRINTF(1, 2);
void say_note(const char *format, ...) PRINTF(1, 2);

/* Whether colours may be used on that stream: a terminal, and NO_COLOR is not set. */
bool say_colour(FILE *stream);
/* Columns of the terminal, 0 when it is none. */
unsigned say_width(FILE *stream);

/* Writes text to the stream so that no byte of it can command a terminal or change the order in
 * which others are shown: control characters, newline and tab too, and what is no valid UTF-8 are
 * shown as \xNN. */
void say_safely(FILE *stream, const char *text, size_t len);
