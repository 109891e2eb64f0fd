/* SPDX-License-Identifier: MIT
 * From words to a rule: what the line says, what it leaves to the header, and which of the two may
 * not be said about such a target. */
#include "rules/compose.h"

#include <string.h>

#include "rules/path.h"
#include "rules/selector.h"
#include "rules/target.h"
#include "rules/word.h"

struct draft {
    struct reporter *r;
    struct arena *arena;
    struct context *context;
    struct rule *rule;
    struct target target;
    struct span word; /* the target's */
    unsigned methods; /* as written on the line */
};

static bool is_method_like(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.text[i] | 0x20) >= 'a' && (s.text[i] | 0x20) <= 'z') && s.text[i] != '|' &&
            s.text[i] != '*')
            return false;
    return true;
}

static bool is_target_of_methods(struct span s)
{
    return span_is_url(s) || s.text[0] == '/';
}

/* Takes the methods in front of the target, if there are any. `get` alone may be a host's name, so
 * it depends on what follows. */
static bool take_methods(struct draft *d, const struct words *words, size_t *next)
{
    if (*next + 1 >= words->n)
        return true;
    struct span word = words->list[*next], behind = words->list[*next + 1];
    if (!is_method_like(word) || selector_is(behind) || keyword_find(behind) != 0)
        return true;
    d->methods = methods_parse(word);
    if (d->methods == 0 && is_target_of_methods(behind)) {
        reporter_error(d->r, word.at,
                       "'%.*s' is no method; write GET, HEAD, POST, PUT, DELETE, PATCH or OPTIONS, "
                       "joined with |, or *",
                       SPAN(word));
        (*next)++;
        return false;
    }
    if (d->methods == 0)
        return true;
    (*next)++;
    if (is_target_of_methods(behind))
        return true;
    reporter_error(d->r, word.at,
                   "methods stand in front of a URL or a path only; write https://%.*s/*, or leave "
                   "them away",
                   SPAN(behind));
    return false;
}

static bool take_target(struct draft *d, const struct words *words, size_t *next)
{
    struct span word = words->list[*next];
    bool misplaced = selector_is(word) || (keyword_find(word) != 0 && *next + 1 < words->n);
    if (misplaced) {
        reporter_error(d->r, word.at, "a rule begins with its target; write '%.*s' behind it",
                       SPAN(word));
        return false;
    }
    (*next)++;
    d->word = word;
    return target_parse(d->r, d->arena, word, &d->target);
}

static bool check_keywords(struct draft *d, const struct extras *e)
{
    bool good = true;
    const struct rule *rule = d->rule;
    unsigned inherited = rule->action == RULE_ALLOW ? d->context->keywords & ~e->keywords : 0;
    for (unsigned bit = 1; bit <= KEYWORD_EXPECTED; bit <<= 1) {
        const char *hint = keyword_misplaced(bit, rule->action, rule->type);
        if (!hint || !((e->keywords | inherited) & bit))
            continue;
        good = false;
        if (e->keywords & bit)
            reporter_error(d->r, e->keyword_at[__builtin_ctz(bit)], "%s", hint);
        else
            reporter_error(d->r, d->word.at,
                           "the header's %s cannot reach this rule; write the rule under another "
                           "header, such as []",
                           keyword_name(bit));
    }
    unsigned all = e->keywords | inherited;
    if (good && (all & KEYWORD_PASSTHROUGH) && (all & KEYWORD_INSECURE)) {
        bool here = (e->keywords & KEYWORD_INSECURE) != 0;
        reporter_error(d->r, e->keyword_at[__builtin_ctz(here ? KEYWORD_INSECURE : 1)],
                       "passthrough and insecure exclude each other; write one of them");
        good = false;
    }
    d->rule->keywords = all;
    return good;
}

/* Says, once a header, that a part of it does not reach such a rule. */
static void say_left_aside(struct draft *d)
{
    const struct {
        enum context_part part;
        bool reaches;
        const char *what;
    } parts[] = {
        {PART_METHODS, rule_is(d->rule, SET_URL), "methods are"},
        {PART_SERVICE, rule_is(d->rule, SET_HOST | SET_ADDRESS), "ports are"},
        {PART_BASE, d->rule->type == TARGET_PATH, "base URL is"},
    };
    if (d->rule->action == RULE_DENY)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].reaches || !(d->context->unsaid & parts[i].part))
            continue;
        d->context->unsaid &= ~(unsigned)parts[i].part;
        reporter_warn(d->r, d->word.at,
                      "the header's %s left aside for a rule of type %s; write such rules under "
                      "another header",
                      parts[i].what, target_type_name(d->rule->type));
    }
}

