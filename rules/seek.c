/* SPDX-License-Identifier: MIT
 * Goes from an event to lists of entries. However an event was made up, no list costs more than
 * looking at each of its entries twice. */
#include "rules/seek.h"

#include <string.h>

#include "rules/process.h"

struct search {
    const struct seeker *seeker;
    const struct rule_list *list;
    const struct guard_index *guards;
    const char *label;
    size_t label_len;
    size_t left; /* entries behind guards that may yet be visited one by one */
};

static void visit(const struct search *s, size_t begin, size_t n)
{
    const struct entry *entries = s->seeker->matcher->entries + begin;
    for (size_t i = 0; i < n; i++)
        s->seeker->visit(s->seeker->context, &entries[i], s->label, s->label_len);
}

static void visit_guarded(const struct search *s)
{
    visit(s, s->list->begin + s->list->guarded, s->list->n - s->list->guarded);
}

/* A text may hold one guard very many times: then all are visited, once, and the search ends. */
static bool found(void *context, uint32_t begin, uint32_t n)
{
    struct search *s = context;
    if (n > s->left) {
        visit_guarded(s);
        s->left = 0;
        return false;
    }
    s->left -= n;
    visit(s, begin, n);
    return true;
}

static bool search(struct search *s, enum guard_place place, const char *text, size_t len)
{
    return guard_search(s->guards, s->seeker->matcher->slots, place, text, len, found, s);
}

static bool search_text(void *context, const char *text, size_t len)
{
    return search(context, GUARD_TEXT, text, len);
}

/* Whether what the guards are looked for in is known, so that a guard which is not there means
 * that its rules do not match. */
static bool guards_tell(const struct search *s)
{
    const struct seeker *k = s->seeker;
    unsigned kinds = s->guards->needs >> GUARD_KINDS_SHIFT;
    if ((s->guards->needs & guard_place_bits(GUARD_PATH)) && !k->path)
        return false;
    return kinds == 0 || !(kinds & ~process_certain(k->event->process));
}

static void search_guards(struct search *s)
{
    const struct seeker *k = s->seeker;
    uint32_t needs = s->guards->needs;
    s->left = s->list->n - s->list->guarded;
    if (!guards_tell(s))
        return visit_guarded(s);
    if ((needs & guard_place_bits(GUARD_PORT)) &&
        !guard_search_port(s->guards, k->matcher->slots, k->event->dst_port, found, s))
        return;
    if ((needs & guard_place_bits(GUARD_LABEL)) && !search(s, GUARD_LABEL, s->label, s->label_len))
        return;
    if ((needs & guard_place_bits(GUARD_PATH)) && !search(s, GUARD_PATH, k->path, k->path_len))
        return;
    if (needs & guard_place_bits(GUARD_TEXT))
        process_texts(k->event->process, needs >> GUARD_KINDS_SHIFT, search_text, s);
}

/* Of a node; most have one list and need no look at it. */
struct lists_of {
    uint32_t first;
    uint16_t has;
    uint8_t few;
};

static void seek_list(const struct seeker *k, struct lists_of lists, uint16_t bit,
                      const char *label, size_t label_len)
{
    const struct matcher *m = k->matcher;
    struct search s = {.seeker = k, .label = label, .label_len = label_len};
    if (!(lists.has & bit))
        return;
    if (lists.few)
        return visit(&s, lists.first, lists.few);
    s.list = matcher_list(m, lists.first, lists.has, bit);
    visit(&s, s.list->begin, s.list->guarded);
    if (s.list->guards) {
        s.guards = &m->guards[s.list->guards - 1];
        search_guards(&s);
    }
}

/* The list of URLs that the stage asks for, if it asks for any. */
static bool kind_of_urls(const struct event *e, enum list_kind *kind)
{
    *kind = e->stage == EVENT_REQUEST ? LIST_URLS : LIST_HOSTS;
    return e->stage != EVENT_ADDRESS || e->http;
}

static void seek_relation(const struct seeker *k, const struct name_node *node,
                          enum relation relation, const char *label, size_t label_len)
{
    enum list_kind urls;
    const struct lists_of lists = {node->lists, node->has, node->few};
    seek_list(k, lists, list_bit(relation, LIST_PLAIN), label, label_len);
    if (kind_of_urls(k->event, &urls))
        seek_list(k, lists, list_bit(relation, urls), label, label_len);
}

void seek_name(const struct seeker *k, const char *name, size_t len)
{
    struct name_walk walk;
    const struct name_node *node;
    name_walk_init(&walk, &k->matcher->names, name, len);
    while ((node = name_walk_next(&walk))) {
        if (walk.at == 0) {
            seek_relation(k, node, RELATION_EXACT, NULL, 0);
            continue;
        }
        size_t front = walk.at - 1; /* what stands before the dot */
        const char *dot = memrchr(name, '.', front);
        const char *label = dot ? dot + 1 : name;
        if (front == 0)
            continue;
        seek_relation(k, node, RELATION_BELOW, NULL, 0);
        seek_relation(k, node, dot ? RELATION_BELOW_LABEL : RELATION_LABEL, label,
                      (size_t)(name + front - label));
    }
}

void seek_blocks(const struct seeker *k, uint32_t ip)
{
    const struct prefix_table *t = &k->matcher->addresses;
    for (const struct prefix_node *node = prefix_table_find(t, ip); node;
         node = prefix_table_up(t, node)) {
        const struct lists_of lists = {node->lists, node->has, node->few};
        seek_list(k, lists, list_bit(RELATION_EXACT, LIST_PLAIN), NULL, 0);
    }
}

void seek_address_urls(const struct seeker *k, uint32_t ip)
{
    enum list_kind urls;
    const struct prefix_node *node = prefix_table_find(&k->matcher->addresses, ip);
    if (!node || node->bits < 32 || !kind_of_urls(k->event, &urls))
        return;
    const struct lists_of lists = {node->lists, node->has, node->few};
    seek_list(k, lists, list_bit(RELATION_EXACT, urls), NULL, 0);
}
