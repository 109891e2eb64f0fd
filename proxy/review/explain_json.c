/* SPDX-License-Identifier: MIT
 * The same for programs: one object for each event, members in a fixed order, null for what there
 * is not. docs/egress-filter.8 describes it. */
#include <string.h>

#include "audit/json.h"
#include "review/explain_lacks.h"
#include "review/explain_tell.h"

static void put_rule(struct buffer *out, const char *file, size_t line, const char *rule)
{
    json_put_text_or_null(out, "file", file);
    json_put_key(out, "line");
    if (file)
        buffer_printf(out, "%zu", line);
    else
        buffer_add_string(out, "null");
    json_put_text_or_null(out, "rule", rule);
}

static void put_verdict(struct buffer *out, const struct verdict *v)
{
    json_put_word(out, "verdict", verdict_action_name(v->action));
    put_rule(out, v->file, v->line, v->rule);
    json_put_bool(out, "unattributed", v->unattributed);
}

static void put_part(struct buffer *out, const char *name, const struct explain_part *p)
{
    json_put_key(out, name);
    if (!p->asked) {
        buffer_add_string(out, "null");
        return;
    }
    buffer_add_char(out, '{');
    put_verdict(out, &p->verdict);
    buffer_add_char(out, '}');
}

static void put_lacks(struct buffer *out, const struct explain_rule *x, const struct event *e)
{
    json_put_key(out, "lacks");
    buffer_add_char(out, '[');
    for (unsigned lack = 0; lack < LACK_COUNT; lack++) {
        struct lack_words w;
        if (!(x->lacks >> lack & 1))
            continue;
        lack_words_init(&w, x, (enum lack)lack, e);
        json_put_comma(out);
        buffer_add_char(out, '{');
        json_put_word(out, "what", w.name);
        json_put_text_or_null(out, "has", w.known ? w.has.data : NULL);
        json_put_text_or_null(out, "wants", w.wants.data);
        json_put_text_or_null(out, "text", w.text.data);
        buffer_add_char(out, '}');
        lack_words_release(&w);
    }
    buffer_add_char(out, ']');
}

static void put_near(struct buffer *out, const struct explain_told *t)
{
    const struct explain_near *near = &t->explanation->near;
    json_put_key(out, "nearest");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < near->n; i++) {
        const struct rule *r = near->list[i].rule;
        json_put_comma(out);
        buffer_add_char(out, '{');
        put_rule(out, r->file, r->line, r->text);
        put_lacks(out, &near->list[i], t->event);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

static void put_record(struct buffer *out, const struct explain_told *t)
{
    static const char *const words[] = {[AGREE] = "same",
                                        [AGREE_FILTER] = "filter",
                                        [DIFFER_RULE] = "other-rule",
                                        [DIFFER_POLICY] = "other-verdict"};
    const struct explain_record *r = t->record;
    json_put_key(out, "record");
    if (!r || !r->policy) {
        buffer_add_string(out, "null");
        return;
    }
    buffer_add_char(out, '{');
    if (r->seq)
        json_put_number(out, "seq", r->seq);
    json_put_text_or_null(out, "policy", r->policy);
    json_put_text_or_null(out, "outcome", r->outcome);
    json_put_text_or_null(out, "reason", r->reason);
    put_rule(out, r->file, r->line, r->rule);
    json_put_text_or_null(out, "means", r->reason ? explain_reason_words(r->reason) : NULL);
    json_put_word(out, "agrees", words[explain_agreement(t->explanation, r)]);
    json_put_text_or_null(out, "why", explain_difference(t));
    buffer_add_char(out, '}');
}

void explain_write_json(const struct explain_told *t, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer text = {0};
    const struct explanation *x = t->explanation;
    explain_event_text(t->event, true, &text);
    buffer_add_char(out, '{');
    json_put_text_or_null(out, "event", text.data);
    put_verdict(out, &x->verdict);
    json_put_text_or_null(out, "reason", x->reason);
    put_part(out, "by_name", &x->by_name);
    put_part(out, "by_address", &x->by_address);
    put_part(out, "without_vetoes", &x->without_vetoes);
    put_near(out, t);
    put_record(out, t);
    buffer_add_string(out, "}\n");
    if (buffer_failed(&text))
        out->failed = true;
}
