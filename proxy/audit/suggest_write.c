/* SPDX-License-Identifier: MIT
 * Lines as a policy with comments, as a block for the terminal, and as JSON. Every line begins with
 * our own bytes: what the watched chose stands escaped behind `# `, or was let through by
 * suggest_line.c. */
#include <inttypes.h>
#include <libpsl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/json.h"
#include "audit/suggest_line.h"
#include "rules/policy.h"

#define MANY_PROGRAMS 5 /* so many lines for one destination: one for everybody is proposed */
#define MANY_SIBLINGS 5 /* so many names right below another: a wildcard is proposed */

static void put_time(struct buffer *out, uint64_t us)
{
    const time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char text[32] = "";
    if (gmtime_r(&seconds, &tm))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    buffer_add_string(out, text);
}

static void put_who(const struct line *l, struct buffer *out)
{
    if (l->row->program.len && l->row->program_counts)
        summary_put_program(l->row, out);
    else if (l->row->program.len) {
        buffer_add_string(out, "a program that rules cannot rely on, ");
        summary_put_program(l->row, out);
    } else {
        buffer_add_string(out, "a program that is not known");
    }
    if (l->row->container.len) {
        buffer_add_string(out, " in container ");
        summary_put_safe(out, l->row->container.data, l->row->container.len);
    }
}

/* Who asked, how often and when. */
static void put_evidence(const struct line *l, struct buffer *out)
{
    bool once = line_is_once(l);
    if (once)
        buffer_add_string(out, "# seen once, by ");
    else
        buffer_printf(out, "# %" PRIu64 " times, by ", l->count);
    put_who(l, out);
    if (l->n_seen > 1)
        buffer_printf(out, " (%zu processes%s)", l->n_seen,
                      l->n_seen == SUMMARY_SEEN_MAX ? " or more" : "");
    if (l->runs > 1)
        buffer_printf(out, ", in %zu runs", l->runs);
    if (l->last_us) {
        buffer_add_string(out, once ? ", " : ", last ");
        put_time(out, l->last_us);
    }
    buffer_add_char(out, '\n');
}

