/* SPDX-License-Identifier: MIT
 * For people: the verdict first, then the rule, then what came near. Every line goes through
 * say_safely, since names, paths and programs are whatever somebody wrote. */
#include "review/explain_tell.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "review/explain_lacks.h"
#include "review/explain_who.h"

struct teller {
    FILE *out;
    bool colour;
};

static void put_line(const struct teller *t, const char *indent, const struct buffer *text)
{
    fputs(indent, t->out);
    if (buffer_failed(text))
        fputs("(out of memory)", t->out);
    else
        say_safely(t->out, text->data, text->len);
    putc('\n', t->out);
}

static void say(const struct teller *t, const char *indent, const char *format, ...) PRINTF(3, 4);
static void say(const struct teller *t, const char *indent, const char *format, ...)
{
    CLEANUP_BUFFER struct buffer text = {0};
    char piece[1];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    char *whole = n < 0 ? NULL : malloc((size_t)n + 1);
    if (whole) {
        vsnprintf(whole, (size_t)n + 1, format, again);
        buffer_add(&text, whole, (size_t)n);
    } else {
        text.failed = true;
    }
    va_end(again);
    free(whole);
    put_line(t, indent, &text);
}

static const struct {
    const char *word, *colour;
} actions[] = {
    [VERDICT_DENY] = {"denied", "\033[1;31m"},
    [VERDICT_ALLOW] = {"allowed", "\033[1;32m"},
    [VERDICT_INSPECT] = {"inspect", "\033[1;33m"},
};

static void print_head(const struct teller *t, const struct explain_told *told)
{
    CLEANUP_BUFFER struct buffer text = {0};
    const struct event *e = told->event;
    const struct explain_record *r = told->record;
    enum verdict_action action = told->explanation->verdict.action;
    if (r && r->seq) {
        fprintf(t->out, "seq %llu", (unsigned long long)r->seq);
        fputs(r->ts ? ", " : "", t->out);
        if (r->ts)
            say_safely(t->out, r->ts, strlen(r->ts));
        putc('\n', t->out);
    }
    fprintf(t->out, "%s%s%s: ", t->colour ? actions[action].colour : "", actions[action].word,
            t->colour ? "\033[0m" : "");
    explain_event_text(e, false, &text);
    if (e->process && (e->process->known & FACT_EXE) && e->process->exe)
        buffer_printf(&text, " by %s", e->process->exe);
    else
        buffer_add_string(&text, e->process ? " by a process whose program is not known"
                                            : " by a process that is not known");
    if (r && r->pid)
        buffer_printf(&text, " (pid %llu)", (unsigned long long)r->pid);
    put_line(t, "", &text);
}

static void print_rule(const struct teller *t, const char *indent, const struct verdict *v)
{
    say(t, indent, "%s:%zu: %s", v->file, v->line, v->rule);
}

static void print_unknown(const struct teller *t, unsigned unknown)
{
    for (unsigned lack = LACK_EXE; lack < LACK_FOREIGN; lack++)
        if (explain_who_facts((enum lack)lack) & unknown)
            say(t, "  ",
                "It asks for more than is known: %s not known, and to a veto that counts as "
                "a match.",
                lack_noun((enum lack)lack));
}

static void print_deny(const struct teller *t, const struct explain_told *told)
{
    const struct explanation *x = told->explanation;
    const struct verdict *v = &x->verdict;
    if (told->event->stage == EVENT_OTHER)
        say(t, "  ", "There is no rule for such: IPv6, ICMP and other protocols are closed.");
    else if (v->reason == REASON_VETO)
        say(t, "  ", "A veto decided%s:", v->expected ? ", one that expects it" : "");
    else if (v->reason == REASON_PRIVATE_ADDRESS)
        say(t, "  ", "A rule allows the name, but not where it lies:");
    else if (v->unattributed)
        say(t, "  ", "No rule allows it for certain: it depends on facts that are not known.");
    else if (x->reason && strcmp(x->reason, "resolver") == 0)
        say(t, "  ", "The name may be looked up, but not at that resolver.");
    else
        say(t, "  ", "No rule allows it.");
    if (v->rule)
        print_rule(t, "    ", v);
    print_unknown(t, x->unknown);
}

static void print_allow(const struct teller *t, const struct explain_told *told)
{
    const struct verdict *v = &told->explanation->verdict;
    if (v->action == VERDICT_INSPECT)
        say(t, "  ",
            "Only rules about URLs name it, or a veto of one does: TLS would have to be "
            "opened to judge, which this release does not do, so it is denied:");
    else
        say(t, "  ", "This rule decided:");
    print_rule(t, "    ", v);
    say(t, "  ", "%s%s%s%s",
        v->name ? "It is the name that it allows" : "It is the address that it allows",
        v->passthrough ? "; TLS passes unopened" : "", v->insecure ? "; unverified" : "",
        v->private ? "; it may lie at a private address" : "");
}

