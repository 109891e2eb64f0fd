/* SPDX-License-Identifier: MIT
 * The sentence of an error, made where the details are known. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    if (code < 0 && n >= 0 && (size_t)n < sizeof error->text)
        snprintf(error->text + n, sizeof error->text - (size_t)n, ": %s", strerror(-code));
    error->code = code;
    return code;
}

int error_say(struct error *error, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->code = code;
    return code;
}
