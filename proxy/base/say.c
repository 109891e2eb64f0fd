/* SPDX-License-Identifier: MIT
 * Sentences on stderr, each begun by the program's name. */
#include "base/say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool say_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && (!no || !*no) && (!term || strcmp(term, "dumb") != 0);
}

unsigned say_width(FILE *stream)
{
    struct winsize size;
    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void say_safely(FILE *stream, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0))
            fprintf(stream, "\\x%02x", c);
        else
            putc(c, stream);
    }
}

static void say(const char *kind, const char *colour, const char *format, va_list args)
{
    char text[2048];
    int n = vsnprintf(text, sizeof text, format, args);
    bool coloured = say_colour(stderr);
    fprintf(stderr, "egress-filter: %s%s%s", coloured ? colour : "", kind,
            coloured ? "\033[0m" : "");
    if (n > 0)
        say_safely(stderr, text, MIN((size_t)n, sizeof text - 1));
    putc('\n', stderr);
}

void say_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("error: ", "\033[1;31m", format, args);
    va_end(args);
}

void say_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("warning: ", "\033[1;33m", format, args);
    va_end(args);
}

void say_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", "", format, args);
    va_end(args);
}