static void put_warnings(const struct line *l, struct buffer *out)
{
    const struct row_text *called = &l->row->called;
    const struct {
        bool applies;
        const char *text;
    } warnings[] = {
        {l->class == LINE_HOST && !l->connected,
         "# only looked up: that was denied, so its port is not known; 443 is taken for it\n"},
        {l->class == LINE_IP && l->row->kind == ROW_DNS,
         "# a DNS server of the program's own choice\n"},
        {l->class == LINE_IP && address_is_metadata(l->ip),
         "# CAREFUL: a metadata service of the cloud; it hands the machine's rights to who asks\n"},
        {l->class == LINE_IP && address_is_private(l->ip) && !address_is_metadata(l->ip),
         "# careful: a private address, which is another machine in another network\n"},
        {l->private,
         "# careful: it lies at a private address; whoever owns the name says at which\n"},
        {!l->exe, "# careful: this allows every program\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(warnings); i++)
        if (warnings[i].applies)
            buffer_add_string(out, warnings[i].text);
    if (l->class == LINE_IP && called->len && l->row->kind == ROW_IP) {
        buffer_add_string(out, "# it went by the name ");
        summary_put_safe(out, called->data, called->len);
        buffer_add_char(out, '\n');
    }
}

/* The line for all programs, where many have their own. */
static void propose_everybody(const struct line *l, size_t programs, struct buffer *out)
{
    struct line all = *l;
    if (programs < MANY_PROGRAMS)
        return;
    all.exe = all.container = NULL;
    buffer_printf(out,
                  "# %zu programs asked for this; one line would allow all others too: ", programs);
    line_write(&all, out);
    buffer_add_char(out, '\n');
}

static bool same_target(const struct line *a, const struct line *b)
{
    return a->class == b->class && a->ip == b->ip && a->port == b->port && a->udp == b->udp &&
           strcmp(a->method, b->method) == 0 &&
           strcmp(a->target ? a->target : "", b->target ? b->target : "") == 0;
}

static void put_lines(const struct suggestions *s, struct buffer *out)
{
    size_t done = 0; /* lines about targets that were looked at */
    for (size_t i = 0; i < s->n_lines; i++) {
        const struct line *l = &s->lines[i];
        size_t programs = 0;
        for (; i == done || (done < s->n_lines && programs && same_target(l, &s->lines[done]));
             done++)
            programs++;
        buffer_add_char(out, '\n');
        propose_everybody(l, programs, out);
        put_evidence(l, out);
        if (l->also)
            buffer_add_string(out, "# this line would allow it, and every program: ");
        else
            put_warnings(l, out);
        line_write(l, out);
        buffer_add_char(out, '\n');
    }
}

/* What stands behind a name's first label; NULL where nobody may have all of it. */
static const char *parent_of(const struct line *l)
{
    const psl_ctx_t *psl = psl_builtin();
    const char *dot = strchr(l->target, '.');
    bool owned =
        psl && dot && strchr(dot + 1, '.') && !psl_is_public_suffix2(psl, dot + 1, PSL_TYPE_ANY);
    return owned ? dot + 1 : NULL;
}

static bool are_siblings(const struct line *a, const struct line *b)
{
    return a->port == b->port && a->private == b->private &&
           strcmp(a->exe ? a->exe : "", b->exe ? b->exe : "") == 0 &&
           strcmp(a->container ? a->container : "", b->container ? b->container : "") == 0 &&
           strcmp(strchr(a->target, '.'), strchr(b->target, '.')) == 0;
}

static int compare_parents(const void *a, const void *b)
{
    const struct line *x = *(const struct line *const *)a, *y = *(const struct line *const *)b;
    int order = strcmp(strchr(x->target, '.'), strchr(y->target, '.'));
    order = order ? order : (int)x->port - (int)y->port;
    order = order ? order : (int)x->private - (int)y->private;
    order = order ? order : strcmp(x->exe ? x->exe : "", y->exe ? y->exe : "");
    order =
        order ? order : strcmp(x->container ? x->container : "", y->container ? y->container : "");
    return order ? order : (x > y) - (x < y);
}

static void propose_wildcards(const struct suggestions *s, struct buffer *out)
{
    const struct line **names = calloc(s->n_lines + 1, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; names && i < s->n_lines; i++)
        if (s->lines[i].class == LINE_HOST && !s->lines[i].also && parent_of(&s->lines[i]))
            names[n++] = &s->lines[i];
    if (n)
        qsort(names, n, sizeof(*names), compare_parents);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && are_siblings(names[i], names[end]);)
            end++;
        if (end - i < MANY_SIBLINGS)
            continue;
        CLEANUP_BUFFER struct buffer target = {0};
        struct line all = *names[i];
        buffer_printf(&target, "*.%s", parent_of(names[i]));
        all.target = target.data ? target.data : "";
        buffer_printf(out,
                      "\n# %zu names above are siblings; one line would do, and allow all other "
                      "names there:\n# ",
                      end - i);
        line_write(&all, out);
        buffer_add_char(out, '\n');
    }
    free(names);
}

static void put_without(const struct without *w, struct buffer *out)
{
    summary_put_destination(w->row, out);
    buffer_add_string(out, ", by ");
    summary_put_program(w->row, out);
    if (w->row->denied == 1)
        buffer_printf(out, ", once: %s", w->why);
    else
        buffer_printf(out, ", %" PRIu64 " times: %s", w->row->denied, w->why);
}

