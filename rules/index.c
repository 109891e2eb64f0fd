/* SPDX-License-Identifier: MIT
 * The matcher's own tables say which suffixes and blocks lie around a target. Where many rules
 * share one, a hash over what else a covering rule must have in common tells them apart: its
 * selectors are some of those of the covered rule, its ports the same, every one or several, its
 * path and label the same, everything, or a pattern that begins as the text does. */
#include "rules/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/cover.h"
#include "rules/host.h"
#include "rules/matcher.h"
#include "rules/service.h"

/* SUBSETS_OF: selectors of which every subset is asked for; of more, those with few of them. */
enum { FEW = 8, LOOKS_MAX = 500 * 1000, SUBSETS_OF = 5, HEADS = 63, SLOTS_A_RULE = 8 };

/* Which part of a slot's key the rule's name is. */
enum form {
    FORM_EXACT,
    FORM_BELOW,
    FORM_LABEL = 4,      /* with its label's pattern; plus 1: and labels in front */
    FORM_LABEL_HEAD = 6, /* with what that begins with */
};

enum kind { KIND_COVER = 1, KIND_PASSTHROUGH, KIND_TCP };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t mix_char(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}

static uint64_t mix_text(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = mix_char(hash, text[i]);
    return mix(hash, len);
}

/* Selectors that stand twice count once: a rule with them is about the same processes. */
static uint64_t selector_hash(const struct selector *s)
{
    uint64_t hash = mix(mix(s->kind, s->index), s->literal);
    return mix_text(hash, s->value, strlen(s->value)) | 1;
}

static size_t selector_hashes(const struct rule *r, uint64_t *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_selectors; i++) {
        uint64_t hash = selector_hash(&r->selectors[i]);
        bool known = false;
        for (size_t k = 0; k < n && k < size; k++)
            known = known || out[k] == hash;
        if (!known && n < size)
            out[n] = hash;
        n += !known;
    }
    return n;
}

static uint64_t set_hash(const struct rule *r)
{
    uint64_t hashes[64], sum = 0;
    size_t n = selector_hashes(r, hashes, ARRAY_SIZE(hashes));
    for (size_t i = 0; i < n && i < ARRAY_SIZE(hashes); i++)
        sum += hashes[i];
    return sum;
}

enum { PORTS_ANY = 1, PORTS_WIDE, PORTS_ONE };

static uint64_t ports_key(const struct rule *r)
{
    const struct port_list *ports = &r->ports;
    if (ports->any || rule_is(r, SET_DNS)) /* ports play no part in look-ups */
        return PORTS_ANY;
    for (size_t i = 0; i < ports->n; i++)
        if (ports->ranges[i].low != ports->ranges[0].low ||
            ports->ranges[i].high != ports->ranges[0].low)
            return PORTS_WIDE;
    return PORTS_ONE + (uint64_t)ports->ranges[0].low;
}

enum { CLASS_HOST_VETO = 1 };

/* Rules of different classes cover nothing of each other, but for vetoes of hosts. */
static uint64_t class_key(const struct rule *r, enum rule_action action)
{
    static const enum target_set sets[] = {SET_HOST, SET_ADDRESS, SET_DNS};
    uint64_t class = 2 * ARRAY_SIZE(sets) + 2 * r->url.https;
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        if (rule_is(r, sets[i]))
            class = 2 * i;
    return class + (action == RULE_DENY);
}

static size_t head_len(const char *pattern)
{
    return strcspn(pattern, "*");
}

/* A last segment of * alone may be nothing, its slash too. */
static size_t path_head_len(const char *path)
{
    size_t len = head_len(path);
    return len > 1 && strcmp(path + len - 1, "/*") == 0 ? len - 1 : len;
}

static uint64_t head_bit(size_t len)
{
    return UINT64_C(1) << MIN(len, (size_t)HEADS);
}

static bool is_starred(const char *path)
{
    return strchr(path, '*') && strcmp(path, "/*") != 0;
}

/* The number of the node of a rule's own block; the matcher has one for each. */
static uint32_t node_of_block(struct rule_index *x, const struct rule *r)
{
    const struct matcher *m = &x->policy->matcher;
    bool url = rule_is(r, SET_URL);
    unsigned bits = url ? 32 : (unsigned)__builtin_popcount(r->mask);
    const struct prefix_node *node = prefix_table_find(&m->addresses, url ? r->url.ip : r->ip);
    while (node->bits > bits)
        node = prefix_table_up(&m->addresses, node);
    uint32_t number = (uint32_t)(m->names.n + (size_t)(node - m->addresses.nodes));
    x->nodes[number].up = node->parent ? (uint32_t)m->names.n + node->parent : 0;
    return number;
}

