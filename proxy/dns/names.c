/* SPDX-License-Identifier: MIT
 * The learnt names: a set-associative table laid over shared memory. Client and address choose the
 * set, so that all names of an address are found in one place, and a set that is full loses its
 * oldest. The memory may have been written by a process that died half-way: every entry carries a
 * count that is odd while it is written, and nothing read from it is used as a length or index. */
#include "dns/names.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum {
    WAYS = 32,
    NAME_ROOM = 254,
    VERSION = 1,
    HOUR = 3600,
    DAY = 24 * HOUR,
    READ_TRIES = 64, /* before a writer is taken for dead */
};
#define MAGIC UINT64_C(0x6567726573734e4d) /* "egressNM" */

struct entry {
    _Atomic uint32_t changes; /* odd while client, address or name are being written */
    uint32_t client, address;
    char name[NAME_ROOM];
    _Atomic uint64_t until; /* 0: free */
    _Atomic uint64_t order; /* of learning: the larger, the newer */
};

struct names {
    uint64_t magic;
    uint32_t version, ways, entry_size, unused;
    uint64_t sets;
    uint64_t order; /* the writer's: of the entry learnt last */
    struct entry entries[];
};

static_assert(sizeof(struct entry) == 288, "a new layout needs a new VERSION");
static_assert(offsetof(struct names, entries) % 8 == 0, "entries hold words of eight bytes");
static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2, "shared by processes");

#define SET_SIZE (WAYS * sizeof(struct entry))

size_t names_size(size_t entries)
{
    size_t sets = entries / WAYS + (entries % WAYS != 0), size;
    if (__builtin_mul_overflow(MAX(sets, 1), SET_SIZE, &size) ||
        __builtin_add_overflow(size, sizeof(struct names), &size))
        return 0;
    return size;
}

struct names *names_attach(void *memory, size_t size)
{
    static const struct names fresh;
    struct names *n = memory;
    if (size < names_size(1) || (uintptr_t)memory % _Alignof(struct names) != 0)
        return NULL;
    uint64_t sets = MIN((size - sizeof(*n)) / SET_SIZE, UINT32_MAX);
    if (n->magic == MAGIC && n->version == VERSION && n->ways == WAYS &&
        n->entry_size == sizeof(struct entry) && n->sets == sets)
        return n;
    /* New memory is zero already: writing to all of it would only make it take up room. The
     * header is emptied last, so that a death in between leaves nothing that looks new. */
    if (memcmp(n, &fresh, sizeof(*n)) != 0) {
        memset(n->entries, 0, size - sizeof(*n));
        memset(n, 0, sizeof(*n));
    }
    n->version = VERSION;
    n->ways = WAYS;
    n->entry_size = sizeof(struct entry);
    n->sets = sets;
    atomic_thread_fence(memory_order_release);
    n->magic = MAGIC;
    return n;
}

/* The finisher of murmur3, which lets every bit of the key reach every bit of the hash. */
static size_t set_of(const struct names *n, uint32_t client, uint32_t address)
{
    uint64_t h = (uint64_t)client << 32 | address;
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 33;
    return (size_t)((h >> 32) * n->sets >> 32) * WAYS;
}

/* What a reader takes out of an entry, all from one moment. */
struct promise {
    uint64_t until, order;
    char name[NAME_ROOM];
};

/* Reads an entry of client and address that still counts; false where it is none. */
static bool read_entry(const struct entry *e, uint32_t client, uint32_t address, uint64_t now,
                       struct promise *out)
{
    for (unsigned i = 0; i < READ_TRIES; i++) {
        uint32_t before = atomic_load_explicit(&e->changes, memory_order_acquire);
        if (before & 1)
            continue;
        bool same = e->client == client && e->address == address;
        out->until = atomic_load_explicit(&e->until, memory_order_relaxed);
        out->order = atomic_load_explicit(&e->order, memory_order_relaxed);
        if (same && out->until > now)
            memcpy(out->name, e->name, sizeof(out->name));
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&e->changes, memory_order_relaxed) == before)
            return same && out->until > now && memchr(out->name, '\0', sizeof(out->name));
    }
    return false;
}

static void write_entry(struct entry *e, uint32_t client, const char *name, size_t len,
                        uint32_t address, uint64_t until, uint64_t order)
{
    /* Odd already where a writer died in it. */
    uint32_t odd = atomic_load_explicit(&e->changes, memory_order_relaxed) | 1;
    atomic_store_explicit(&e->changes, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    e->client = client;
    e->address = address;
    memset(e->name, 0, sizeof(e->name));
    memcpy(e->name, name, len);
    atomic_store_explicit(&e->until, until, memory_order_relaxed);
    atomic_store_explicit(&e->order, order, memory_order_relaxed);
    atomic_store_explicit(&e->changes, odd + 1, memory_order_release);
}

void names_learn(struct names *n, uint32_t client, const char *name, uint32_t address, uint32_t ttl,
                 uint64_t now)
{
    size_t len = strnlen(name, NAME_ROOM);
    uint64_t until = now + MIN(MAX(ttl, HOUR), DAY);
    struct entry *set = n->entries + set_of(n, client, address), *victim = set;
    struct promise p;
    if (len == 0 || len == NAME_ROOM)
        return;
    uint64_t order = ++n->order, oldest = UINT64_MAX;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (read_entry(e, client, address, now, &p) && strcmp(p.name, name) == 0) {
            /* A shorter promise does not take back a longer one. */
            until = MAX(until, MIN(p.until, now + DAY));
            atomic_store_explicit(&e->until, until, memory_order_relaxed);
            atomic_store_explicit(&e->order, order, memory_order_relaxed);
            return;
        }
        bool free = atomic_load_explicit(&e->until, memory_order_relaxed) <= now;
        uint64_t age = free ? 0 : atomic_load_explicit(&e->order, memory_order_relaxed);
        if (age < oldest) {
            oldest = age;
            victim = e;
        }
    }
    write_entry(victim, client, name, len, address, until, order);
}

bool names_holds(const struct names *n, uint32_t client, const char *name, uint32_t address,
                 uint64_t now)
{
    const struct entry *set = n->entries + set_of(n, client, address);
    struct promise p;
    for (const struct entry *e = set; e < set + WAYS; e++)
        if (read_entry(e, client, address, now, &p) && strcmp(p.name, name) == 0)
            return true;
    return false;
}

size_t names_of(const struct names *n, uint32_t client, uint32_t address, uint64_t now,
                char (*out)[NAME_ROOM], size_t max)
{
    const struct entry *set = n->entries + set_of(n, client, address);
    uint64_t orders[NAMES_PER_ADDRESS];
    size_t found = 0;
    struct promise p;
    max = MIN(max, NAMES_PER_ADDRESS);
    for (const struct entry *e = set; e < set + WAYS; e++) {
        size_t at = 0;
        if (!read_entry(e, client, address, now, &p))
            continue;
        while (at < found && orders[at] >= p.order)
            at++;
        if (at == max)
            continue;
        size_t moved = MIN(found, max - 1) - at;
        memmove(out + at + 1, out + at, moved * sizeof(*out));
        memmove(orders + at + 1, orders + at, moved * sizeof(*orders));
        memcpy(out[at], p.name, sizeof(*out));
        orders[at] = p.order;
        found = MIN(found + 1, max);
    }
    return found;
}
