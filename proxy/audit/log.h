/* SPDX-License-Identifier: MIT
 * The log file: opened once, appended to, chained by SHA-256 (AUDIT-LOG.md, Chain). Owned by the
 * keeper. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "audit/record.h"
#include "base/attrib.h"
#include "base/error.h"

#define LOG_HASH_HEX 64

struct log;

struct log_options {
    const char *path;
    gid_t group; /* group of a new file, (gid_t)-1 to leave it; mode 0640 */
    enum log_args args;
};

/* Opens or makes the file (O_APPEND|O_NOFOLLOW, regular files only, locked against a second
 * writer) and takes the chain up where its last record left it. -EWOULDBLOCK: another run is
 * writing it. Root takes a file over that another user owns. Negative errno and *error on failure.
 */
int log_open(const struct log_options *o, struct log **out, struct error *error) NODISCARD
    NONNULL(1, 2, 3);
/* Whether log_open would take what is there, in its words; makes and changes nothing. 0; -ENOENT
 * with no sentence: there is no such file yet; a negative errno and *error. */
int log_look(const struct log_options *o, struct error *error) NODISCARD NONNULL(1, 2);
/* Closes and frees; accepts NULL. */
void log_close(struct log *log);

/* Appends one record, and what waits before it. write(2) has returned when this does. On failure
 * the file is cut back to where it was and a negative errno returned (-ENOSPC, -EIO, …): nothing
 * may be let through then. */
int log_append(struct log *log, struct record *r, struct process *p) NODISCARD NONNULL(1, 2);

/* The same in two steps, so that records that come together are one write. log_put makes the line
 * and leaves it waiting: nothing may be let through for it yet; -EMSGSIZE or -ENOMEM: it is not
 * among those that wait. log_commit writes all that wait, or on failure none of them. */
int log_put(struct log *log, struct record *r, struct process *p) NODISCARD NONNULL(1, 2);
int log_commit(struct log *log) NODISCARD NONNULL(1);
/* Bytes that wait. */
size_t log_waiting(const struct log *log) NONNULL(1);

/* The newest written record's number and hash, to be told elsewhere. 0 and "" before the first. */
uint64_t log_head(const struct log *log, char hash[LOG_HASH_HEX + 1]) NONNULL(1, 2);
const char *log_path(const struct log *log) NONNULL(1);
