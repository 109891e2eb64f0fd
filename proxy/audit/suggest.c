/* SPDX-License-Identifier: MIT
 * From the rows of a summary to lines that say nothing twice: those about one destination stand
 * together, and of two of which one allows all that the other does, one goes. */
#include "audit/suggest_line.h"

#include <stdlib.h>
#include <string.h>

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = MIN(a_len, b_len);
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_groups(const struct line *x, const struct line *y)
{
    int order = !x->host_len - !y->host_len; /* names before addresses */
    order = order ? order : compare_text(x->host, x->host_len, y->host, y->host_len);
    return order ? order : (x->ip > y->ip) - (x->ip < y->ip);
}

static int compare_optional(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* Of two lines that differ only in who may, the order is that of programs. */
static int compare_targets(const struct line *x, const struct line *y)
{
    int order = compare_groups(x, y);
    order = order ? order : (int)x->class - (int)y->class;
    order = order ? order : (int)x->port - (int)y->port;
    order = order ? order : (int)x->udp - (int)y->udp;
    order = order ? order : compare_optional(x->target, y->target);
    return order ? order : strcmp(x->method, y->method);
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = compare_targets(x, y);
    order = order ? order : compare_optional(x->exe, y->exe);
    return order ? order : compare_optional(x->container, y->container);
}

/* Whether a allows what b does, leaving aside to whom. Both are about one destination. A port that
 * was only guessed goes with one that was seen. */
static bool target_covers(const struct line *a, const struct line *b)
{
    bool same_port = a->port == b->port && a->udp == b->udp;
    if (b->class == LINE_HOST && !b->connected && a->connected &&
        (a->class == LINE_HOST || a->class == LINE_URL))
        return true;
    switch (a->class) {
    case LINE_HOST:
        return b->class == LINE_DNS || same_port;
    case LINE_URL:
        return b->class == LINE_DNS || (b->class == LINE_URL && strcmp(a->target, b->target) == 0 &&
                                        (strcmp(a->method, b->method) == 0 ||
                                         (!*a->method && strcmp(b->method, "HEAD") == 0)));
    case LINE_DNS:
        return b->class == LINE_DNS;
    case LINE_IP:
        return same_port;
    }
    return false;
}

static bool is_within(const char *general, const char *special)
{
    return !general || (special && strcmp(general, special) == 0);
}

static bool same_who(const struct line *a, const struct line *b)
{
    return is_within(a->exe, b->exe) && is_within(b->exe, a->exe) &&
           is_within(a->container, b->container) && is_within(b->container, a->container);
}

static bool covers(const struct line *a, const struct line *b)
{
    return target_covers(a, b) && is_within(a->exe, b->exe) &&
           is_within(a->container, b->container) && (a->private || !b->private || same_who(a, b));
}

static bool is_everybodys(const struct line *l)
{
    return !l->exe && !l->container;
}

static void take_evidence(struct line *to, const struct line *from)
{
    if (__builtin_add_overflow(to->count, from->count, &to->count))
        to->count = UINT64_MAX;
    if (__builtin_add_overflow(to->looked_up, from->looked_up, &to->looked_up))
        to->looked_up = UINT64_MAX;
    for (size_t i = 0; i < from->n_seen; i++) {
        bool seen = false;
        for (size_t k = 0; k < to->n_seen; k++)
            seen |= to->seen[k] == from->seen[i];
        if (!seen && to->n_seen < SUMMARY_SEEN_MAX)
            to->seen[to->n_seen++] = from->seen[i];
    }
    to->runs = MAX(to->runs, from->runs);
    if (from->first_us && (!to->first_us || from->first_us < to->first_us))
        to->first_us = from->first_us;
    to->last_us = MAX(to->last_us, from->last_us);
    to->private |= from->private;
    to->connected |= from->connected;
}

/* What somebody unknown asked for never widens the line of a program that is known. */
static void set_aside(struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n && is_everybodys(&lines[i]) && !lines[i].also; k++)
            lines[i].also = !is_everybodys(&lines[k]) && target_covers(&lines[k], &lines[i]);
}

