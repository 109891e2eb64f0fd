/* SPDX-License-Identifier: MIT
 * Digests of executables, for processes that a rule asks about: taken once for each file by a role
 * of its own, while the keeper goes on; remembered; and given only where it is proven that the file
 * is what was executed (attribution/executable.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "attribution/executable.h"
#include "attribution/process.h"
#include "base/attrib.h"

struct event_base;
struct digests;

/* What the role says at its end (IPC_DIGEST). */
struct digest_answer {
    int32_t error; /* 0, or a negative errno: the rest means nothing */
    uint32_t zero;
    struct exe_seen seen;
    uint8_t sha256[32];
};

struct digests_options {
    struct event_base *base;
    int executable_fd; /* of this program */
    /* Whether the exec of that key is the newest of a process that has not ended, by all that the
     * kernel has told up to now, and it has told everything. */
    bool (*lives)(void *context, const struct process_key *key);
    /* p as it was asked about, with its digest where that is known. */
    void (*done)(void *context, void *asker, uint32_t id, struct process *p);
    void *context;
};

struct digests *digests_new(const struct digests_options *o) NODISCARD NONNULL(1);
/* Ends what is under way without calling back; accepts NULL. */
void digests_free(struct digests *d);
/* Forgets what that asker has asked; what is under way for him begins anew for others who wait. */
void digests_forget(struct digests *d, const void *asker) NONNULL(1, 2);
/* Paths are looked up below this directory from now on, which is borrowed; -1: the keeper's own. */
void digests_set_root(struct digests *d, int root_fd) NONNULL(1);

/* Returns true where the digest has to be taken first: done is called then with asker, which is
 * borrowed, and id; which may be within this call when it cannot. False: *now is p with its digest,
 * or p itself where it cannot be known; the caller owns a count. */
bool digests_ask(struct digests *d, struct process *p, void *asker, uint32_t id,
                 struct process **now) NODISCARD NONNULL(1, 2, 3, 5);
