/* SPDX-License-Identifier: MIT
 * The log file. What it must never do is say that a record is written when it is not, or leave
 * half a record behind for the next one to be glued to. */
#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/chain.h"
#include "audit/record_line.h"
#include "audit/told.h"
#include "base/fd.h"

#define LOG_MODE       0640
#define NEWEST_STEP_US 1000000      /* a clock that steps back less than this is held instead */
#define LINES_KEPT     (256 * 1024) /* memory that is kept between writes */

/* Where the chain stands. */
struct link {
    uint64_t seq;
    uint8_t hash[SHA256_LEN];
    uint64_t ts_us; /* of the newest record of this run */
};

struct log {
    int fd;
    char *path;
    enum log_args args;
    struct digest *digest;
    struct told *told;
    struct link written, newest; /* newest: with those that wait */
    off_t end;                   /* where the newest written record ends */
    bool torn;           /* the file does not end in a newline: the next record brings one */
    struct buffer lines; /* of those that wait; before them a newline, in case it is needed */
};

void log_close(struct log *log)
{
    if (!log)
        return;
    fd_close(&log->fd);
    digest_free(log->digest);
    told_free(log->told);
    buffer_release(&log->lines);
    free(log->path);
    free(log);
}

static void log_cleanup(struct log **log)
{
    log_close(*log);
}

/* Opens what is there, or makes a new file; only a new one is given mode and group. O_NONBLOCK, so
 * that a FIFO in the file's place does not hold us up before it is refused. */
static int open_file(const struct log_options *o, bool make, struct error *error)
{
    const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    CLEANUP_FD int fd = make ? open(o->path, flags | O_CREAT | O_EXCL, LOG_MODE) : -1;
    if (!make || (fd < 0 && errno == EEXIST)) {
        fd = open(o->path, flags);
        if (fd < 0 && errno == ELOOP)
            return error_say(error, -ELOOP, "cannot open the log '%s': it is a symbolic link",
                             o->path);
        if (fd < 0)
            return error_set(error, -errno, "cannot open the log '%s'", o->path);
        return fd_steal(&fd);
    }
    if (fd < 0)
        return error_set(error, -errno, "cannot make the log '%s'", o->path);
    if (o->group != (gid_t)-1 && fchown(fd, (uid_t)-1, o->group) < 0)
        return error_set(error, -errno, "cannot give the log '%s' to group %u", o->path,
                         (unsigned)o->group);
    if (fchmod(fd, LOG_MODE) < 0)
        return error_set(error, -errno, "cannot set the mode of the log '%s'", o->path);
    return fd_steal(&fd);
}