static void absorb_all(struct line *lines, size_t n, bool connected)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n && !lines[i].gone; k++) {
            if (k == i || lines[k].gone || lines[i].also != lines[k].also ||
                (connected && !lines[i].connected) || !covers(&lines[i], &lines[k]))
                continue;
            take_evidence(&lines[i], &lines[k]);
            lines[k].gone = true;
        }
    }
}

/* First by what was seen, so that a guess never takes the place of it. */
static void merge_group(struct line *lines, size_t n)
{
    set_aside(lines, n);
    absorb_all(lines, n, true);
    absorb_all(lines, n, false);
}

static void merge(struct suggestions *s)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < s->n_lines; i = end) {
        for (end = i + 1; end < s->n_lines; end++)
            if (compare_groups(&s->lines[i], &s->lines[end]) != 0)
                break;
        merge_group(s->lines + i, end - i);
    }
    for (size_t i = 0; i < s->n_lines; i++)
        if (!s->lines[i].gone)
            s->lines[kept++] = s->lines[i];
    s->n_lines = kept;
}

static bool add_without(struct suggestions *s, const struct summary_row *row, const char *why)
{
    char *copy = strdup(why);
    if (copy)
        s->without[s->n_without++] = (struct without){row, copy};
    return copy != NULL;
}

/* A look-up at a DNS server of the client's own needs a line for that, and one for the name. */
static bool add_row(struct suggestions *s, const struct summary_row *row)
{
    CLEANUP_BUFFER struct buffer why = {0};
    bool resolver = row->kind == ROW_DNS && row->ip, good = true;
    s->let_through |= row->let_through;
    if (!(resolver && row->resolver_only)) {
        good = line_of(row, &s->lines[s->n_lines], &why);
        s->n_lines += good;
    }
    if (good && resolver && !line_of_resolver(row, &s->lines[s->n_lines])) {
        s->n_lines -= !row->resolver_only;
        good = false;
        buffer_add_string(&why, "no rule can name its resolver");
    } else if (good && resolver) {
        s->n_lines++;
    }
    return good || (!buffer_failed(&why) && add_without(s, row, why.data ? why.data : ""));
}

/* On the ports that URL rules name, bytes of no known protocol go by addresses alone. */
static bool drop_unknown(struct suggestions *s)
{
    uint8_t ports[65536 / 8] = {0};
    size_t kept = 0;
    for (size_t i = 0; i < s->n_lines; i++)
        if (s->lines[i].class == LINE_URL)
            ports[s->lines[i].port / 8] |= (uint8_t)(1u << s->lines[i].port % 8);
    for (size_t i = 0; i < s->n_lines; i++) {
        const struct line *l = &s->lines[i];
        bool closed = l->class == LINE_HOST && l->row->unknown_bytes &&
                      (ports[l->port / 8] & 1u << l->port % 8);
        if (!closed)
            s->lines[kept++] = *l;
        else if (!add_without(s, l->row,
                              "its bytes are of no known protocol, and URLs name this port: only "
                              "a rule for its address would allow it"))
            return false;
    }
    s->n_lines = kept;
    return true;
}

struct suggestions *suggestions_new(const struct summary *summary)
{
    size_t n;
    const struct summary_row *rows = summary_rows(summary, &n);
    struct suggestions *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    /* A look-up may need two lines, its resolver's and its name's. */
    s->lines = calloc(2 * n + 1, sizeof(*s->lines));
    s->without = calloc(n + 1, sizeof(*s->without));
    bool good = s->lines && s->without;
    for (size_t i = 0; good && i < n; i++)
        good = !rows[i].denied || add_row(s, &rows[i]);
    if (!good || !drop_unknown(s)) {
        suggestions_free(s);
        return NULL;
    }
    if (s->n_lines)
        qsort(s->lines, s->n_lines, sizeof(*s->lines), compare_lines);
    merge(s);
    return s;
}

void suggestions_free(struct suggestions *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_without; i++)
        free(s->without[i].why);
    free(s->without);
    free(s->lines);
    free(s);
}

size_t suggestions_count(const struct suggestions *s, size_t *without)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_lines; i++)
        n += !s->lines[i].also;
    *without = s->n_without;
    return n;
}