/* The same for its suffix: the last and longest of those that a walk finds. */
static uint32_t node_of_suffix(struct rule_index *x, const struct rule *r)
{
    const struct matcher *m = &x->policy->matcher;
    struct name_walk walk;
    const struct name_node *node;
    uint32_t number = 0, up = 0;
    name_walk_init(&walk, &m->names, r->host.suffix, r->host.suffix_len);
    while ((node = name_walk_next(&walk))) {
        number = (uint32_t)(node - m->names.nodes);
        x->nodes[number].up = up;
        up = number + 1;
    }
    return number;
}

static void node_take(struct index_node *node, const struct rule *r)
{
    uint64_t ports = ports_key(r);
    node->n++;
    node->selectors |= r->n_selectors > 0;
    node->any |= ports == PORTS_ANY;
    node->wide |= ports == PORTS_WIDE;
    node->vetoes |= r->action == RULE_DENY;
    if (rule_goes_by_address(r))
        return;
    node->exact_allow |= r->action == RULE_ALLOW && rule_relation(r) == RELATION_EXACT;
    if (r->host.glob)
        node->label_heads |= head_bit(head_len(r->host.glob));
}

static void slot_put(struct rule_index *x, uint64_t key, const struct rule *r)
{
    uint32_t *head = &x->heads[key & x->mask];
    x->slots[x->n_slots] = (struct index_slot){key, (uint32_t)(r - x->policy->rules), *head};
    *head = (uint32_t)++x->n_slots;
}

static bool says_same(const struct rule *a, const struct rule *b)
{
    return rule_is_of_preset(a) == rule_is_of_preset(b) && rule_covers(a, b) && rule_covers(b, a);
}

static bool has_same_host(const struct rule *a, const struct rule *b)
{
    return host_pattern_covers(&a->host, &b->host) && host_pattern_covers(&b->host, &a->host) &&
           ports_cover(&a->ports, &b->ports) && ports_cover(&b->ports, &a->ports);
}

/* Whether there is one with this key already that is as good. */
static bool slot_has(const struct rule_index *x, uint64_t key, const struct rule *r,
                     bool (*is_same)(const struct rule *, const struct rule *))
{
    for (uint32_t i = x->heads[key & x->mask]; i; i = x->slots[i - 1].next)
        if (x->slots[i - 1].key == key && is_same(&x->policy->rules[x->slots[i - 1].rule], r))
            return true;
    return false;
}

static uint64_t form_key(const struct rule *r, bool head)
{
    const char *glob = r->host.glob;
    enum relation relation = rule_relation(r);
    if (relation == RELATION_EXACT || relation == RELATION_BELOW)
        return relation == RELATION_EXACT ? FORM_EXACT : FORM_BELOW;
    return mix_text((head ? FORM_LABEL_HEAD : FORM_LABEL) + (unsigned)r->host.subdomains, glob,
                    head ? head_len(glob) : strlen(glob));
}

enum { PATH_WHOLE = 5, PATH_HEAD = 3 }; /* what the hash of a path begins with */

static uint64_t path_key(const char *path, size_t len)
{
    return mix_text(PATH_WHOLE, path, len);
}

/* What a rule must have in common with one that it covers. */
struct cover_key {
    enum kind kind;
    size_t node;
    uint64_t class, form, path, set, ports;
};

static uint64_t hash_of(const struct cover_key *k)
{
    uint64_t hash = mix(mix(mix(mix(1, k->kind), k->node), k->class), k->form);
    return mix(mix(mix(hash, k->path), k->set), k->ports);
}

/* As one that may cover others. */
static void put_cover(struct rule_index *x, const struct rule *r, struct cover_key k)
{
    struct index_node *node = &x->nodes[k.node];
    bool url = rule_is(r, SET_URL);
    for (int head = 0; head < (r->host.glob ? 2 : 1); head++) {
        k.form = form_key(r, head);
        k.path = url ? path_key(r->path, strlen(r->path)) : 0;
        if (head == 0 && slot_has(x, hash_of(&k), r, says_same))
            return;
        slot_put(x, hash_of(&k), r);
        if (!url || !is_starred(r->path))
            continue;
        k.path = mix_text(PATH_HEAD, r->path, path_head_len(r->path));
        slot_put(x, hash_of(&k), r);
        node->path_heads |= head_bit(path_head_len(r->path));
    }
}

/* As a host that URL rules may lie below: of those alike the first is enough. */
static void put_host(struct rule_index *x, const struct rule *r, struct cover_key k)
{
    for (int head = 0; head < (r->host.glob ? 2 : 1); head++) {
        k.form = form_key(r, head);
        bool all = head || k.ports == PORTS_WIDE;
        k.kind = KIND_PASSTHROUGH;
        if ((r->keywords & KEYWORD_PASSTHROUGH) &&
            (all || !slot_has(x, hash_of(&k), r, has_same_host)))
            slot_put(x, hash_of(&k), r);
        k.kind = KIND_TCP;
        if ((r->protos & RULE_TCP) && (all || !slot_has(x, hash_of(&k), r, has_same_host)))
            slot_put(x, hash_of(&k), r);
    }
}

