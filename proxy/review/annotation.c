/* SPDX-License-Identifier: MIT
 * GitHub's documentation, "Workflow commands for GitHub Actions"; how values are escaped is told
 * by its toolkit only (command.ts). */
#include "review/annotation.h"

#include <string.h>

#include "base/say.h"

static void put(FILE *out, const char *text, const char *special)
{
    while (*text) {
        size_t n = strcspn(text, special);
        say_safely(out, text, n);
        text += n;
        if (*text)
            fprintf(out, "%%%02X", (unsigned char)*text++);
    }
}

void annotation_print(FILE *out, const char *file, size_t line, size_t column, const char *text)
{
    fputs("::error file=", out);
    put(out, file, "%\r\n:,");
    fprintf(out, ",line=%zu,col=%zu::", line, column);
    put(out, text, "%\r\n");
    putc('\n', out);
}