void suggestions_policy(const struct suggestions *s, struct buffer *out)
{
    size_t without, lines = suggestions_count(s, &without);
    buffer_add_string(out, lines || without
                               ? "# What egress-filter denied, as the narrowest lines that would "
                                 "allow it. Each opens a\n# way out: read it, and keep only what "
                                 "is meant to be there.\n"
                               : "# Nothing was denied that a policy should allow.\n");
    if (s->let_through)
        buffer_add_string(out, "# Some of it was let through when it was asked for.\n");
    /* Behind another policy's last header these would mean something else. */
    if (lines)
        buffer_add_string(out, "[]\n");
    put_lines(s, out);
    propose_wildcards(s, out);
    if (without)
        buffer_add_string(out, "\n# No line here allows what follows.\n");
    for (size_t i = 0; i < s->n_without; i++) {
        buffer_add_string(out, "# ");
        put_without(&s->without[i], out);
        buffer_add_char(out, '\n');
    }
}

static void put_short(const struct line *l, struct buffer *out)
{
    const char *glue = "  # ";
    const struct {
        bool applies;
        const char *text;
    } notes[] = {
        {line_is_once(l), "seen once"},
        {l->class == LINE_HOST && !l->connected, "only looked up"},
        {l->class == LINE_IP && address_is_metadata(l->ip), "careful: a metadata service"},
        {l->private ||
             (l->class == LINE_IP && address_is_private(l->ip) && !address_is_metadata(l->ip)),
         "careful: a private address"},
        {!l->exe, "careful: every program"},
    };
    buffer_add_string(out, l->also ? "    # or for every program: " : "    ");
    line_write(l, out);
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
        if (!notes[i].applies || l->also)
            continue;
        buffer_printf(out, "%s%s", glue, notes[i].text);
        glue = ", ";
    }
    buffer_add_char(out, '\n');
}

void suggestions_lines(const struct suggestions *s, size_t max, struct buffer *out)
{
    size_t all = s->n_lines + s->n_without;
    for (size_t i = 0; i < s->n_lines && i < max; i++)
        put_short(&s->lines[i], out);
    for (size_t i = 0; i < s->n_without && s->n_lines + i < max; i++) {
        buffer_add_string(out, "    # ");
        put_without(&s->without[i], out);
        buffer_add_char(out, '\n');
    }
    if (all > max)
        buffer_printf(out, "    # and %zu more; --suggest FILE writes them all\n", all - max);
}

static void put_json_line(const struct line *l, struct buffer *text, struct buffer *out)
{
    buffer_clear(text);
    line_write(l, text);
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_text(out, "line", text->data ? text->data : "", text->len);
    if (l->also)
        json_put_bool(out, "also", true);
    json_put_number(out, "count", l->count);
    if (line_is_once(l))
        json_put_bool(out, "seen_once", true);
    json_put_number(out, "processes", l->n_seen);
    json_put_number(out, "runs", l->runs);
    json_put_text(out, "program", l->row->program.data, l->row->program.len);
    if (l->class == LINE_HOST && !l->connected)
        json_put_bool(out, "looked_up_only", true);
    if (l->last_us) {
        buffer_clear(text);
        put_time(text, l->last_us);
        json_put_text(out, "last", text->data ? text->data : "", text->len);
    }
    buffer_add_char(out, '}');
}

void suggestions_json(const struct suggestions *s, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer text = {0};
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_key(out, "lines");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < s->n_lines; i++)
        put_json_line(&s->lines[i], &text, out);
    buffer_add_char(out, ']');
    json_put_key(out, "without");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < s->n_without; i++) {
        const struct summary_row *row = s->without[i].row;
        json_put_comma(out);
        buffer_add_char(out, '{');
        json_put_text(out, "destination", row->destination.data, row->destination.len);
        if (row->port)
            json_put_number(out, "port", row->port);
        json_put_text(out, "program", row->program.data, row->program.len);
        json_put_number(out, "count", row->denied);
        json_put_text(out, "reason", row->reason, strlen(row->reason));
        json_put_text(out, "why", s->without[i].why, strlen(s->without[i].why));
        buffer_add_char(out, '}');
    }
    buffer_add_string(out, "]}");
}
