/* SPDX-License-Identifier: MIT
 * Places of which there are so many, and which processes take: so that one that takes all leaves
 * room for others: who holds most gives way, whatever number of processes ask. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sys/queue.h>

#include "base/attrib.h"
#include "bpf/attribution.h"

struct place_holder;
struct places;

/* A place, embedded in what holds it; all zero: it holds none. */
struct place {
    struct place_holder *holder;
    size_t weight;
    /* The place is needed for another: to be given back during the call. The place, and what it is
     * embedded in, may be gone afterwards. */
    void (*yield)(struct place *place);
    TAILQ_ENTRY(place) by_use;
};

/* max places, of which one process may hold `each` at most; where that is all, its own yield. */
struct places *places_new(size_t max, size_t each) NODISCARD;
void places_free(struct places *s); /* accepts NULL; the places are their owner's */

/* Takes a place for that process (all that are not known, with the zero key, are one). Where none
 * is left, one yields: the one that was of use longest ago, of the process that holds most; of
 * several that hold as much, of the one that has done so longest. Returns 0, -ENOMEM, or -EAGAIN
 * where the process has its part, or where that place does not yield (yield NULL). */
int places_take(struct places *s, struct place *place, const struct process_key *owner) NODISCARD
    NONNULL(1, 2, 3);
/* Gives the place back; accepts one that holds none. */
void places_give(struct places *s, struct place *place) NONNULL(1, 2);
/* It was of use just now. */
void places_use(struct places *s, struct place *place) NONNULL(1, 2);
/* How much it holds of something else; 0 when taken. Returns what all together hold then. */
size_t places_weigh(struct places *s, struct place *place, size_t weight) NONNULL(1, 2);
/* Of the places of who holds this one, the one that was of use longest ago. */
struct place *places_oldest_of(const struct place *place) NONNULL(1);
/* The heaviest place of the process whose places weigh most; NULL where there is none. */
struct place *places_heaviest(const struct places *s) NONNULL(1);
