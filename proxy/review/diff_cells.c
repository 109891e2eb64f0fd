/* SPDX-License-Identifier: MIT
 * Names, blocks and ports from the rules themselves. */
#include "review/diff_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "review/diff_fill.h"
#include "review/dump_rules.h"
#include "rules/address.h"
#include "rules/host.h"

enum { OWN_EDGES_MAX = 64 };

static bool goes_by_address(const struct rule *r)
{
    return rule_is(r, SET_ADDRESS) || (rule_is(r, SET_URL) && r->url.by_address);
}

struct keyed {
    char *key;
    size_t i;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct keyed *)a)->key, ((const struct keyed *)b)->key);
}

/* Equal dumps are equal rules, wherever they stand. */
static bool number_rules(struct diff_rules *rules)
{
    struct keyed *keys = calloc(rules->n + 1, sizeof(*keys));
    bool good = keys != NULL;
    for (size_t i = 0; good && i < rules->n; i++) {
        struct buffer text = {0};
        struct rule copy = *rules->list[i];
        copy.file = "";
        dump_rule(&copy, 0, &text);
        good = !buffer_failed(&text);
        keys[i] = (struct keyed){text.data, i};
    }
    if (good)
        qsort(keys, rules->n, sizeof(*keys), by_key);
    for (size_t i = 0; good && i < rules->n; i++)
        rules->same[keys[i].i] = i > 0 && strcmp(keys[i].key, keys[i - 1].key) == 0
                                     ? rules->same[keys[i - 1].i]
                                     : (unsigned)i;
    for (size_t i = 0; keys && i < rules->n; i++)
        free(keys[i].key);
    free(keys);
    return good;
}

static bool rules_room(struct arena *arena, size_t n, struct diff_rules *out)
{
    *out = (struct diff_rules){0};
    out->list = arena_array(arena, n + 1, sizeof(const struct rule *));
    out->same = arena_array(arena, n + 1, sizeof(*out->same));
    return out->list && out->same;
}

bool diff_rules_collect(struct arena *arena, const struct policy *before,
                        const struct policy *after, struct diff_rules *out)
{
    size_t n_before = policy_rule_count(before), n = n_before + policy_rule_count(after);
    if (!rules_room(arena, n, out))
        return false;
    out->n = n;
    out->n_old = n_before;
    for (size_t i = 0; i < n; i++)
        out->list[i] = i < n_before ? policy_rule(before, i) : policy_rule(after, i - n_before);
    return number_rules(out);
}

static bool is_about(const struct rule *r, const struct diff_name *name, bool has_ip, uint32_t ip)
{
    if (!goes_by_address(r))
        return name && host_pattern_matches(&r->host, name->name, name->len);
    if (!has_ip)
        return false;
    return rule_is(r, SET_ADDRESS) ? (ip & r->mask) == r->ip : r->url.ip == ip;
}

bool diff_rules_about(struct arena *arena, const struct diff_rules *all,
                      const struct diff_name *name, bool has_ip, uint32_t ip,
                      struct diff_rules *out)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++)
        n += is_about(all->list[i], name, has_ip, ip);
    if (!rules_room(arena, n, out))
        return false;
    for (size_t i = 0; i < all->n; i++) {
        if (!is_about(all->list[i], name, has_ip, ip))
            continue;
        out->list[out->n] = all->list[i];
        out->same[out->n++] = all->same[i];
        out->n_old += i < all->n_old;
    }
    return true;
}

bool diff_rules_touch(const struct diff_rules *rules, const struct diff_name *name, bool has_ip,
                      uint32_t ip)
{
    for (size_t i = 0; i < rules->n; i++)
        if (is_about(rules->list[i], name, has_ip, ip))
            return true;
    return false;
}

/* Names while they are collected. */
struct names {
    struct arena *arena;
    const struct diff_rules *rules;
    struct diff_cells *out;
    size_t size;
};

static bool add_name(struct names *in, const char *name, const char *text)
{
    struct diff_cells *c = in->out;
    char normal[NAME_MAX_LEN + 1];
    if (!name || !text)
        return false;
    /* Filled, a pattern may be too long for a name, though something shorter would match it. */
    if (name_normalize(name, strlen(name), normal) < 0 || strcmp(normal, name) != 0) {
        c->exact = false;
        return true;
    }
    if (c->n_names == in->size) {
        size_t size = in->size ? 2 * in->size : 256;
        struct diff_name *list = arena_array(in->arena, size, sizeof(*list));
        if (!list)
            return false;
        if (c->n_names > 0)
            memcpy(list, c->names, c->n_names * sizeof(*list));
        c->names = list;
        in->size = size;
    }
    c->names[c->n_names++] = (struct diff_name){name, text, strlen(name)};
    return true;
}

