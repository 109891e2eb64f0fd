/* SPDX-License-Identifier: MIT
 * The kept answers: sets of entries by the hash of what was asked. */
#include "dns/kept.h"

#include <stdlib.h>
#include <string.h>

enum {
    WAYS = 8,
    SETS = KEPT_MAX / WAYS,
    NAME_ROOM = 254,
};

struct entry {
    uint64_t used; /* the larger, the later; 0: free */
    uint64_t since, until;
    void *message; /* owned; NULL: none is kept */
    size_t len;
    uint32_t ip;
    uint16_t port, type;
    bool rd;
    char name[NAME_ROOM];
};

struct kept {
    uint64_t clock; /* counts uses */
    struct entry entries[SETS][WAYS];
};

struct kept *kept_new(void)
{
    return calloc(1, sizeof(struct kept));
}

void kept_free(struct kept *k)
{
    for (size_t i = 0; k && i < KEPT_MAX; i++)
        free(k->entries[i / WAYS][i % WAYS].message);
    free(k);
}

static bool is_of(const struct entry *e, const struct kept_key *key)
{
    return e->used && e->type == key->type && e->ip == key->ip && e->port == key->port &&
           e->rd == key->rd && strcmp(e->name, key->name) == 0;
}

/* Who chooses names that fall into one set makes them new again, which is to his own cost. */
static struct entry *set_of(struct kept *k, const struct kept_key *key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ key->type; /* FNV-1a */
    for (const char *c = key->name; *c; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return k->entries[(h ^ h >> 32) % SETS];
}

static struct entry *find(struct kept *k, const struct kept_key *key)
{
    struct entry *set = set_of(k, key);
    for (struct entry *e = set; e < set + WAYS; e++)
        if (is_of(e, key)) {
            e->used = ++k->clock;
            return e;
        }
    return NULL;
}

enum kept_state kept_find(struct kept *k, const struct kept_key *key, uint64_t now,
                          struct kept_answer *out)
{
    const struct entry *e = find(k, key);
    if (!e)
        return KEPT_NEW;
    if (!e->message || now >= e->until)
        return KEPT_KNOWN;
    *out = (struct kept_answer){e->message, e->len, (uint32_t)(now - e->since)};
    return KEPT_FRESH;
}

void kept_ask(struct kept *k, const struct kept_key *key)
{
    struct entry *set = set_of(k, key), *oldest = set;
    if (strlen(key->name) >= NAME_ROOM || find(k, key))
        return;
    for (struct entry *e = set; e < set + WAYS; e++)
        if (e->used < oldest->used)
            oldest = e;
    free(oldest->message);
    *oldest = (struct entry){
        .used = ++k->clock, .ip = key->ip, .port = key->port, .type = key->type, .rd = key->rd};
    memcpy(oldest->name, key->name, strlen(key->name) + 1);
}

void kept_put(struct kept *k, const struct kept_key *key, const void *message, size_t len,
              uint32_t ttl, bool none, uint64_t now)
{
    struct entry *e = find(k, key);
    if (!e || len == 0 || len > KEPT_MESSAGE_MAX)
        return;
    void *copy = malloc(len);
    if (!copy)
        return;
    memcpy(copy, message, len);
    free(e->message);
    e->message = copy;
    e->len = len;
    e->since = now;
    e->until = now + (none ? KEPT_NONE_SECONDS : MIN(MAX(ttl, KEPT_SECONDS), KEPT_SECONDS_MAX));
}
