/* SPDX-License-Identifier: MIT
 * From rules to lists, in passes over the rules in file order: where each belongs, how many belong
 * there, and at last the entries themselves. */
#include "rules/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/selector_sets.h"

enum { NO_LIST = UINT32_MAX };

/* A rule's place: its node until lists are numbered, its lists from then on. */
struct place {
    uint32_t node, lists[2]; /* the second: LIST_HOSTS of a URL rule */
};

struct build {
    struct matcher *matcher;
    const struct rule *rules;
    size_t n;
    struct place *places;
    uint32_t *seen; /* entries by what they say, plus 1; 0: empty */
    size_t seen_mask;
};

static void kinds_of(const struct rule *r, uint16_t bits[2])
{
    enum relation relation = rule_relation(r);
    bool url = rule_is(r, SET_URL);
    bits[0] = list_bit(relation, url ? LIST_URLS : LIST_PLAIN);
    bits[1] = url ? list_bit(relation, LIST_HOSTS) : 0;
}

static uint16_t *has_of(struct matcher *m, const struct rule *r, uint32_t node, uint32_t **lists)
{
    bool address = rule_goes_by_address(r);
    *lists = address ? &m->addresses.nodes[node].lists : &m->names.nodes[node].lists;
    return address ? &m->addresses.nodes[node].has : &m->names.nodes[node].has;
}

static int place_addresses(struct build *b)
{
    size_t n = 0;
    struct prefix_key *keys = reallocarray(NULL, b->n + 1, sizeof(*keys));
    uint32_t *nodes = reallocarray(NULL, b->n + 1, sizeof(*nodes));
    int result = -ENOMEM;
    if (keys && nodes) {
        for (size_t i = 0; i < b->n; i++) {
            const struct rule *r = &b->rules[i];
            if (rule_is(r, SET_ADDRESS))
                keys[n++] = (struct prefix_key){r->ip, (uint8_t)__builtin_popcount(r->mask)};
            else if (rule_goes_by_address(r))
                keys[n++] = (struct prefix_key){r->url.ip, 32};
        }
        result = prefix_table_build(&b->matcher->addresses, keys, n, nodes);
    }
    n = 0;
    for (size_t i = 0; result == 0 && i < b->n; i++)
        if (rule_goes_by_address(&b->rules[i]))
            b->places[i].node = nodes[n++];
    free(keys);
    free(nodes);
    return result;
}

static int place_names(struct build *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += !rule_goes_by_address(&b->rules[i]);
    if (name_table_init(&b->matcher->names, n) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < b->n; i++) {
        const struct rule *r = &b->rules[i];
        if (!rule_goes_by_address(r))
            b->places[i].node =
                name_table_add(&b->matcher->names, r->host.suffix, r->host.suffix_len);
    }
    return 0;
}

/* Gives each node its lists, one behind the other, and each rule the numbers of its own. */
static int number_lists(struct build *b)
{
    struct matcher *m = b->matcher;
    uint32_t n = 0, *lists;
    uint16_t bits[2];
    for (size_t i = 0; i < b->n; i++) {
        uint16_t *has = has_of(m, &b->rules[i], b->places[i].node, &lists);
        kinds_of(&b->rules[i], bits);
        *has |= bits[0] | bits[1];
    }
    for (size_t i = 0; i < m->names.n; i++) {
        m->names.nodes[i].lists = n;
        n += (unsigned)__builtin_popcount(m->names.nodes[i].has);
    }
    for (size_t i = 0; i < m->addresses.n; i++) {
        m->addresses.nodes[i].lists = n;
        n += (unsigned)__builtin_popcount(m->addresses.nodes[i].has);
    }
    m->n_lists = n;
    m->lists = calloc(n + 1, sizeof(*m->lists));
    if (!m->lists)
        return -ENOMEM;
    for (size_t i = 0; i < b->n; i++) {
        const uint16_t *has = has_of(m, &b->rules[i], b->places[i].node, &lists);
        kinds_of(&b->rules[i], bits);
        for (size_t k = 0; k < 2; k++) {
            uint32_t list = *lists + (unsigned)__builtin_popcount(*has & (bits[k] - 1u));
            b->places[i].lists[k] = bits[k] ? list : (uint32_t)NO_LIST;
        }
    }
    return 0;
}