static void put_rule(struct rule_index *x, size_t node, const struct rule *r)
{
    struct cover_key k = {.kind = KIND_COVER, .node = node, .ports = ports_key(r)};
    if (r->action == RULE_ALLOW && rule_is(r, SET_HOST))
        put_host(x, r, k);
    k.class = class_key(r, r->action);
    k.set = set_hash(r);
    put_cover(x, r, k);
}

static void fill_nodes(struct rule_index *x)
{
    for (size_t i = 0; i < x->policy->n_rules; i++) {
        const struct rule *r = &x->policy->rules[i];
        x->of[i] = rule_goes_by_address(r) ? node_of_block(x, r) : node_of_suffix(x, r);
        struct index_node *node = &x->nodes[x->of[i]];
        node_take(node, r);
        x->next[i] = node->first;
        node->first = (uint32_t)i + 1;
    }
}

static int put_rules(struct rule_index *x)
{
    size_t n = x->policy->n_rules, crowded = 0, size = 16;
    for (size_t i = 0; i < n; i++)
        crowded += x->nodes[x->of[i]].n > FEW;
    while (size < crowded * 2)
        size *= 2;
    x->mask = size - 1;
    x->heads = calloc(size, sizeof(*x->heads));
    x->slots = reallocarray(NULL, crowded * SLOTS_A_RULE + 1, sizeof(*x->slots));
    if (!x->heads || !x->slots)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (x->nodes[x->of[i]].n > FEW)
            put_rule(x, x->of[i], &x->policy->rules[i]);
    return 0;
}

int rule_index_build(struct rule_index *x, const struct policy *p)
{
    const struct matcher *m = &p->matcher;
    *x = (struct rule_index){.policy = p};
    x->nodes = calloc(m->names.n + m->addresses.n + 1, sizeof(*x->nodes));
    x->next = calloc(p->n_rules + 1, sizeof(*x->next));
    x->of = calloc(p->n_rules + 1, sizeof(*x->of));
    if (!x->nodes || !x->next || !x->of)
        return -ENOMEM;
    fill_nodes(x);
    return put_rules(x);
}

void rule_index_release(struct rule_index *x)
{
    free(x->nodes);
    free(x->of);
    free(x->next);
    free(x->slots);
    free(x->heads);
    *x = (struct rule_index){0};
}

/* What is asked for one rule. */
struct asking {
    struct rule_index *index;
    const struct rule *rule;
    rule_visit *visit;
    void *context;
    bool hosts; /* rule_index_hosts */
    uint64_t sets[1 << SUBSETS_OF];
    size_t n_sets;
};

static void visit_slots(struct asking *a, const struct cover_key *k)
{
    struct rule_index *x = a->index;
    uint64_t hash = hash_of(k);
    size_t n = 0;
    for (uint32_t i = x->heads[hash & x->mask]; i; i = x->slots[i - 1].next) {
        if (x->slots[i - 1].key != hash)
            continue;
        if (++n > FEW && ++x->looks > LOOKS_MAX)
            return;
        a->visit(a->context, &x->policy->rules[x->slots[i - 1].rule]);
    }
}

/* With the ports that can cover the rule's. */
static void ask_ports(struct asking *a, struct cover_key k)
{
    const struct index_node *node = &a->index->nodes[k.node];
    uint64_t own = ports_key(a->rule);
    k.ports = PORTS_ANY;
    if (node->any)
        visit_slots(a, &k);
    k.ports = PORTS_WIDE;
    if (node->wide && own != PORTS_ANY)
        visit_slots(a, &k);
    k.ports = own;
    if (own >= PORTS_ONE)
        visit_slots(a, &k);
}

static void ask_sets(struct asking *a, struct cover_key k)
{
    size_t n = a->index->nodes[k.node].selectors ? a->n_sets : 1;
    for (size_t i = 0; i < n; i++) {
        k.set = a->sets[i];
        ask_ports(a, k);
    }
}

/* Patterns for a path, by all that they may begin with. */
static void ask_path_heads(struct asking *a, struct cover_key k)
{
    struct rule_index *x = a->index;
    const char *path = a->rule->path;
    uint64_t heads = x->nodes[k.node].path_heads, hash = PATH_HEAD;
    size_t len = strlen(path);
    for (size_t n = 0; n <= len && heads; n++) {
        if (n > HEADS && ++x->looks > LOOKS_MAX)
            return;
        k.path = mix(hash, n);
        if (heads & head_bit(n))
            ask_sets(a, k);
        hash = mix_char(hash, path[n]);
    }
}

