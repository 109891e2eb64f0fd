/* SPDX-License-Identifier: MIT
 * Which names were resolved to which addresses, for whom, until when (DESIGN.md, decision 3): fixed
 * entries in memory that the keeper owns, so that the promises outlive the proxy. Pure: time comes
 * from outside, the memory is the caller's (zeroed when new). An entry counts for at least an hour
 * after the answer and at most a day. Bounded: when a set of entries is full the oldest goes.
 * One writer at a time; whatever the memory holds, reading stays within bounds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct names; /* laid over the shared memory */

size_t names_size(size_t entries); /* bytes for so many entries */
/* Lays the table over memory: takes what is there when it is a table of this size and version,
 * else makes it empty. Returns NULL when size is too small. */
struct names *names_attach(void *memory, size_t size) NODISCARD NONNULL(1);

/* Learns that name (normal form) was resolved to address (host byte order) for client with ttl
 * seconds, at now (seconds, a clock that does not jump). */
void names_learn(struct names *n, uint32_t client, const char *name, uint32_t address, uint32_t ttl,
                 uint64_t now) NONNULL(1, 3);
/* Whether that name counts for that address and client now. */
bool names_holds(const struct names *n, uint32_t client, const char *name, uint32_t address,
                 uint64_t now) NODISCARD NONNULL(1, 3);
/* Names that count for an address, newest first, copied into out (each 254 bytes). Returns how
 * many, at most max. */
#define NAMES_PER_ADDRESS 16
size_t names_of(const struct names *n, uint32_t client, uint32_t address, uint64_t now,
                char (*out)[254], size_t max) NODISCARD NONNULL(1, 5);
