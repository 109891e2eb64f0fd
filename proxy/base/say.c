/* SPDX-License-Identifier: MIT
 * Sentences on stderr, each begun by the program's name. */
#include "base/say.h"

#include <stdarg.h>
#include <stdint.h>
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

/* The character at text: how many bytes it has, 0 where they are no valid UTF-8. */
static size_t decode(const unsigned char *text, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xc2 ? 0
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
                                : 4;
    if (n == 0 || n > len || text[0] > 0xf4)
        return 0;
    uint32_t c = n == 1 ? text[0] : text[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *out = c;
    return n;
}

/* Characters that steer a terminal, or the order or place in which others are shown. */
static bool steers(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

void say_safely(FILE *stream, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        const unsigned char *at = (const unsigned char *)text + i;
        uint32_t c = 0;
        n = decode(at, len - i, &c);
        bool safe = n > 0 && !steers(c);
        n = MAX(n, 1);
        for (size_t byte = 0; byte < n; byte++)
            if (safe)
                putc(at[byte], stream);
            else
                fprintf(stream, "\\x%02x", at[byte]);
    }
}

static void say(const char *kind, const char *colour, const char *format, va_list args)
{
    char text[2048];
    int n = vsnprintf(text, sizeof text, format, args);
    bool coloured = say_colour(stderr);
    fprintf(stderr, "egress-filter: %s%s%s", coloured ? colour : "", kind,
            coloured && *colour ? "\033[0m" : "");
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
