/* SPDX-License-Identifier: MIT
 * Answers to names below wildcards, kept and given again: so asking again is no way to tell
 * something to whoever answers, and programs that do so need no budget for it (name_limits.h).
 * Pure: time comes from outside, in seconds; of bounded size, what was used longest ago goes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

#define KEPT_MAX 2048
/* Longer messages are not kept. */
#define KEPT_MESSAGE_MAX 4096
/* However short its TTL is, an answer counts for so long, as it does in the Java runtime; and a
 * name that does not exist, which somebody may wait for. */
#define KEPT_SECONDS      30
#define KEPT_NONE_SECONDS 10
#define KEPT_SECONDS_MAX  300

struct kept;

/* What was asked, whom: the resolver's address and port, 0 where the filter chooses it. */
struct kept_key {
    const char *name; /* normal form */
    uint16_t type;
    uint32_t ip;
    uint16_t port;
    bool rd;
};

struct kept_answer {
    const void *message; /* as it was put; valid until the next call */
    size_t len;
    uint32_t age; /* seconds since */
};

struct kept *kept_new(void) NODISCARD;
void kept_free(struct kept *k); /* accepts NULL */

enum kept_state {
    KEPT_NEW,   /* not asked for before, as far as is remembered */
    KEPT_KNOWN, /* asked for before, to be asked again */
    KEPT_FRESH, /* *out is the answer */
};
enum kept_state kept_find(struct kept *k, const struct kept_key *key, uint64_t now,
                          struct kept_answer *out) NODISCARD NONNULL(1, 2, 4);
/* The question leaves: from now on it is known. */
void kept_ask(struct kept *k, const struct kept_key *key) NONNULL(1, 2);
/* Keeps the answer to a question that left, for ttl seconds within the bounds above; none: there is
 * no record in it, and its ttl does not count. Where memory ran out it is not kept. */
void kept_put(struct kept *k, const struct kept_key *key, const void *message, size_t len,
              uint32_t ttl, bool none, uint64_t now) NONNULL(1, 2, 3);
