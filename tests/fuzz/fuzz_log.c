/* SPDX-License-Identifier: MIT
 * A log file that somebody else wrote, as the writer that takes it up and `verify` read it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line, size_t len)
{
    struct line_parts parts;
    bool begins = record_line_begins(line, len);
    if (record_line_parse(line, len, &parts) < 0)
        return;
    assert(begins && parts.hashed < len && parts.seq);
    assert(parts.event > line && parts.event + parts.event_len < line + parts.hashed);
    /* Nothing that is cut off at its end passes for whole. */
    struct line_parts cut;
    assert(record_line_parse(line, len - 1, &cut) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of the exact length, so that reading behind it is seen. */
    char *copy = malloc(size + !size);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    size_t at = 0;
    while (at < size) {
        ptrdiff_t n = record_line_length(copy + at, size - at);
        if (n <= 0)
            break;
        assert(copy[at + (size_t)n - 1] == '\n');
        check_line(copy + at, (size_t)n - 1);
        at += (size_t)n;
    }
    check_line(copy + at, size - at);
    free(copy);
    return 0;
}
