/* SPDX-License-Identifier: MIT
 * Who holds how many places: a hash of processes, which also stand in lists by how many they hold,
 * so that a flood of questions costs each of them little. */
#include "attribution/places.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define BUCKETS 1024

TAILQ_HEAD(place_list, place);

struct place_holder {
    struct process_key owner;
    size_t n, weight;
    LIST_ENTRY(place_holder) same_bucket;
    TAILQ_ENTRY(place_holder) same_n;
    struct place_list places; /* the one that was of use longest ago first */
};

TAILQ_HEAD(place_level, place_holder); /* the one that came to it first first */

struct places {
    size_t max, each, n, most, weight;
    LIST_HEAD(place_bucket, place_holder) buckets[BUCKETS];
    struct place_level levels[]; /* max + 1, by how many they hold */
};

struct places *places_new(size_t max, size_t each)
{
    struct places *s = calloc(1, sizeof(*s) + (max + 1) * sizeof(s->levels[0]));
    if (!s)
        return NULL;
    s->max = max;
    s->each = each;
    for (size_t i = 0; i <= max; i++)
        TAILQ_INIT(&s->levels[i]);
    return s;
}

void places_free(struct places *s)
{
    for (size_t i = 0; s && i <= s->max; i++)
        for (struct place_holder *h; (h = TAILQ_FIRST(&s->levels[i]));) {
            TAILQ_REMOVE(&s->levels[i], h, same_n);
            free(h);
        }
    free(s);
}

static struct place_bucket *bucket_of(struct places *s, const struct process_key *owner)
{
    const uint64_t h = (owner->start_ns ^ owner->pid) * UINT64_C(0x9e3779b97f4a7c15);
    return &s->buckets[h >> 32 & (BUCKETS - 1)];
}

/* A process for all of its life, whatever it executes. */
static struct place_holder *find(struct places *s, const struct process_key *owner)
{
    struct place_holder *h;
    LIST_FOREACH(h, bucket_of(s, owner), same_bucket)
    if (h->owner.pid == owner->pid && h->owner.start_ns == owner->start_ns)
        return h;
    return NULL;
}

static struct place_holder *holder_new(struct places *s, const struct process_key *owner)
{
    struct place_holder *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->owner = *owner;
    TAILQ_INIT(&h->places);
    LIST_INSERT_HEAD(bucket_of(s, owner), h, same_bucket);
    TAILQ_INSERT_TAIL(&s->levels[0], h, same_n);
    return h;
}

/* It holds n from now on; with none it is gone. */
static void move(struct places *s, struct place_holder *h, size_t n)
{
    TAILQ_REMOVE(&s->levels[h->n], h, same_n);
    s->n += n - h->n;
    h->n = n;
    if (n) {
        TAILQ_INSERT_TAIL(&s->levels[n], h, same_n);
        s->most = MAX(s->most, n);
    } else {
        LIST_REMOVE(h, same_bucket);
        free(h);
    }
    while (s->most && TAILQ_EMPTY(&s->levels[s->most]))
        s->most--;
}

/* One that holds most loses one. */
static int make_room(struct places *s)
{
    struct place *goes = TAILQ_FIRST(&TAILQ_FIRST(&s->levels[s->most])->places);
    if (!goes->yield)
        return -EAGAIN;
    goes->yield(goes);
    return s->n < s->max ? 0 : -EAGAIN;
}

int places_take(struct places *s, struct place *place, const struct process_key *owner)
{
    const struct place_holder *has = find(s, owner);
    if (has && has->n >= s->each && s->each < s->max)
        return -EAGAIN;
    int full = s->n < s->max ? 0 : s->max ? make_room(s) : -EAGAIN;
    if (full)
        return full;
    /* Looked for again: it may have been its own last one that went. */
    struct place_holder *h = find(s, owner);
    h = h ? h : holder_new(s, owner);
    if (!h)
        return -ENOMEM;
    place->holder = h;
    place->weight = 0;
    TAILQ_INSERT_TAIL(&h->places, place, by_use);
    move(s, h, h->n + 1);
    return 0;
}

void places_give(struct places *s, struct place *place)
{
    struct place_holder *h = place->holder;
    if (!h)
        return;
    (void)places_weigh(s, place, 0);
    TAILQ_REMOVE(&h->places, place, by_use);
    place->holder = NULL;
    move(s, h, h->n - 1);
}

void places_use(struct places *s, struct place *place)
{
    struct place_holder *h = place->holder;
    (void)s;
    if (!h)
        return;
    TAILQ_REMOVE(&h->places, place, by_use);
    TAILQ_INSERT_TAIL(&h->places, place, by_use);
}

struct place *places_oldest_of(const struct place *place)
{
    return TAILQ_FIRST(&place->holder->places);
}

size_t places_weigh(struct places *s, struct place *place, size_t weight)
{
    if (place->holder) {
        place->holder->weight += weight - place->weight;
        s->weight += weight - place->weight;
        place->weight = weight;
    }
    return s->weight;
}

static struct place_holder *heaviest_holder(const struct places *s)
{
    struct place_holder *most = NULL;
    for (size_t i = 1; i <= s->most; i++)
        for (struct place_holder *h = TAILQ_FIRST(&s->levels[i]); h; h = TAILQ_NEXT(h, same_n))
            if (!most || h->weight > most->weight)
                most = h;
    return most;
}

struct place *places_heaviest(const struct places *s)
{
    const struct place_holder *h = heaviest_holder(s);
    struct place *most = h ? TAILQ_FIRST(&h->places) : NULL;
    for (struct place *p = most; p; p = TAILQ_NEXT(p, by_use))
        if (p->weight > most->weight)
            most = p;
    return most;
}
