/* SPDX-License-Identifier: MIT
 * Fields in the order of the language's page, so that a dump reads like the line it came from. */
#include "review/dump_rules.h"

#include <stdio.h>
#include <string.h>

#include "audit/json.h"
#include "rules/selector.h"

/* [443,[1024,65535]], or "*"; null where ports mean nothing (dns:). */
static void put_ports(struct buffer *out, const struct rule *r)
{
    if (rule_is(r, SET_DNS)) {
        json_put_text_or_null(out, "port", NULL);
        return;
    }
    if (r->ports.any) {
        json_put_word(out, "port", "*");
        return;
    }
    json_put_key(out, "port");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < r->ports.n; i++) {
        const struct port_range *range = &r->ports.ranges[i];
        json_put_comma(out);
        if (range->low == range->high)
            buffer_printf(out, "%u", range->low);
        else
            buffer_printf(out, "[%u,%u]", range->low, range->high);
    }
    buffer_add_char(out, ']');
}

static void put_protocol(struct buffer *out, const struct rule *r)
{
    bool tcp = r->protos & RULE_TCP, udp = r->protos & RULE_UDP;
    if (rule_is(r, SET_DNS))
        json_put_text_or_null(out, "protocol", NULL);
    else
        json_put_word(out, "protocol", tcp && udp ? "*" : tcp ? "tcp" : "udp");
}

static void put_methods(struct buffer *out, const struct rule *r)
{
    static const struct {
        unsigned bit;
        const char *name;
    } methods[] = {
        {METHOD_GET, "GET"},         {METHOD_HEAD, "HEAD"},     {METHOD_POST, "POST"},
        {METHOD_PUT, "PUT"},         {METHOD_DELETE, "DELETE"}, {METHOD_PATCH, "PATCH"},
        {METHOD_OPTIONS, "OPTIONS"},
    };
    if (!rule_is(r, SET_URL)) {
        json_put_text_or_null(out, "methods", NULL);
        return;
    }
    if (r->methods == METHOD_ALL) {
        json_put_word(out, "methods", "*");
        return;
    }
    json_put_key(out, "methods");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!(r->methods & methods[i].bit))
            continue;
        json_put_comma(out);
        json_put_string(out, methods[i].name, strlen(methods[i].name));
    }
    buffer_add_char(out, ']');
}

static void put_keywords(struct buffer *out, const struct rule *r)
{
    json_put_bool(out, "passthrough", r->keywords & KEYWORD_PASSTHROUGH);
    json_put_bool(out, "insecure", r->keywords & KEYWORD_INSECURE);
    if (r->keywords & KEYWORD_PRIVATE)
        json_put_bool(out, "private", true);
    if (r->keywords & KEYWORD_WEBSOCKET)
        json_put_bool(out, "websocket", true);
    if (r->keywords & KEYWORD_EXPECTED)
        json_put_bool(out, "expected", true);
}

static void put_selector(struct buffer *out, const struct selector *s)
{
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_text_or_null(out, "value", s->value);
    json_put_bool(out, "literal", s->literal);
    buffer_add_char(out, '}');
}

static bool same_key(const struct selector *a, const struct selector *b)
{
    return a->kind == b->kind && a->index == b->index;
}

/* `arg=` may repeat, and an include line adds to what its rules say: then the key has a list. */
static void put_selectors(struct buffer *out, const struct rule *r)
{
    json_put_key(out, "attrs");
    buffer_add_char(out, '{');
    for (size_t i = 0; i < r->n_selectors; i++) {
        const struct selector *s = &r->selectors[i];
        char name[32];
        size_t before = 0, same = 0;
        for (size_t k = 0; k < r->n_selectors; k++) {
            bool like = same_key(s, &r->selectors[k]);
            same += like;
            before += like && k < i;
        }
        if (before)
            continue;
        snprintf(name, sizeof(name), s->kind == SELECTOR_ARG_AT ? "%s[%u]" : "%s",
                 selector_name(s->kind), s->index);
        json_put_key(out, name);
        bool list = same > 1 || s->kind == SELECTOR_ARG;
        if (list)
            buffer_add_char(out, '[');
        for (size_t k = i; k < r->n_selectors; k++)
            if (same_key(s, &r->selectors[k]))
                put_selector(out, &r->selectors[k]);
        if (list)
            buffer_add_char(out, ']');
    }
    buffer_add_char(out, '}');
}

void dump_rule(const struct rule *r, size_t line, struct buffer *out)
{
    buffer_add_char(out, '{');
    json_put_text_or_null(out, "file", r->file);
    json_put_number(out, "line", line);
    json_put_word(out, "action", r->action == RULE_ALLOW ? "allow" : "deny");
    json_put_word(out, "type", target_type_name(r->type));
    json_put_text_or_null(out, "target", r->target);
    put_ports(out, r);
    put_protocol(out, r);
    put_methods(out, r);
    json_put_text_or_null(out, "url_base", r->base);
    put_keywords(out, r);
    put_selectors(out, r);
    buffer_add_char(out, '}');
}
