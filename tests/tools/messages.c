// SPDX-License-Identifier: MIT
// Lists the sentences that a program can say: every string within a call of a function that tells
// people something, strings that stand side by side joined, one a line behind FILE:LINE and a tab.
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const speakers[] = {
    "error_set",      "error_say",        "say_error", "say_warning", "say_note",
    "reporter_error", "reporter_warning", "say_fault", "fprintf",     "fputs"};

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f || fseek(f, 0, SEEK_END) < 0) {
        perror(path);
        exit(1);
    }
    long len = ftell(f);
    char *text = calloc(1, (size_t)len + 1);
    rewind(f);
    if (!text || fread(text, 1, (size_t)len, f) != (size_t)len)
        exit(1);
    fclose(f);
    return text;
}

// Behind a string, a character constant or a comment that begins at s; s where none does.
static const char *skip(const char *s)
{
    if (*s == '"' || *s == '\'') {
        for (char quote = *s++; *s && *s != quote; s++)
            s += *s == '\\' && s[1];
        return *s ? s + 1 : s;
    }
    if (strncmp(s, "/*", 2) == 0) {
        const char *end = strstr(s + 2, "*/");
        return end ? end + 2 : s + strlen(s);
    }
    if (strncmp(s, "//", 2) == 0)
        return s + strcspn(s, "\n");
    return s;
}

// Behind the parenthesis that closes what was opened in front of s.
static const char *end_of_call(const char *s)
{
    for (int depth = 1; *s && depth > 0;) {
        const char *end = skip(s);
        if (end == s)
            depth += (*s == '(') - (*s == ')');
        s = end > s ? end : s + 1;
    }
    return s;
}

// Prints what the string at s holds, without its quotes, as the source has it. Returns whether its
// first line ends within it: what is behind that is on another line.
static bool put_string(const char *s, const char *end)
{
    for (s++; s < end - 1; s++)
        if (s[0] == '\\' && s[1] == '"')
            continue;
        else if (s[0] == '\\' && s[1] == 'n')
            return true;
        else
            putchar(*s);
    return false;
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

// Strings of one call, from behind its parenthesis to the closing one.
static void take_call(const char *path, const char *text, const char *s, const char *close)
{
    bool open = false, cut = false;
    while (s < close) {
        const char *end = skip(s);
        if (*s == '"') {
            if (!open)
                printf("%s:%zu\t", path, line_of(text, s));
            cut = cut || put_string(s, end);
            open = true;
        } else if (end == s && !isspace((unsigned char)*s)) {
            // A macro between strings, as PRIu64 and a name in capitals are, stands for a value.
            if (open && !cut && isupper((unsigned char)*s)) {
                for (end = s; isalnum((unsigned char)*end) || *end == '_'; end++)
                    ;
                fputs(strncmp(s, "PRI", 3) == 0 ? "u" : "%s", stdout);
            } else if (open) {
                putchar('\n');
                open = cut = false;
            }
        }
        s = end > s ? end : s + 1;
    }
    if (open)
        putchar('\n');
}

static void take_file(const char *path)
{
    char *text = read_whole(path);
    for (const char *s = text, *end; *s; s = end > s ? end : s + 1) {
        end = skip(s);
        if (end != s || (s > text && (isalnum((unsigned char)s[-1]) || s[-1] == '_')))
            continue;
        for (size_t i = 0; i < sizeof speakers / sizeof *speakers; i++) {
            size_t len = strlen(speakers[i]);
            if (strncmp(s, speakers[i], len) != 0 || s[len] != '(')
                continue;
            const char *from = s + len + 1, *to = end_of_call(from);
            // What is printed elsewhere than on standard error is no sentence for people.
            if (s[0] != 'f' || memmem(from, (size_t)(to - from), "stderr", 6))
                take_call(path, text, from, to);
        }
    }
    free(text);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        take_file(argv[i]);
    return 0;
}
