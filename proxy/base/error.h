/* SPDX-License-Identifier: MIT
 * An error on its way up: a negative errno for programs and a sentence for people. Layers that
 * take many steps fill it in; who knows the user prints it, once. */
#pragma once

#include "base/attrib.h"

struct error {
    int code;       /* negative errno, 0 while there is none */
    char text[512]; /* what was attempted, on what, why it failed; no full stop, no newline */
};

/* Fills in the error and returns code, so that a caller can `return error_set(...)`.
 * When code is a negative errno its description is added behind a colon. */
int error_set(struct error *error, int code, const char *format, ...) PRINTF(3, 4) NONNULL(1, 3);

/* Like error_set, with nothing added: the sentence says it all. */
int error_say(struct error *error, int code, const char *format, ...) PRINTF(3, 4) NONNULL(1, 3);