/* Room for each list; returns how many entries may have to be compared. */
static size_t count_entries(struct build *b)
{
    struct matcher *m = b->matcher;
    size_t alike = 0;
    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < 2; k++)
            if (b->places[i].lists[k] != NO_LIST)
                m->lists[b->places[i].lists[k]].guarded++; /* how many there is room for */
    for (size_t i = 0; i < m->n_lists; i++) {
        struct rule_list *list = &m->lists[i];
        list->begin = (uint32_t)m->n_entries;
        m->n_entries += list->guarded;
        alike += list->guarded > 1 ? list->guarded : 0;
    }
    return alike;
}

static uint8_t fixed_of(const struct rule *r)
{
    return rule_relation(r) == RELATION_EXACT ? (uint8_t)FIXED_ALL : (uint8_t)r->host.suffix_len;
}

static struct entry entry_of(const struct rule *r, size_t number, uint32_t set, bool hosts)
{
    struct entry e = {
        .rule = (uint32_t)number,
        .set = set,
        .low = 1,
        .keywords = (uint8_t)r->keywords,
        .methods = hosts ? 0 : (uint8_t)r->methods,
        .fixed = fixed_of(r),
    };
    unsigned flags =
        (r->action == RULE_DENY ? ENTRY_DENY : 0u) | (rule_is(r, SET_URL) ? ENTRY_URL : 0u) |
        (rule_is(r, SET_ADDRESS) ? ENTRY_ADDRESS : 0u) | (rule_is(r, SET_DNS) ? ENTRY_DNS : 0u) |
        (rule_is(r, SET_URL) && r->url.https ? ENTRY_HTTPS : 0u) |
        (r->port_limited ? ENTRY_PORT_LIMITED : 0u) | (r->protos & RULE_TCP ? ENTRY_TCP : 0u) |
        (r->protos & RULE_UDP ? ENTRY_UDP : 0u);
    e.flags = (uint8_t)flags;
    if (hosts)
        e.keywords &= (uint8_t)~KEYWORD_WEBSOCKET;
    if (r->ports.any) {
        e.low = 0;
        e.high = UINT16_MAX;
    } else if (r->ports.n == 1) {
        e.low = r->ports.ranges[0].low;
        e.high = r->ports.ranges[0].high;
    }
    return e;
}

static bool same_ports(const struct port_list *a, const struct port_list *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->ranges, b->ranges, a->n * sizeof(*a->ranges)) == 0);
}

/* Whether two entries of one list match the same and do the same. */
static bool same_entry(const struct build *b, const struct entry *x, const struct entry *y,
                       bool hosts)
{
    const struct rule *r = &b->rules[x->rule], *s = &b->rules[y->rule];
    return x->set == y->set && x->low == y->low && x->high == y->high &&
           x->keywords == y->keywords && x->methods == y->methods && x->flags == y->flags &&
           (x->low <= x->high || same_ports(&r->ports, &s->ports)) &&
           (!r->host.glob || strcmp(r->host.glob, s->host.glob) == 0) &&
           (hosts || !r->path || strcmp(r->path, s->path) == 0);
}

static uint64_t hash_add(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    size_t len = strlen(text);
    return hash_add(hash, guard_of_whole(GUARD_TEXT, text, len).key ^ (uint64_t)len << 32);
}

static uint64_t hash_entry(const struct build *b, const struct entry *e, uint32_t list, bool hosts)
{
    const struct rule *r = &b->rules[e->rule];
    uint64_t hash = hash_add(list, (uint64_t)e->set << 32 | (uint32_t)e->low << 16 | e->high);
    hash = hash_add(hash, (uint32_t)e->keywords << 16 | (uint32_t)e->methods << 8 | e->flags);
    if (r->host.glob)
        hash = hash_text(hash, r->host.glob);
    return hosts || !r->path ? hash : hash_text(hash, r->path);
}

