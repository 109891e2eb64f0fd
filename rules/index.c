/* SPDX-License-Identifier: MIT
 * A hash table over the fixed part of each target: the suffix of a name, or prefix and length of an
 * address. A name is looked up once for each of its labels. */
#include "rules/index.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/address.h"

static uint64_t hash_step(uint64_t hash, unsigned char c)
{
    return (hash ^ c) * UINT64_C(0x100000001b3);
}

static uint64_t hash_end(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 33;
}

static const uint64_t hash_seed = UINT64_C(0xcbf29ce484222325);

static uint64_t key_of_address(uint32_t ip, unsigned prefix)
{
    uint64_t hash = hash_seed;
    for (unsigned i = 0; i < 4; i++)
        hash = hash_step(hash, (unsigned char)(ip >> (8 * i)));
    return hash_end(hash_step(hash, (unsigned char)(0x80 | prefix)));
}

static uint64_t key_of_rule(struct rule_index *index, const struct rule *r)
{
    if (rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address)) {
        bool url = rule_is(r, SET_URL);
        unsigned prefix = url ? 32 : (unsigned)__builtin_popcount(r->mask);
        index->prefixes |= UINT64_C(1) << prefix;
        return key_of_address(url ? r->url.ip : r->ip, prefix);
    }
    uint64_t hash = hash_seed;
    for (size_t i = r->host.suffix_len; i-- > 0;)
        hash = hash_step(hash, (unsigned char)r->host.suffix[i]);
    return hash_end(hash);
}

int rule_index_build(struct rule_index *index, const struct rule *rules, size_t n)
{
    size_t size = 16;
    while (size < n * 2)
        size *= 2;
    *index = (struct rule_index){.mask = size - 1};
    index->heads = calloc(size, sizeof(*index->heads));
    index->next = calloc(n + 1, sizeof(*index->next));
    index->keys = calloc(n + 1, sizeof(*index->keys));
    if (!index->heads || !index->next || !index->keys)
        return -ENOMEM;
    /* From the end, so that chains run in file order. */
    for (size_t i = n; i-- > 0;) {
        index->keys[i] = key_of_rule(index, &rules[i]);
        uint32_t *head = &index->heads[index->keys[i] & index->mask];
        index->next[i] = *head;
        *head = (uint32_t)i + 1;
    }
    return 0;
}

void rule_index_release(struct rule_index *index)
{
    free(index->heads);
    free(index->next);
    free(index->keys);
    *index = (struct rule_index){0};
}

static void walk(const struct rule_index *index, uint64_t key, rule_visit *visit, void *context)
{
    for (uint32_t i = index->heads[key & index->mask]; i != 0; i = index->next[i - 1])
        if (index->keys[i - 1] == key)
            visit(context, i - 1);
}

void rule_index_by_name(const struct rule_index *index, const char *name, size_t len,
                        rule_visit *visit, void *context)
{
    uint64_t hash = hash_seed;
    for (size_t i = len; i-- > 0;) {
        if (name[i] == '.')
            walk(index, hash_end(hash), visit, context);
        hash = hash_step(hash, (unsigned char)name[i]);
    }
    walk(index, hash_end(hash), visit, context);
}

void rule_index_by_address(const struct rule_index *index, uint32_t ip, rule_visit *visit,
                           void *context)
{
    for (unsigned prefix = 0; prefix <= 32; prefix++)
        if (index->prefixes >> prefix & 1)
            walk(index, key_of_address(ip & address_mask(prefix), prefix), visit, context);
}