static void ask_paths(struct asking *a, struct cover_key k)
{
    const char *path = a->rule->path;
    k.path = path_key(path, strlen(path));
    ask_sets(a, k);
    k.path = path_key("/*", 2);
    if (strcmp(path, "/*") != 0)
        ask_sets(a, k);
    if (!strchr(path, '*'))
        ask_path_heads(a, k);
}

static void ask_form(struct asking *a, size_t node, uint64_t form)
{
    const struct rule *r = a->rule;
    struct cover_key k = {.kind = KIND_COVER, .node = node, .form = form};
    bool url = rule_is(r, SET_URL), vetoes = a->index->nodes[node].vetoes;
    if (a->hosts) {
        for (k.kind = KIND_PASSTHROUGH; k.kind <= KIND_TCP; k.kind++)
            ask_ports(a, k);
        return;
    }
    for (enum rule_action action = r->action; action <= RULE_DENY; action++) {
        k.class = class_key(r, action);
        if (action == RULE_ALLOW || vetoes)
            url ? ask_paths(a, k) : ask_sets(a, k);
    }
    k.class = CLASS_HOST_VETO;
    if (vetoes && !rule_is(r, SET_HOST | SET_ADDRESS))
        ask_sets(a, k);
}

/* All of a node where they are few; then there is nothing to be asked. */
static bool visit_few(struct asking *a, size_t node)
{
    const struct rule_index *x = a->index;
    if (x->nodes[node].n > FEW)
        return false;
    for (uint32_t i = x->nodes[node].first; i; i = x->next[i - 1])
        a->visit(a->context, &x->policy->rules[i - 1]);
    return true;
}

static uint32_t node_of(const struct rule_index *x, const struct rule *r)
{
    return x->of[r - x->policy->rules];
}

static void ask_blocks(struct asking *a)
{
    const struct rule_index *x = a->index;
    for (uint32_t node = node_of(x, a->rule) + 1; node; node = x->nodes[node - 1].up) {
        if (!visit_few(a, node - 1))
            ask_form(a, node - 1, FORM_EXACT);
        if (rule_is(a->rule, SET_URL)) /* about one address, and covered by those alone */
            return;
    }
}

/* Patterns for the label in front of a suffix of an exact name, which ends at `end`. */
static void ask_labels(struct asking *a, size_t node, const char *name, size_t end)
{
    const char *dot = memrchr(name, '.', end), *label = dot ? dot + 1 : name;
    uint64_t heads = a->index->nodes[node].label_heads;
    for (size_t n = 0; n <= (size_t)(name + end - label) && heads; n++)
        if (heads & head_bit(n))
            ask_form(a, node, mix_text(FORM_LABEL_HEAD + (dot != NULL), label, n));
}

static void ask_names(struct asking *a)
{
    const struct rule_index *x = a->index;
    const struct rule *r = a->rule;
    const struct name_node *names = x->policy->matcher.names.nodes;
    bool exact = rule_relation(r) == RELATION_EXACT;
    for (uint32_t i = node_of(x, r) + 1; i; i = x->nodes[i - 1].up) {
        uint32_t node = i - 1;
        size_t front = r->host.suffix_len - names[node].len; /* of the suffix, with its dot */
        if (visit_few(a, node))
            continue;
        if (front > 0 || !exact)
            ask_form(a, node, FORM_BELOW);
        if (front > 0 && exact)
            ask_labels(a, node, r->host.suffix, front - 1);
        if (front == 0 && (exact || r->host.glob))
            ask_form(a, node, form_key(r, false));
    }
}

/* The hash of a set is the sum of its members'. */
static void make_subsets(struct asking *a)
{
    uint64_t hashes[SUBSETS_OF];
    size_t n = selector_hashes(a->rule, hashes, SUBSETS_OF);
    a->sets[0] = 0;
    a->n_sets = 1;
    for (size_t i = 0; i < n && i < SUBSETS_OF; i++)
        for (size_t k = 0, before = a->n_sets; k < before; k++)
            a->sets[a->n_sets++] = a->sets[k] + hashes[i];
    if (n > SUBSETS_OF) /* too many to ask for each; at least for the whole */
        a->sets[a->n_sets - 1] = set_hash(a->rule);
}

void rule_index_covers(struct rule_index *x, const struct rule *r, rule_visit *visit, void *context)
{
    struct asking a = {.index = x, .rule = r, .visit = visit, .context = context};
    make_subsets(&a);
    if (rule_goes_by_address(r))
        ask_blocks(&a);
    else
        ask_names(&a);
}

void rule_index_hosts(struct rule_index *x, const struct rule *url, rule_visit *visit,
                      void *context)
{
    struct asking a = {.index = x, .rule = url, .visit = visit, .context = context, .hosts = true};
    ask_names(&a);
}

bool rule_index_has_exact(const struct rule_index *x, const struct rule *r)
{
    return x->nodes[node_of(x, r)].exact_allow;
}