/* Whether the list has an entry that says the same; takes this one in if not. */
static bool seen(struct build *b, uint32_t list, const struct entry *e, uint32_t at, bool hosts)
{
    const struct matcher *m = b->matcher;
    const struct rule_list *l = &m->lists[list];
    size_t i = hash_entry(b, e, list, hosts) & b->seen_mask;
    for (; b->seen[i] != 0; i = (i + 1) & b->seen_mask) {
        uint32_t other = b->seen[i] - 1;
        if (other >= l->begin && other < l->begin + l->n &&
            same_entry(b, e, &m->entries[other], hosts))
            return true;
    }
    b->seen[i] = at + 1;
    return false;
}

static void fill_lists(struct build *b, const uint32_t *sets)
{
    struct matcher *m = b->matcher;
    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < 2; k++) {
            uint32_t number = b->places[i].lists[k];
            if (number == NO_LIST)
                continue;
            struct rule_list *list = &m->lists[number];
            struct entry e = entry_of(&b->rules[i], i, sets[i], k == 1);
            uint32_t at = list->begin + list->n;
            if (list->guarded > 1 && seen(b, number, &e, at, k == 1))
                continue;
            m->entries[at] = e;
            list->n++;
        }
    }
}

/* Closes the gaps that those left which said nothing new. */
static void close_gaps(struct matcher *m)
{
    uint32_t at = 0;
    for (size_t i = 0; i < m->n_lists; i++) {
        struct rule_list *list = &m->lists[i];
        if (list->begin != at)
            memmove(m->entries + at, m->entries + list->begin, list->n * sizeof(*m->entries));
        list->begin = at;
        list->guarded = list->n;
        at += list->n;
    }
    m->n_entries = at;
    struct entry *entries = reallocarray(m->entries, at + 1, sizeof(*entries));
    m->entries = entries ? entries : m->entries;
}

static void show_few(const struct matcher *m, uint32_t *lists, uint16_t has, uint8_t *few)
{
    const struct rule_list *list = &m->lists[*lists];
    if ((has & (has - 1)) != 0 || list->guards || list->n > UINT8_MAX)
        return;
    *lists = list->begin;
    *few = (uint8_t)list->n;
}

/* Spares judging the look at a list that is the only one of its node. */
static void shorten_ways(struct matcher *m)
{
    for (size_t i = 0; i < m->names.n; i++)
        show_few(m, &m->names.nodes[i].lists, m->names.nodes[i].has, &m->names.nodes[i].few);
    for (size_t i = 0; i < m->addresses.n; i++)
        show_few(m, &m->addresses.nodes[i].lists, m->addresses.nodes[i].has,
                 &m->addresses.nodes[i].few);
}

static int make_lists(struct build *b)
{
    struct matcher *m = b->matcher;
    uint32_t *sets = calloc(b->n + 1, sizeof(*sets));
    int result = -ENOMEM;
    if (sets && selector_sets_make(m, b->rules, b->n, sets) == 0 && number_lists(b) == 0) {
        size_t alike = count_entries(b);
        b->seen_mask = 15;
        while (b->seen_mask < alike * 2)
            b->seen_mask = b->seen_mask * 2 + 1;
        b->seen = calloc(b->seen_mask + 1, sizeof(*b->seen));
        m->entries = calloc(m->n_entries + 1, sizeof(*m->entries));
        if (b->seen && m->entries) {
            fill_lists(b, sets);
            close_gaps(m);
            result = 0;
        }
    }
    free(sets);
    free(b->seen);
    return result;
}

int matcher_build(struct matcher *m, const struct rule *rules, size_t n)
{
    struct build b = {.matcher = m, .rules = rules, .n = n};
    int result = -ENOMEM;
    *m = (struct matcher){0};
    b.places = calloc(n + 1, sizeof(*b.places));
    if (b.places && place_addresses(&b) == 0 && place_names(&b) == 0 && make_lists(&b) == 0)
        result = matcher_guard_lists(m, rules);
    if (result == 0)
        shorten_ways(m);
    free(b.places);
    return result;
}

void matcher_release(struct matcher *m)
{
    name_table_release(&m->names);
    prefix_table_release(&m->addresses);
    free(m->lists);
    free(m->entries);
    free(m->sets);
    free(m->guards);
    free(m->slots);
    *m = (struct matcher){0};
}
