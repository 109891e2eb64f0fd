/* SPDX-License-Identifier: MIT
 * Runs a review command within the test, in a directory of its own: files as the test writes them,
 * and what the command printed on both streams. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "unit/report.h"

/* Makes the directory and goes there; the caller removes what it writes with review_leave. */
static char review_directory[] = "/tmp/egress-review-XXXXXX";

static inline int review_enter(void **state)
{
    (void)state;
    unsetenv("GITHUB_REPOSITORY");
    return mkdtemp(review_directory) && chdir(review_directory) == 0 ? 0 : -1;
}

static inline void review_write(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static inline void review_read(int fd, struct buffer *out)
{
    char chunk[4096];
    buffer_clear(out);
    buffer_add_string(out, "");
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;)
        buffer_add(out, chunk, (size_t)n);
    close(fd);
}

static inline int review_file(const char *text)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* words: the command line, parted by blanks. Returns the exit status. */
static inline int review_run(int (*command)(int argc, char **argv), const char *words,
                             const char *input, struct buffer *out, struct buffer *err)
{
    char line[512], *argv[16], *save = NULL;
    int argc = 0, saved[3];
    const int files[3] = {review_file(input), review_file(""), review_file("")};
    snprintf(line, sizeof(line), "%s", words);
    for (char *w = strtok_r(line, " ", &save); w && argc < 15; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = dup(fd);
        assert_true(saved[fd] >= 0 && dup2(files[fd], fd) == fd);
    }
    int code = command(argc, argv);
    fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    close(files[0]);
    review_read(files[1], out);
    review_read(files[2], err);
    return code;
}