static bool names_alike(const void *rules, const char *a, const char *b)
{
    const struct diff_rules *all = rules;
    for (size_t i = 0; i < all->n; i++) {
        const struct host_pattern *h = &all->list[i]->host;
        if (!goes_by_address(all->list[i]) &&
            host_pattern_matches(h, a, strlen(a)) != host_pattern_matches(h, b, strlen(b)))
            return false;
    }
    return true;
}

static char *join_name(struct arena *arena, const struct host_pattern *h, const char *with,
                       const char *label)
{
    char *name = arena_alloc(arena, strlen(with) + (label ? strlen(label) : 0) + h->suffix_len + 3);
    char *at = name;
    if (at && h->subdomains)
        at = stpcpy(stpcpy(at, with), ".");
    if (at && label)
        at = stpcpy(stpcpy(at, label), ".");
    if (at)
        stpcpy(at, h->suffix);
    return name;
}

static char *make_name(struct arena *arena, const void *pattern, const char *with)
{
    const struct host_pattern *h = pattern;
    char *label = h->glob ? diff_fill(arena, h->glob, with) : NULL;
    return h->glob && !label ? NULL : join_name(arena, h, with, label);
}

struct name_pair {
    const struct host_pattern *a, *b; /* with one suffix */
};

static char *make_shared_name(struct arena *arena, const void *pattern, const char *with)
{
    const struct name_pair *pair = pattern;
    char *label = diff_fill_both(arena, pair->a->glob, pair->b->glob, with);
    return label ? join_name(arena, pair->a, with, label) : NULL;
}

/* A name that stands for all of a pattern which no narrower one takes. */
static char *name_of(struct names *in, const struct host_pattern *h)
{
    static const char *const labels[] = {"any", "other", "zz", "q7", "any-other-name", NULL};
    const struct diff_filling filling = {.pattern = h,
                                         .rules = in->rules,
                                         .make = make_name,
                                         .alike = names_alike,
                                         .fillers = h->glob ? NULL : labels};
    return diff_fill_fresh(in->arena, &filling, &in->out->exact);
}

static const char *pattern_text(struct arena *arena, const struct host_pattern *h)
{
    size_t len = h->suffix_len + (h->glob ? strlen(h->glob) : 0) + 4;
    char *text = arena_alloc(arena, len);
    if (text)
        snprintf(text, len, "%s%s%s%s", h->subdomains ? "*." : "", h->glob ? h->glob : "",
                 h->glob ? "." : "", h->suffix);
    return text;
}

/* Labels that two patterns below one suffix both match. */
static bool add_overlaps(struct names *in, size_t i)
{
    const struct host_pattern *h = &in->rules->list[i]->host;
    size_t others = 0;
    for (size_t k = 0; k < i; k++) {
        const struct host_pattern *o = &in->rules->list[k]->host;
        if (goes_by_address(in->rules->list[k]) || !o->glob || o->suffix_len != h->suffix_len ||
            strcmp(o->suffix, h->suffix) != 0 || o->subdomains != h->subdomains ||
            strcmp(o->glob, h->glob) == 0)
            continue;
        const struct name_pair pair = {h, o};
        const struct diff_filling filling = {
            .pattern = &pair, .rules = in->rules, .make = make_shared_name, .alike = names_alike};
        char *name = diff_fill_fresh(in->arena, &filling, &in->out->exact);
        bool many = strchr(h->glob, '*') != strrchr(h->glob, '*') ||
                    strchr(o->glob, '*') != strrchr(o->glob, '*');
        if (++others > 1 || many)
            in->out->exact = false;
        if (name && !add_name(in, name, pattern_text(in->arena, h)))
            return false;
    }
    return true;
}

static bool add_names(struct names *in)
{
    for (size_t i = 0; i < in->rules->n; i++) {
        const struct rule *r = in->rules->list[i];
        const struct host_pattern *h = &r->host;
        bool good = true;
        if (goes_by_address(r))
            continue;
        if (host_pattern_is_exact(h))
            good = add_name(in, h->suffix, h->suffix);
        else
            good = add_name(in, name_of(in, h), pattern_text(in->arena, h)) &&
                   (!h->glob || add_overlaps(in, i));
        if (!good)
            return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct diff_name *)a)->name, ((const struct diff_name *)b)->name);
}

/* One cell may have come from many rules. */
static void sort_names(struct diff_cells *c)
{
    size_t kept = 0;
    if (c->n_names > 0)
        qsort(c->names, c->n_names, sizeof(*c->names), by_name);
    for (size_t i = 0; i < c->n_names; i++)
        if (i == 0 || strcmp(c->names[i].name, c->names[kept - 1].name) != 0)
            c->names[kept++] = c->names[i];
    c->n_names = kept;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(uint64_t *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof(*list), by_number);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || list[i] != list[kept - 1])
            list[kept++] = list[i];
    return kept;
}

