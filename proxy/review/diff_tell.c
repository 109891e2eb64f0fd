/* SPDX-License-Identifier: MIT
 * What changed in one line, which rules are behind it in the next, and an event to ask about. */
#include "review/diff_tell.h"

#include <string.h>

#include "audit/json.h"
#include "review/diff_paths.h"
#include "rules/policy.h"

static const struct {
    enum diff_kind kind;
    const char *name, *words;
} kinds[] = {
    {DIFF_DNS, "dns", "the look-up of"},
    {DIFF_TLS, "tls", "TLS"},
    {DIFF_TCP, "tcp", "TCP"},
    {DIFF_UNKNOWN, "tcp-unknown", "unknown protocols"},
    {DIFF_HTTP, "http", "plain HTTP"},
    {DIFF_UDP, "udp", "UDP"},
    {DIFF_REQUEST, "request", "requests"},
};

struct phrase {
    char sign;
    const char *word, *words;
};

static struct phrase phrase_of(const struct verdict *a, const struct verdict *b)
{
    bool was = a->action == VERDICT_ALLOW, is = b->action == VERDICT_ALLOW;
    if (b->action == VERDICT_DENY)
        return (struct phrase){'-', "denied", "denied now"};
    if (a->action == VERDICT_DENY)
        return is ? (struct phrase){'+', "allowed", "allowed now"}
                  : (struct phrase){'+', "inspected", "opened now, to judge its requests"};
    if (was && !is)
        return (struct phrase){'-', "inspected", "judged request by request now"};
    if (!was && is)
        return (struct phrase){'+', "allowed", "allowed now without a look at its requests"};
    if (a->passthrough != b->passthrough)
        return b->passthrough
                   ? (struct phrase){'~', "passed-through", "passed through unopened now"}
                   : (struct phrase){'~', "not-passed-through",
                                     "no longer passed through unopened"};
    if (a->insecure == b->insecure)
        return b->websocket ? (struct phrase){'+', "websocket", "allowed to become a WebSocket now"}
                            : (struct phrase){'-', "not-websocket",
                                              "no longer allowed to become a WebSocket"};
    return b->insecure
               ? (struct phrase){'~', "insecure", "allowed with any certificate now"}
               : (struct phrase){'~', "not-insecure", "allowed with a good certificate only now"};
}

static bool is_every_port(const struct diff_change *c)
{
    return c->n_ports == 1 && c->ports[0].low == 1 && c->ports[0].high == UINT16_MAX;
}

static void put_ports(const struct diff_change *c, struct buffer *out)
{
    if (c->n_ports == 0)
        return;
    buffer_add_char(out, ':');
    if (is_every_port(c)) {
        buffer_add_char(out, '*');
        return;
    }
    for (size_t i = 0; i < c->n_ports; i++) {
        buffer_printf(out, i ? "|%u" : "%u", c->ports[i].low);
        if (c->ports[i].high != c->ports[i].low)
            buffer_printf(out, "-%u", c->ports[i].high);
    }
}

static void put_what(const struct diff_change *c, struct buffer *out)
{
    if (c->kinds == DIFF_REQUEST) {
        diff_methods_write(c->methods, out);
        buffer_printf(out, " %s://%s", c->https ? "https" : "http", c->target);
        if (c->n_ports != 1 || c->ports[0].low != (c->https ? 443 : 80))
            put_ports(c, out);
        buffer_printf(out, c->path[0] == '/' ? "%s" : " (%s)", c->path);
        return;
    }
    bool first = true;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!(c->kinds & kinds[i].kind))
            continue;
        buffer_printf(out, first ? "%s" : ", %s", kinds[i].words);
        first = false;
    }
    buffer_printf(out, c->kinds == DIFF_DNS ? " %s" : " to %s", c->target);
    put_ports(c, out);
}

static void put_verdict(const struct verdict *v, struct buffer *out)
{
    buffer_add_string(out, verdict_action_name(v->action));
    if (v->file)
        buffer_printf(out, " by %s:%zu `%s`", v->file, v->line, v->rule);
    else
        buffer_add_string(out, ", no rule");
}

void diff_tell_words(const struct diff_change *c, struct buffer *out)
{
    struct phrase phrase = phrase_of(&c->before, &c->after);
    buffer_printf(out, "%c %s: ", phrase.sign, phrase.words);
    put_what(c, out);
    if (c->at)
        buffer_printf(out, " where it lies at %s", c->at);
    buffer_printf(out, ", by %s\n    before: ", c->who[0] ? c->who : "anyone");
    put_verdict(&c->before, out);
    buffer_add_string(out, "\n    now:    ");
    put_verdict(&c->after, out);
    buffer_printf(out, "\n    as in:  %s\n", c->example);
}

static void put_rule(struct buffer *out, const char *name, const struct verdict *v)
{
    json_put_key(out, name);
    buffer_add_char(out, '{');
    json_put_word(out, "verdict", verdict_action_name(v->action));
    json_put_text_or_null(out, "file", v->file);
    json_put_key(out, "line");
    if (v->file)
        buffer_printf(out, "%zu", v->line);
    else
        buffer_add_string(out, "null");
    json_put_text_or_null(out, "rule", v->rule);
    json_put_bool(out, "passthrough", v->passthrough);
    json_put_bool(out, "insecure", v->insecure);
    buffer_add_char(out, '}');
}

static void put_port_list(const struct diff_change *c, struct buffer *out)
{
    if (c->n_ports == 0) {
        json_put_text_or_null(out, "port", NULL);
        return;
    }
    if (is_every_port(c)) {
        json_put_word(out, "port", "*");
        return;
    }
    json_put_key(out, "port");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < c->n_ports; i++) {
        json_put_comma(out);
        if (c->ports[i].low == c->ports[i].high)
            buffer_printf(out, "%u", c->ports[i].low);
        else
            buffer_printf(out, "[%u,%u]", c->ports[i].low, c->ports[i].high);
    }
    buffer_add_char(out, ']');
}

void diff_tell_json(const struct diff_change *c, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer methods = {0};
    bool request = c->kinds == DIFF_REQUEST;
    buffer_add_char(out, '{');
    json_put_word(out, "change", phrase_of(&c->before, &c->after).word);
    json_put_key(out, "kinds");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!(c->kinds & kinds[i].kind))
            continue;
        json_put_comma(out);
        json_put_string(out, kinds[i].name, strlen(kinds[i].name));
    }
    buffer_add_char(out, ']');
    json_put_text_or_null(out, "target", c->target);
    json_put_text_or_null(out, "at", c->at);
    put_port_list(c, out);
    if (request)
        diff_methods_write(c->methods, &methods);
    json_put_text_or_null(out, "scheme", !request ? NULL : c->https ? "https" : "http");
    json_put_text_or_null(out, "methods", methods.data);
    json_put_text_or_null(out, "path", c->path);
    json_put_text_or_null(out, "who", c->who[0] ? c->who : NULL);
    put_rule(out, "before", &c->before);
    put_rule(out, "after", &c->after);
    json_put_text_or_null(out, "example", c->example);
    buffer_add_char(out, '}');
}