/* Says, once a header, that its selectors are a veto's too: whoever writes `deny x.org` seldom
 * means one program. One that has selectors of its own shows that who was thought of. */
static void say_narrowed(struct draft *d, const struct extras *own)
{
    if (d->rule->action != RULE_DENY || own->n_selectors > 0 || !(d->context->unsaid & PART_WHO))
        return;
    d->context->unsaid &= ~(unsigned)PART_WHO;
    reporter_warn(d->r, d->word.at,
                  "the header's selectors narrow this veto; write it above the headers or below "
                  "[] to hold for everybody, or its selectors on the line");
}

static const struct port_list *one_port(struct arena *arena, uint16_t port, struct port_list *out)
{
    static const struct port_range common[] = {{443, 443}, {80, 80}};
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        if (common[i].low == port) {
            *out = (struct port_list){&common[i], 1, false};
            return out;
        }
    }
    struct port_range *range = arena_alloc(arena, sizeof(*range));
    if (!range)
        return NULL;
    range->low = range->high = port;
    *out = (struct port_list){range, 1, false};
    return out;
}

static bool fill_url(struct draft *d)
{
    struct rule *rule = d->rule;
    const struct context *c = d->context;
    const char *base_path = NULL;
    rule->url = d->target.url;
    if (rule->type == TARGET_PATH) {
        if (!c->has_base) {
            if (c->broken)
                return false;
            reporter_error(d->r, d->word.at,
                           "a path needs a base URL in the header above; write [https://HOST] over "
                           "it, or the whole URL");
            return false;
        }
        rule->url = c->base;
        rule->base = c->base_text;
        base_path = c->base_path;
    }
    rule->host = rule->url.host;
    rule->protos = RULE_TCP;
    rule->port_limited = true;
    unsigned inherited = c->methods ? c->methods : METHOD_GET | METHOD_HEAD;
    rule->methods = d->methods                   ? d->methods
                    : rule->action == RULE_ALLOW ? inherited
                                                 : (unsigned)METHOD_ALL;
    if (!one_port(d->arena, rule->url.port, &rule->ports))
        return false;
    rule->path = path_pattern_parse(d->r, d->arena, base_path, d->target.path);
    return rule->path != NULL;
}

static bool fill_service(struct draft *d)
{
    struct rule *rule = d->rule;
    const struct service *own = &d->target.service, *header = &d->context->service;
    if (rule->action == RULE_DENY) {
        rule->port_limited = own->has_ports && !own->ports.any;
        rule->ports = own->has_ports ? own->ports : (struct port_list){.any = true};
        rule->protos = own->protos ? own->protos : RULE_TCP | RULE_UDP;
        return true;
    }
    rule->port_limited = true;
    rule->protos = own->protos ? own->protos : header->protos ? header->protos : RULE_TCP;
    if (own->has_ports || header->has_ports) {
        rule->ports = own->has_ports ? own->ports : header->ports;
        return true;
    }
    return one_port(d->arena, 443, &rule->ports) != NULL;
}

static bool fill(struct draft *d)
{
    struct rule *rule = d->rule;
    rule->type = d->target.type;
    rule->host = d->target.host;
    rule->ip = d->target.ip;
    rule->mask = d->target.mask;
    rule->target = reporter_typed(d->r, d->arena, d->target.typed);
    if (!rule->target)
        return false;
    if (rule_is(rule, SET_URL))
        return fill_url(d);
    return rule_is(rule, SET_DNS) || fill_service(d);
}

bool rule_compose(struct reporter *r, struct arena *arena, struct context *context,
                  enum rule_action action, const struct words *words, size_t first,
                  struct rule *out)
{
    struct draft d = {.r = r, .arena = arena, .context = context, .rule = out};
    struct extras extras;
    *out = (struct rule){.action = action, .open = context->open};
    if (!extras_init(&extras, arena, words))
        return false;
    bool good = take_methods(&d, words, &first);
    bool known = take_target(&d, words, &first);
    known = known && fill(&d);
    for (size_t i = first; i < words->n; i++)
        good = extras_add(&extras, r, arena, words->list[i]) && good;
    if (!known)
        return false;
    good = check_keywords(&d, &extras) && good;
    if (good) {
        say_left_aside(&d);
        say_narrowed(&d, &extras);
    }
    return good &&
           selectors_merge(arena, extras.selectors, extras.n_selectors, context->selectors,
                           context->n_selectors, NULL, 0, &out->selectors, &out->n_selectors);
}
