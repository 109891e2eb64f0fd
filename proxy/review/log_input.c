/* SPDX-License-Identifier: MIT
 * One file after another through a buffer that holds the longest line. */
#include "review/log_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/record_line.h"
#include "base/fd.h"
#include "base/say.h"

#define FAULTS_MAX 100 /* a file that is no log is not read to its end */

struct piece {
    int fd;
    size_t len;
    bool skipping; /* within a line that is too long */
    char data[RECORD_LINE_MAX];
};

void log_input_fault(struct log_input *in, const char *text)
{
    char place[64];
    in->bad = true;
    in->faults++;
    fflush(stdout);
    snprintf(place, sizeof(place), ":%zu: error: ", in->line);
    say_safely(stderr, in->name, strlen(in->name));
    fputs(place, stderr);
    say_safely(stderr, text, strlen(text));
    putc('\n', stderr);
}

static void take_line(struct log_input *in, const char *line, size_t len)
{
    in->line++;
    in->take(in->context, line, len);
}

static void take_piece(struct log_input *in, struct piece *piece)
{
    size_t at = 0;
    const char *end;
    while (in->faults < FAULTS_MAX &&
           (end = memchr(piece->data + at, '\n', piece->len - at)) != NULL) {
        if (!piece->skipping)
            take_line(in, piece->data + at, (size_t)(end - piece->data) - at);
        piece->skipping = false;
        at = (size_t)(end - piece->data) + 1;
    }
    memmove(piece->data, piece->data + at, piece->len - at);
    piece->len -= at;
    if (piece->len < sizeof(piece->data))
        return;
    if (!piece->skipping) {
        in->line++;
        log_input_fault(in, "the line is longer than 1 MiB");
    }
    piece->skipping = true;
    piece->len = 0;
}

static int read_all(struct log_input *in, struct piece *piece)
{
    piece->len = 0;
    piece->skipping = false;
    while (in->faults < FAULTS_MAX) {
        if (in->wait)
            in->wait(in->context);
        ssize_t n = read(piece->fd, piece->data + piece->len, sizeof(piece->data) - piece->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        piece->len += (size_t)n;
        take_piece(in, piece);
    }
    if (piece->len && !piece->skipping && in->faults < FAULTS_MAX)
        take_line(in, piece->data, piece->len);
    if (in->faults >= FAULTS_MAX)
        fprintf(stderr, "egress-filter: '%s' has too many lines that are no events\n", in->name);
    return 0;
}

static void read_file(struct log_input *in, struct piece *piece, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    in->name = standard ? "<stdin>" : path;
    in->line = in->faults = 0;
    if (in->begin)
        in->begin(in->context);
    piece->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = piece->fd < 0 ? -errno : read_all(in, piece);
    if (result < 0) {
        fprintf(stderr, "egress-filter: cannot read the events '%s': %s\n", path,
                strerror(-result));
        in->bad = true;
    }
    if (!standard)
        fd_close(&piece->fd);
}

void log_input_read(struct log_input *in, char **paths, int n)
{
    struct piece *piece = malloc(sizeof(*piece));
    if (!piece) {
        fprintf(stderr, "egress-filter: out of memory\n");
        in->bad = true;
        return;
    }
    for (int i = 0; i < n; i++)
        read_file(in, piece, paths[i]);
    if (n == 0)
        read_file(in, piece, "-");
    free(piece);
}
