/* SPDX-License-Identifier: MIT
 * A bounded stock of something (descriptors, bytes) that many take from without knowing of each
 * other: whoever comes must find something left, however much somebody else would like to have.
 *
 * Who holds n may take more as long as n is no more than what would be left then: one taker gets
 * half, and of k who take all that they can each has 1/(k+1), and as much is free for the next. No
 * limit has to be set for anybody, and nobody's is taken away. What finishes something that has
 * begun may go to twice what would be left, so that beginnings alone never use up a share. (Dynamic
 * thresholds, Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct shares;

/* Who takes: a process, whatever it executes. All zero: nobody knows who. */
struct shares_key {
    uint64_t start_ns;
    uint32_t pid;
};

/* How many times what would be left somebody may hold already. */
enum shares_for { SHARES_TO_BEGIN = 1, SHARES_TO_FINISH = 2 };

/* A stock of so many units; NULL when memory ran out. */
struct shares *shares_new(size_t total) NODISCARD;
void shares_free(struct shares *s); /* accepts NULL */

/* Takes n units for that process. Returns false, and takes nothing, when that is more than it may
 * have, or memory ran out. */
bool shares_take(struct shares *s, const struct shares_key *who, size_t n,
                 enum shares_for what) NODISCARD NONNULL(1, 2);
/* Gives back what was taken, in parts or at once. */
void shares_give(struct shares *s, const struct shares_key *who, size_t n) NONNULL(1, 2);
/* What is taken of it, by all; and by that process (NULL: by all). */
size_t shares_taken(const struct shares *s, const struct shares_key *who) NONNULL(1);
