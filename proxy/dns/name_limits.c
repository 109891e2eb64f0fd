/* SPDX-License-Identifier: MIT
 * The budgets, as buckets that leak. Those of zones stay for good: there are as many as the policy
 * has wildcards, and from a number on they share one. Those of processes stand in sets; where a set
 * is full the one that has spent least goes, which its process gains least by. */
#include "dns/name_limits.h"

#include <string.h>

#include "dns/name_bits.h"

enum {
    ZONES = 1024,
    WAYS = 8,
    SETS = 512,
};

struct bucket {
    uint64_t since; /* when `spent` was true */
    uint32_t spent; /* bits */
};

struct zone {
    uint64_t hash; /* 0: free */
    struct bucket bucket;
};

struct spender {
    uint64_t hash; /* 0: free */
    struct bucket bucket;
};

struct name_limits {
    size_t n_zones;
    struct zone zones[ZONES];
    struct zone rest; /* of the zones that have no place of their own */
    struct spender spenders[SETS][WAYS];
};

size_t name_limits_size(void)
{
    return sizeof(struct name_limits);
}

struct name_limits *name_limits_attach(void *memory, size_t size)
{
    bool fits =
        size >= sizeof(struct name_limits) && (uintptr_t)memory % _Alignof(struct name_limits) == 0;
    return fits ? memory : NULL;
}

/* FNV-1a, with the finisher of murmur3 for its weak high bits. Who collides shares a budget. */
static uint64_t hash_bytes(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static uint64_t never_zero(uint64_t h)
{
    return h ? h : 1;
}

static void leak(struct bucket *b, uint32_t back, uint64_t now)
{
    uint64_t seconds = now > b->since ? now - b->since : 0;
    b->spent =
        seconds < b->spent / back + 1 ? b->spent - MIN(b->spent, (uint32_t)seconds * back) : 0;
    b->since = MAX(now, b->since);
}

static struct zone *find_zone(struct name_limits *l, uint64_t hash)
{
    for (size_t i = 0; i < ZONES; i++) {
        struct zone *z = &l->zones[(hash + i) % ZONES];
        if (z->hash == hash)
            return z;
        if (z->hash)
            continue;
        /* A table that is full would be walked to its end for every name. */
        if (l->n_zones >= ZONES / 4 * 3)
            break;
        l->n_zones++;
        z->hash = hash;
        return z;
    }
    return &l->rest;
}

static struct spender *find_spender(struct name_limits *l, uint64_t hash, uint64_t now)
{
    struct spender *set = l->spenders[hash % SETS], *victim = set;
    for (struct spender *s = set; s < set + WAYS; s++) {
        leak(&s->bucket, NAME_PROCESS_BITS_BACK, now);
        if (s->hash == hash)
            return s;
        if (s->bucket.spent < victim->bucket.spent)
            victim = s;
    }
    *victim = (struct spender){.hash = hash, .bucket = {.since = now}};
    return victim;
}

/* What the question tells, or 0 where the name is longer than any that is honest. */
static unsigned price(const struct name_question *q)
{
    size_t front = strlen(q->name) - strlen(q->zone);
    front -= front > 0; /* the dot */
    if (front > NAME_FRONT_MAX)
        return 0;
    unsigned bits = q->known ? NAME_KNOWN_BITS : name_bits(q->name, front);
    return bits + (q->other_type ? NAME_TYPE_BITS : 0);
}

bool name_limits_take(struct name_limits *l, const struct name_question *q, uint64_t now)
{
    unsigned bits = price(q);
    if (!bits)
        return false;
    uint64_t by_zone = hash_bytes(UINT64_C(0xcbf29ce484222325), q->zone, strlen(q->zone));
    /* The process for all of its life: executing something else makes nobody another. */
    uint64_t by_process = hash_bytes(by_zone, &q->process.pid, sizeof(q->process.pid));
    by_process = hash_bytes(by_process, &q->process.start_ns, sizeof(q->process.start_ns));
    struct zone *zone = find_zone(l, never_zero(by_zone));
    struct spender *spender = find_spender(l, never_zero(by_process), now);
    leak(&zone->bucket, NAME_ZONE_BITS_BACK, now);
    if (zone->bucket.spent > NAME_ZONE_BITS - bits ||
        spender->bucket.spent > NAME_PROCESS_BITS - bits)
        return false;
    zone->bucket.spent += bits;
    spender->bucket.spent += bits;
    return true;
}
