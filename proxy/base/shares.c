/* SPDX-License-Identifier: MIT
 * One counter for all, and one for each process that holds something. */
#include "base/shares.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS 4096 /* a power of two */

struct share {
    struct share *next;
    struct shares_key who;
    size_t held;
};

struct shares {
    size_t total, taken;
    struct share *buckets[BUCKETS];
};

struct shares *shares_new(size_t total)
{
    struct shares *s = calloc(1, sizeof *s);
    if (s)
        s->total = total;
    return s;
}

void shares_free(struct shares *s)
{
    for (size_t i = 0; s && i < BUCKETS; i++)
        for (struct share *h = s->buckets[i], *next; h; h = next) {
            next = h->next;
            free(h);
        }
    free(s);
}

/* Where the holder stands, or would be hung. */
static struct share **place_of(const struct shares *s, const struct shares_key *who)
{
    const uint64_t h = (who->start_ns ^ who->pid) * UINT64_C(0x9e3779b97f4a7c15);
    struct share **at = (struct share **)&s->buckets[h >> 52];
    while (*at && ((*at)->who.pid != who->pid || (*at)->who.start_ns != who->start_ns))
        at = &(*at)->next;
    return at;
}

bool shares_take(struct shares *s, const struct shares_key *who, size_t n, enum shares_for what)
{
    if (n == 0)
        return true;
    if (n > s->total - s->taken)
        return false;
    struct share **at = place_of(s, who);
    const size_t left = s->total - s->taken - n;
    if (*at && (*at)->held / what > left)
        return false;
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return false;
        (*at)->who = *who;
    }
    (*at)->held += n;
    s->taken += n;
    return true;
}

void shares_give(struct shares *s, const struct shares_key *who, size_t n)
{
    struct share **at = place_of(s, who);
    if (n == 0)
        return;
    assert(*at && (*at)->held >= n); /* it was taken by the same key */
    (*at)->held -= n;
    s->taken -= n;
    if ((*at)->held == 0) {
        struct share *gone = *at;
        *at = gone->next;
        free(gone);
    }
}

size_t shares_taken(const struct shares *s, const struct shares_key *who)
{
    const struct share *h = who ? *place_of(s, who) : NULL;
    return who ? (h ? h->held : 0) : s->taken;
}