static void print_part(const struct teller *t, const char *what, const char *of,
                       const struct explain_part *p)
{
    static const char *const did[] = {[VERDICT_DENY] = "denied",
                                      [VERDICT_ALLOW] = "allowed",
                                      [VERDICT_INSPECT] = "to be inspected"};
    if (!p->asked)
        return;
    if (p->verdict.rule)
        say(t, "  ", "%s%s: %s by %s:%zu: %s", what, of, did[p->verdict.action], p->verdict.file,
            p->verdict.line, p->verdict.rule);
    else
        say(t, "  ", "%s%s: %s", what, of,
            p->verdict.unattributed ? "it depends on facts that are not known"
                                    : "no rule allows it");
}

static void print_parts(const struct teller *t, const struct explain_told *told)
{
    const struct explanation *x = told->explanation;
    const struct event *e = told->event;
    CLEANUP_BUFFER struct buffer names = {0};
    char ip[32];
    bool dns = e->stage == EVENT_DNS;
    buffer_add_string(&names, e->host ? e->host : "");
    for (size_t i = 0; i < e->n_names && !e->host; i++)
        buffer_printf(&names, "%s%s", i ? ", " : "", e->names[i]);
    snprintf(ip, sizeof(ip), " %u.%u.%u.%u", e->dst_ip >> 24, e->dst_ip >> 16 & 255,
             e->dst_ip >> 8 & 255, e->dst_ip & 255);
    if (buffer_failed(&names))
        return;
    print_part(t,
               dns       ? "The name "
               : e->host ? "By the name "
                         : "By names that were resolved to it, ",
               names.data, &x->by_name);
    print_part(t, dns ? "The resolver" : "By the address", e->has_dst ? ip : "", &x->by_address);
    print_part(t, "Without vetoes", "", &x->without_vetoes);
}

static void print_near(const struct teller *t, const struct explain_told *told)
{
    const struct explain_near *near = &told->explanation->near;
    if (told->explanation->verdict.action != VERDICT_DENY ||
        told->explanation->verdict.reason == REASON_VETO || told->event->stage == EVENT_OTHER)
        return;
    say(t, "  ",
        near->n == 0 ? "No rule comes near it." : "What comes nearest, and what it lacks:");
    for (size_t i = 0; i < near->n; i++) {
        const struct explain_rule *x = &near->list[i];
        say(t, "    ", "%s:%zu: %s", x->rule->file, x->rule->line, x->rule->text);
        for (unsigned lack = 0; lack < LACK_COUNT; lack++) {
            struct lack_words w;
            if (!(x->lacks >> lack & 1))
                continue;
            lack_words_init(&w, x, (enum lack)lack, told->event);
            put_line(t, "      - ", &w.text);
            lack_words_release(&w);
        }
    }
}

static void print_record(const struct teller *t, const struct explain_told *told)
{
    const struct explain_record *r = told->record;
    if (!r || !r->policy)
        return;
    const char *words = r->reason ? explain_reason_words(r->reason) : NULL;
    enum explain_agreement how = explain_agreement(told->explanation, r);
    const char *why = explain_difference(told);
    if (how == DIFFER_POLICY || how == DIFFER_RULE) {
        say(t, "  ", "The log differs: its policy said %s%s%s%s%s; %s.", r->policy,
            r->reason ? ", reason " : "", r->reason ? r->reason : "", r->rule ? ", by " : "",
            r->rule ? r->rule : "", why);
    } else if (how == AGREE_FILTER) {
        say(t, "  ", "The filter had a reason of its own, %s%s%s.", r->reason, words ? ": " : "",
            words ? words : "");
    }
    if (r->outcome && strcmp(r->policy, "deny") == 0 && strcmp(r->outcome, "allowed") == 0)
        say(t, "  ", "It was let pass nevertheless: the filter only recorded (--audit).");
    else if (r->outcome && strcmp(r->outcome, "failed") == 0)
        say(t, "  ", "It failed all the same: see `error` in the record.");
    if (r->count > 1)
        say(t, "  ", "The record stands for %llu alike.", (unsigned long long)r->count);
}

void explain_print(const struct explain_told *told, FILE *out, bool colour)
{
    const struct teller t = {out, colour};
    print_head(&t, told);
    if (told->explanation->verdict.action == VERDICT_DENY)
        print_deny(&t, told);
    else
        print_allow(&t, told);
    print_parts(&t, told);
    print_near(&t, told);
    print_record(&t, told);
}