static size_t rule_edges(const struct diff_rules *rules, uint64_t *edges)
{
    size_t n = 0;
    edges[n++] = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule *r = rules->list[i];
        if (!goes_by_address(r))
            continue;
        bool url = rule_is(r, SET_URL);
        uint32_t low = url ? r->url.ip : r->ip;
        edges[n++] = low;
        edges[n++] = (uint64_t)(url ? low : low | ~r->mask) + 1;
    }
    return n;
}

/* Where names must not lie, or only with `private`. */
static size_t own_edges(uint64_t *edges)
{
    static const uint32_t metadata[] = {0xa9fea9fe, 0xa83f8110};
    uint32_t low, high;
    size_t n = 0;
    for (size_t i = 0; n + 6 < OWN_EDGES_MAX && address_private_block(i, &low, &high); i++) {
        edges[n++] = low;
        edges[n++] = (uint64_t)high + 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(metadata); i++) {
        edges[n++] = metadata[i];
        edges[n++] = metadata[i] + 1u;
    }
    return n;
}

static bool make_blocks(struct arena *arena, uint64_t *edges, size_t n, struct diff_block **out,
                        size_t *n_out)
{
    n = sort_unique(edges, n);
    *out = arena_array(arena, n + 1, sizeof(**out));
    for (size_t i = 0; *out && i < n && edges[i] <= UINT32_MAX; i++) {
        uint64_t next = i + 1 < n ? edges[i + 1] : (uint64_t)UINT32_MAX + 1;
        (*out)[(*n_out)++] = (struct diff_block){(uint32_t)edges[i], (uint32_t)(next - 1)};
    }
    return *out != NULL;
}

static bool add_blocks(struct arena *arena, const struct diff_rules *rules, struct diff_cells *out)
{
    uint64_t *edges = arena_array(arena, 2 * rules->n + OWN_EDGES_MAX + 2, sizeof(*edges));
    if (!edges)
        return false;
    size_t n = rule_edges(rules, edges);
    if (!make_blocks(arena, edges, n, &out->blocks, &out->n_blocks))
        return false;
    n = rule_edges(rules, edges);
    n += own_edges(edges + n);
    return make_blocks(arena, edges, n, &out->lies, &out->n_lies);
}

static bool add_url_ports(struct arena *arena, const struct diff_rules *rules,
                          struct diff_cells *out)
{
    unsigned char *seen = arena_alloc(arena, UINT16_MAX + 1);
    size_t n = 0;
    if (!seen)
        return false;
    for (size_t i = 0; i < rules->n; i++)
        if (rule_is(rules->list[i], SET_URL))
            seen[rules->list[i]->url.port] |= i < rules->n_old ? 1 : 2;
    for (size_t i = 0; i <= UINT16_MAX; i++) {
        bool always = i == 80 || i == 443;
        n += seen[i] || always;
        out->url_ports_differ = out->url_ports_differ || (!always && seen[i] && seen[i] != 3);
    }
    out->url_ports = arena_array(arena, n, sizeof(*out->url_ports));
    for (size_t i = 0; out->url_ports && i <= UINT16_MAX; i++)
        if (seen[i] || i == 80 || i == 443)
            out->url_ports[out->n_url_ports++] = (uint16_t)i;
    return out->url_ports != NULL;
}

bool diff_cells_make(struct arena *arena, const struct diff_rules *rules, struct diff_cells *out)
{
    struct names names = {.arena = arena, .rules = rules, .out = out};
    *out = (struct diff_cells){.exact = true};
    bool good = add_names(&names);
    sort_names(out);
    return good && add_blocks(arena, rules, out) && add_url_ports(arena, rules, out);
}

bool diff_ports_make(struct arena *arena, const struct diff_rules *rules,
                     const struct diff_cells *cells, struct diff_ports *out)
{
    size_t room = 2 + 2 * cells->n_url_ports, n = 0;
    for (size_t i = 0; i < rules->n; i++)
        room += 2 * rules->list[i]->ports.n;
    uint64_t *edges = arena_array(arena, room, sizeof(*edges));
    if (!edges)
        return false;
    edges[n++] = 1;
    for (size_t i = 0; i < cells->n_url_ports; i++) {
        edges[n++] = cells->url_ports[i];
        edges[n++] = cells->url_ports[i] + 1u;
    }
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t k = 0; k < rules->list[i]->ports.n; k++) {
            edges[n++] = rules->list[i]->ports.ranges[k].low;
            edges[n++] = rules->list[i]->ports.ranges[k].high + 1u;
        }
    }
    n = sort_unique(edges, n);
    *out = (struct diff_ports){.cells = arena_array(arena, n + 1, sizeof(*out->cells))};
    if (!out->cells)
        return false;
    for (size_t i = 0; i < n && edges[i] <= UINT16_MAX; i++) {
        uint64_t next = i + 1 < n ? edges[i + 1] : UINT16_MAX + 1u;
        out->cells[out->n++] = (struct port_range){(uint16_t)edges[i], (uint16_t)(next - 1)};
    }
    return true;
}
