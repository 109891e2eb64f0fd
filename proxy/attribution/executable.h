/* SPDX-License-Identifier: MIT
 * When the bytes that a file has now are those that were executed from it: the rules by which a
 * digest that was taken later speaks for an exec. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "attribution/process.h"
#include "base/attrib.h"

/* What can prove it. The kernel lets nobody write to a file that is being executed
 * (deny_write_access() in exec), so a process that still runs it is a proof everywhere on local
 * filesystems. An unchanged change time is one where every write sets it, those through memory too,
 * where a write in the same moment would show, and of files that root alone may write to: whoever
 * may write can also have the filesystem move blocks from one file to another (EXT4_IOC_MOVE_EXT,
 * XFS_IOC_SWAPEXT), which is not dated. */
enum exe_proof {
    EXE_NO_PROOF,
    EXE_WHILE_IT_RUNS,
    EXE_BY_CTIME, /* or while it runs */
};

/* What can prove it for p. real_minus_boot: CLOCK_REALTIME less CLOCK_BOOTTIME, in ns. */
enum exe_proof exe_proof(const struct process *p, int64_t real_minus_boot) NODISCARD NONNULL(1);

/* What was seen of a file whose digest was taken. */
struct exe_seen {
    struct exe_file before, after; /* the reading; `fs` is not filled in */
    bool running;                  /* /proc/PID/exe of the process was that inode, after it */
    bool roots;                    /* nobody but root might write to it, before it */
};

/* What of `proof`, if anything, proves that the digest is that of what p executed. lives: p's exec
 * was its newest, and nothing had been missed, after `running` was looked at. */
enum exe_proof exe_proven_by(const struct process *p, enum exe_proof proof,
                             const struct exe_seen *seen, bool lives) NODISCARD NONNULL(1, 3);

/* The kernel's number of a device (MKDEV in linux/kdev_t.h) of the one that stat(2) gives. */
uint32_t exe_dev(uint64_t st_dev);
