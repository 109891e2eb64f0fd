/* SPDX-License-Identifier: MIT
 * Keeps a long list of rules from being gone through: each rule that can be is put behind a guard,
 * something that must be in the event for the rule to match, such as a piece of a path's pattern or
 * the program of exe=. The event is searched for the guards of all of them at once.
 *
 * A guard may let a rule through that does not match; it never holds back one that does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* Where a guard is looked for. */
enum guard_place {
    GUARD_LABEL, /* the label that a pattern's wildcard is in */
    GUARD_PATH,  /* the path of a request */
    GUARD_TEXT,  /* what is known of a process */
    GUARD_PORT,
};

/* How: pieces of eight bytes and fewer wherever they stand, or a text as a whole. */
enum guard_way { GUARD_8, GUARD_4, GUARD_2, GUARD_1, GUARD_WHOLE, GUARD_WAYS };

/* The bit of a place and way in the set of those that a list needs; above them, from this one on,
 * the kinds of selectors whose texts are looked at. */
enum { GUARD_KINDS_SHIFT = 16 };

static inline uint32_t guard_bit(enum guard_place place, enum guard_way way)
{
    return place == GUARD_PORT ? 1u << 15 : 1u << ((unsigned)place * GUARD_WAYS + (unsigned)way);
}

static inline uint32_t guard_place_bits(enum guard_place place)
{
    return place == GUARD_PORT ? 1u << 15 : ((1u << GUARD_WAYS) - 1) << (place * GUARD_WAYS);
}

/* A hash, never 0, and where to look for it. */
struct guard {
    uint32_t key, bit;
};

typedef void guard_visit(void *context, struct guard guard);

/* Every guard that a pattern could have, `*` being any characters: the pieces of what is fixed in
 * it. None where it is made of wildcards alone. */
void guard_of_pieces(enum guard_place place, const char *pattern, size_t len, guard_visit *visit,
                     void *context) NONNULL(2, 4);
/* That of a text which must be there as it is. */
struct guard guard_of_whole(enum guard_place place, const char *text, size_t len) NONNULL(2);
struct guard guard_of_port(uint16_t port);

/* The rules behind one guard. */
struct guard_slot {
    uint32_t key;
    uint32_t begin, n; /* entries; n is 0 where the slot is empty */
};

/* The guards of one list. */
struct guard_index {
    uint32_t needs; /* bits of guard_bit and kinds */
    uint32_t slots; /* the first of its slots */
    uint32_t mask;
};

/* The slot of a guard, or the empty one where it would be. */
static inline size_t guard_slot_number(const struct guard_index *g, const struct guard_slot *slots,
                                       uint32_t key)
{
    size_t i = key >> 1 & g->mask;
    while (slots[g->slots + i].n > 0 && slots[g->slots + i].key != key)
        i = (i + 1) & g->mask;
    return g->slots + i;
}

/* Says which entries to look at; false ends the search. */
typedef bool guard_found(void *context, uint32_t begin, uint32_t n);

bool guard_search(const struct guard_index *g, const struct guard_slot *slots,
                  enum guard_place place, const char *text, size_t len, guard_found *found,
                  void *context) NONNULL(1, 2, 4, 6);
bool guard_search_port(const struct guard_index *g, const struct guard_slot *slots, uint16_t port,
                       guard_found *found, void *context) NONNULL(1, 2, 4);
