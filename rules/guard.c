/* SPDX-License-Identifier: MIT
 * What the guards of a pattern are, and how a text is searched for them. */
#include "rules/guard.h"

#include <string.h>

/* Patterns may be 64 KiB long; one of the first pieces is as good as any. */
enum { PIECES_MAX = 128 };

static const unsigned sizes[] = {[GUARD_8] = 8, [GUARD_4] = 4, [GUARD_2] = 2, [GUARD_1] = 1};

/* Never 0. */
static uint32_t key_of(uint32_t bit, uint64_t value)
{
    uint64_t hash = (value ^ (uint64_t)bit << 40) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
    return (uint32_t)(hash * UINT64_C(0xbf58476d1ce4e5b9) >> 32) | 1;
}

static uint64_t piece_at(const char *text, enum guard_way way)
{
    uint64_t eight = 0;
    uint32_t four;
    uint16_t two;
    switch (way) {
    case GUARD_8:
        memcpy(&eight, text, sizeof(eight));
        return eight;
    case GUARD_4:
        memcpy(&four, text, sizeof(four));
        return four;
    case GUARD_2:
        memcpy(&two, text, sizeof(two));
        return two;
    default:
        return (unsigned char)text[0];
    }
}

static uint32_t key_of_whole(uint32_t bit, const char *text, size_t len)
{
    uint64_t hash = len, last = 0;
    for (; len >= 8; text += 8, len -= 8) {
        hash = (hash ^ piece_at(text, GUARD_8)) * UINT64_C(0x94d049bb133111eb);
        hash ^= hash >> 31;
    }
    memcpy(&last, text, len);
    return key_of(bit, hash ^ last * UINT64_C(0xd6e8feb86659fd93));
}

struct guard guard_of_port(uint16_t port)
{
    uint32_t bit = guard_bit(GUARD_PORT, GUARD_WHOLE);
    return (struct guard){key_of(bit, port), bit};
}

struct guard guard_of_whole(enum guard_place place, const char *text, size_t len)
{
    uint32_t bit = guard_bit(place, GUARD_WHOLE);
    return (struct guard){key_of_whole(bit, text, len), bit};
}

void guard_of_pieces(enum guard_place place, const char *pattern, size_t len, guard_visit *visit,
                     void *context)
{
    size_t pieces = 0;
    for (size_t i = 0; i < len;) {
        const char *star = memchr(pattern + i, '*', len - i);
        size_t end = star ? (size_t)(star - pattern) : len;
        enum guard_way way = GUARD_8;
        while (way < GUARD_1 && sizes[way] > end - i)
            way++;
        uint32_t bit = guard_bit(place, way);
        for (; i + sizes[way] <= end && pieces < PIECES_MAX; i++, pieces++)
            visit(context, (struct guard){key_of(bit, piece_at(pattern + i, way)), bit});
        i = end + 1;
    }
}

static const struct guard_slot *find(const struct guard_index *g, const struct guard_slot *slots,
                                     uint32_t key)
{
    const struct guard_slot *s = &slots[guard_slot_number(g, slots, key)];
    return s->n > 0 ? s : NULL;
}

bool guard_search(const struct guard_index *g, const struct guard_slot *slots,
                  enum guard_place place, const char *text, size_t len, guard_found *found,
                  void *context)
{
    for (enum guard_way way = GUARD_8; way <= GUARD_1; way++) {
        uint32_t bit = guard_bit(place, way);
        if (!(g->needs & bit))
            continue;
        for (size_t i = 0; i + sizes[way] <= len; i++) {
            const struct guard_slot *s = find(g, slots, key_of(bit, piece_at(text + i, way)));
            if (s && !found(context, s->begin, s->n))
                return false;
        }
    }
    if (!(g->needs & guard_bit(place, GUARD_WHOLE)))
        return true;
    const struct guard_slot *s = find(g, slots, guard_of_whole(place, text, len).key);
    return !s || found(context, s->begin, s->n);
}

bool guard_search_port(const struct guard_index *g, const struct guard_slot *slots, uint16_t port,
                       guard_found *found, void *context)
{
    struct guard guard = guard_of_port(port);
    const struct guard_slot *s = g->needs & guard.bit ? find(g, slots, guard.key) : NULL;
    return !s || found(context, s->begin, s->n);
}