static int check_file(const struct log *log, struct stat *st, struct error *error)
{
    if (fstat(log->fd, st) < 0)
        return error_set(error, -errno, "cannot look at the log '%s'", log->path);
    if (!S_ISREG(st->st_mode))
        return error_say(error, -EINVAL, "cannot use '%s' as the log: it is not a regular file",
                         log->path);
    if (st->st_nlink != 1)
        return error_say(error, -EMLINK, "cannot use '%s' as the log: it has %lu names, not one",
                         log->path, (unsigned long)st->st_nlink);
    if (flock(log->fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return error_say(error, -EWOULDBLOCK, "cannot use the log '%s': another run is writing it",
                         log->path);
    return error_set(error, -errno, "cannot lock the log '%s'", log->path);
}

/* A log that the watched user owns could be given another mode and rewritten: it becomes ours. */
static int take_over(const struct log *log, const struct stat *st, gid_t group, struct error *error)
{
    if (st->st_uid == geteuid() || geteuid() != 0)
        return 0;
    if (fchown(log->fd, 0, group) < 0 || fchmod(log->fd, LOG_MODE) < 0)
        return error_set(error, -errno, "cannot take the log '%s' over from user %u", log->path,
                         (unsigned)st->st_uid);
    return 0;
}

static int read_tail(const struct log *log, off_t from, size_t len, struct buffer *out)
{
    char chunk[16384];
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(log->fd, chunk, MIN(sizeof(chunk), len - done), from + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* shorter than fstat said: somebody cuts it while we hold the lock */
        buffer_add(out, chunk, (size_t)n);
        done += (size_t)n;
    }
    return buffer_failed(out) ? -ENOMEM : 0;
}

static int refuse(const struct log *log, struct error *error)
{
    return error_say(error, -EBADMSG,
                     "cannot go on with the log '%s': its end is no record of egress-filter; move "
                     "the file away or name another",
                     log->path);
}

/* Goes back over the lines of the tail until one is a record. What is behind it must at least
 * begin like one, as a write that was torn does; anything else is not ours to append to. */
static int take_up(struct log *log, const char *data, size_t len, bool whole, struct error *error)
{
    struct line_parts parts;
    size_t end = len;
    log->torn = len && data[len - 1] != '\n';
    while (end) {
        bool ended = data[end - 1] == '\n';
        const char *before = memrchr(data, '\n', end - 1);
        size_t start = before ? (size_t)(before - data) + 1 : 0;
        if (!before && !whole)
            return refuse(log, error);
        size_t line = end - start - ended;
        if (record_line_parse(data + start, line, &parts) == 0) {
            log->newest.seq = parts.seq;
            memcpy(log->newest.hash, parts.hash, sizeof(log->newest.hash));
            log->written = log->newest;
            return 0;
        }
        if (!line || !record_line_begins(data + start, line))
            return refuse(log, error);
        end = start;
    }
    return 0;
}

static int resume(struct log *log, const struct stat *st, struct error *error)
{
    /* Room for the last record and a torn one behind it. */
    off_t len = MIN(st->st_size, (off_t)2 * RECORD_LINE_MAX);
    CLEANUP_BUFFER struct buffer tail = {0};
    int r = read_tail(log, st->st_size - len, (size_t)len, &tail);
    if (r < 0)
        return error_set(error, r, "cannot read the end of the log '%s'", log->path);
    log->end = st->st_size;
    return take_up(log, tail.data, tail.len, len == st->st_size, error);
}

static struct log *log_new(const struct log_options *o)
{
    struct log *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    log->fd = -1;
    log->args = o->args;
    log->path = strdup(o->path);
    log->digest = digest_new();
    log->told = told_new(o->args);
    if (log->path && log->digest && log->told)
        return log;
    log_close(log);
    return NULL;
}

int log_open(const struct log_options *o, struct log **out, struct error *error)
{
    CLEANUP(log_cleanup) struct log *log = log_new(o);
    if (!log)
        return error_set(error, -ENOMEM, "cannot open the log '%s'", o->path);
    log->fd = open_file(o, true, error);
    if (log->fd < 0)
        return log->fd;
    struct stat st;
    int r = check_file(log, &st, error);
    if (r == 0)
        r = take_over(log, &st, o->group, error);
    if (r == 0)
        r = resume(log, &st, error);
    if (r < 0)
        return r;
    *out = STEAL(log);
    return 0;
}

int log_look(const struct log_options *o, struct error *error)
{
    CLEANUP(log_cleanup) struct log *log = log_new(o);
    struct stat st;
    if (!log)
        return error_set(error, -ENOMEM, "cannot open the log '%s'", o->path);
    log->fd = open_file(o, false, error);
    if (log->fd == -ENOENT) /* at once, or behind a directory that is not there */
        return -ENOENT;
    int r = log->fd < 0 ? log->fd : check_file(log, &st, error);
    return r < 0 ? r : resume(log, &st, error);
}

/* The clock may be set at any time and the log then follows it; small steps back, as of a clock
 * that is being disciplined, would only put records out of order for who sorts by time. */
static uint64_t now_us(const struct log *log)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    const uint64_t newest = log->newest.ts_us;
    return us < newest && newest - us < NEWEST_STEP_US ? newest : us;
}

/* Finds the file's end before a write. Whatever somebody else left there must not join our line,
 * and a file that has no name any more is no place for a record. */
static int find_end(struct log *log, off_t *end)
{
    struct stat st;
    if (fstat(log->fd, &st) < 0)
        return -errno;
    if (st.st_nlink == 0)
        return -ENOENT;
    if (st.st_size != log->end) {
        char last = '\n';
        if (st.st_size && pread(log->fd, &last, 1, st.st_size - 1) != 1)
            return -EIO;
        log->torn = last != '\n';
    }
    *end = st.st_size;
    return 0;
}

/* Puts the line behind those that wait; what is left there on failure is the caller's to cut. */
static int build_line(struct log *log, const struct record *r, struct process *p,
                      uint8_t hash[SHA256_LEN])
{
    char prev[SHA256_HEX + 1], hex[SHA256_HEX + 1];
    struct record_line line = {.seq = log->newest.seq + 1, .process = p, .args = log->args};
    if (r->event == RECORD_START) {
        digest_hex(log->newest.hash, prev);
        line.prev = prev;
    }
    if (p)
        line.told = told_of(log->told, p);
    const size_t start = log->lines.len;
    record_json(r, &line, &log->lines);
    if (buffer_failed(&log->lines))
        return -ENOMEM;
    chain_hash(log->digest, log->newest.hash, log->lines.data + start, log->lines.len - start,
               hash);
    digest_hex(hash, hex);
    buffer_add_string(&log->lines, ",\"hash\":\"");
    buffer_add(&log->lines, hex, SHA256_HEX);
    buffer_add_string(&log->lines, "\"}\n");
    if (buffer_failed(&log->lines))
        return -ENOMEM;
    return log->lines.len - start > RECORD_LINE_MAX ? -EMSGSIZE : 0;
}

int log_put(struct log *log, struct record *r, struct process *p)
{
    uint8_t hash[SHA256_LEN];
    struct buffer *lines = &log->lines;
    if (!r->ts_us)
        r->ts_us = now_us(log);
    if (!lines->len)
        buffer_add_char(lines, '\n');
    const size_t before = lines->len;
    int result = build_line(log, r, p, hash);
    if (result < 0) {
        lines->len = before;
        lines->failed = false;
        return result;
    }
    struct link *newest = &log->newest;
    newest->seq++;
    memcpy(newest->hash, hash, sizeof(hash));
    if (r->ts_us > newest->ts_us || newest->ts_us - r->ts_us >= NEWEST_STEP_US)
        newest->ts_us = r->ts_us;
    return 0;
}

size_t log_waiting(const struct log *log)
{
    return log->newest.seq == log->written.seq ? 0 : log->lines.len;
}

static int write_waiting(struct log *log)
{
    off_t end = 0;
    int result = find_end(log, &end);
    if (result < 0)
        return result;
    const size_t skip = log->torn ? 0 : 1, len = log->lines.len - skip;
    result = fd_write_all(log->fd, log->lines.data + skip, len);
    if (result < 0) {
        /* Should the cut fail too, the next write sees that the file ends elsewhere. */
        if (ftruncate(log->fd, end) == 0)
            log->end = end;
        return result;
    }
    log->end = end + (off_t)len;
    log->torn = false;
    return 0;
}

int log_commit(struct log *log)
{
    int result = 0;
    if (log_waiting(log)) {
        result = write_waiting(log);
        if (result == 0)
            log->written = log->newest;
        else
            log->newest = log->written;
    }
    buffer_clear(&log->lines);
    if (log->lines.size > LINES_KEPT)
        buffer_release(&log->lines);
    return result;
}

int log_append(struct log *log, struct record *r, struct process *p)
{
    int result = log_put(log, r, p);
    return result < 0 ? result : log_commit(log);
}

uint64_t log_head(const struct log *log, char hash[LOG_HASH_HEX + 1])
{
    hash[0] = '\0';
    if (log->written.seq)
        digest_hex(log->written.hash, hash);
    return log->written.seq;
}

const char *log_path(const struct log *log)
{
    return log->path;
}
