/* SPDX-License-Identifier: MIT
 * One buffer that holds the longest line. */
#include "review/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/record_line.h"
#include "base/fd.h"

struct reading {
    int fd;
    lines_take *take;
    void (*wait)(void *context);
    void *context;
    size_t len, number;
    bool skipping; /* within a line that is too long */
    char data[RECORD_LINE_MAX];
};

static int take_buffer(struct reading *r)
{
    size_t at = 0;
    const char *end;
    while ((end = memchr(r->data + at, '\n', r->len - at))) {
        size_t len = (size_t)(end - r->data) - at;
        int result = r->skipping ? 0 : r->take(r->context, r->data + at, len, ++r->number);
        r->skipping = false;
        at += len + 1;
        if (result)
            return result;
    }
    memmove(r->data, r->data + at, r->len - at);
    r->len -= at;
    if (r->len < sizeof(r->data))
        return 0;
    r->len = 0;
    if (r->skipping)
        return 0;
    r->skipping = true;
    return r->take(r->context, NULL, SIZE_MAX, ++r->number);
}

static int read_all(struct reading *r)
{
    for (;;) {
        if (r->wait)
            r->wait(r->context);
        ssize_t n = read(r->fd, r->data + r->len, sizeof(r->data) - r->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        r->len += (size_t)n;
        int result = take_buffer(r);
        if (result)
            return result;
    }
    return r->len && !r->skipping ? r->take(r->context, r->data, r->len, ++r->number) : 0;
}

int lines_read(const char *path, lines_take *take, void (*wait)(void *context), void *context)
{
    bool standard = strcmp(path, "-") == 0;
    struct reading *r = malloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->take = take;
    r->wait = wait;
    r->context = context;
    r->len = r->number = 0;
    r->skipping = false;
    r->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = r->fd < 0 ? -errno : read_all(r);
    if (!standard)
        fd_close(&r->fd);
    free(r);
    return result;
}
