/* SPDX-License-Identifier: MIT
 * Counts decisions by program and destination, in bounded memory whatever a run does. */
#include "audit/summary.h"

#include <stdlib.h>
#include <string.h>

#include "audit/summary_rows.h"
#include "rules/policy.h"

#define SLOTS 32768 /* a power of two, over three times the rows */

struct summary {
    struct summary_totals totals;
    struct summary_row *rows; /* the last one may be "others" */
    size_t n_rows, room;
    size_t others;         /* 1 + its index; 0: none yet */
    uint16_t slots[SLOTS]; /* 1 + index into rows; 0: empty */
};

struct summary *summary_new(void)
{
    return calloc(1, sizeof(struct summary));
}

static void row_release(struct summary_row *row)
{
    struct row_text *texts[] = {&row->destination, &row->program,   &row->container,
                                &row->called,      &row->rule_file, &row->rule};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]->data);
    *row = (struct summary_row){0};
}

void summary_free(struct summary *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_rows; i++)
        row_release(&s->rows[i]);
    free(s->rows);
    free(s);
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash ^ len;
}

static uint64_t hash_of(const struct summary_key *key)
{
    const struct text texts[] = {key->destination, key->program, key->container, key->method};
    const uint32_t numbers[] = {key->kind, key->ip, key->port, key->udp, key->program_counts};
    uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), numbers, sizeof(numbers));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        hash = hash_bytes(hash, texts[i].data, texts[i].len);
    return hash ^ hash >> 32;
}

static bool same_text(const struct row_text *s, struct text t)
{
    return s->len == t.len && (t.len == 0 || memcmp(s->data, t.data, t.len) == 0);
}

/* Of a name that has many addresses the last one is told; they do not make rows. */
static bool same_key(const struct summary_row *row, const struct summary_key *key)
{
    return row->kind == key->kind && row->ip == key->ip && row->port == key->port &&
           row->udp == key->udp && row->program_counts == key->program_counts &&
           same_text(&row->destination, key->destination) &&
           same_text(&row->program, key->program) && same_text(&row->container, key->container) &&
           strlen(row->method) == key->method.len &&
           memcmp(row->method, key->method.data ? key->method.data : "", key->method.len) == 0;
}

static bool grow(struct summary *s)
{
    if (s->n_rows < s->room)
        return true;
    size_t room = s->room ? s->room * 2 : 16;
    struct summary_row *rows = reallocarray(s->rows, room, sizeof(*rows));
    if (!rows)
        return false;
    s->rows = rows;
    s->room = room;
    return true;
}

/* Takes a copy in place of what was there; false without memory, when nothing is there. */
static bool keep(struct row_text *out, struct text t, bool cut)
{
    free(out->data);
    *out = (struct row_text){.len = t.len, .cut = cut};
    if (!t.data)
        return true;
    out->data = malloc(t.len + 1);
    if (!out->data) {
        out->len = 0;
        return false;
    }
    memcpy(out->data, t.data, t.len);
    out->data[t.len] = '\0';
    return true;
}

static void keep_word(char *out, size_t size, struct text t)
{
    size_t n = MIN(t.data ? t.len : 0, size - 1);
    if (n)
        memcpy(out, t.data, n);
    out[n] = '\0';
}

static struct summary_row *new_row(struct summary *s, const struct summary_key *key)
{
    if (!grow(s))
        return NULL;
    struct summary_row row = {.kind = key->kind,
                              .program_counts = key->program_counts,
                              .ip = key->ip,
                              .port = key->port,
                              .udp = key->udp};
    keep_word(row.method, sizeof(row.method), key->method);
    if (!keep(&row.destination, key->destination, key->destination_cut) ||
        !keep(&row.program, key->program, key->program_cut) ||
        !keep(&row.container, key->container, false) || !keep(&row.called, key->called, false)) {
        row_release(&row);
        return NULL;
    }
    s->rows[s->n_rows] = row;
    return &s->rows[s->n_rows++];
}

/* The row of a key, made when it is new; "others" when there are too many or memory ran out;
 * NULL when not even that could be had. */
static struct summary_row *find_row(struct summary *s, const struct summary_key *key)
{
    size_t slot = hash_of(key) & (SLOTS - 1);
    for (; s->slots[slot]; slot = (slot + 1) & (SLOTS - 1))
        if (same_key(&s->rows[s->slots[slot] - 1], key))
            return &s->rows[s->slots[slot] - 1];
    struct summary_row *row = NULL;
    if (s->n_rows < SUMMARY_ROWS_MAX)
        row = new_row(s, key);
    if (row) {
        s->slots[slot] = (uint16_t)s->n_rows;
        return row;
    }
    if (s->others)
        return &s->rows[s->others - 1];
    const struct summary_key others = {
        .kind = ROW_OTHERS, .destination = text_of("others"), .program = text_of("")};
    row = new_row(s, &others);
    s->others = row ? s->n_rows : 0;
    return row;
}

static bool is_decision(const struct record *r)
{
    switch (r->event) {
    case RECORD_CONNECT:
    case RECORD_REQUEST:
    case RECORD_DATAGRAM:
    case RECORD_SUDO:
        return r->policy != RECORD_POLICY_NONE || r->outcome != RECORD_OUTCOME_NONE;
    case RECORD_QUERY: /* that a name could be looked up is told by what was reached under it */
        return r->outcome == RECORD_DENIED || r->policy == RECORD_POLICY_DENY;
    case RECORD_ANSWER: /* the decision was counted with the query or connect before it */
    case RECORD_CLOSE:
        return r->outcome == RECORD_DENIED || r->outcome == RECORD_FAILED;
    default:
        return false;
    }
}

static bool text_is(struct text t, const char *word)
{
    return t.data && t.len == strlen(word) && memcmp(t.data, word, t.len) == 0;
}

static void keep_decision(struct summary_row *row, const struct record *r)
{
    const struct text texts[] = {r->file, r->rule};
    struct row_text *kept[] = {&row->rule_file, &row->rule};
    row->line = r->line;
    keep_word(row->reason, sizeof(row->reason), r->reason);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct text t = {texts[i].data, MIN(texts[i].len, (size_t)SUMMARY_RULE_MAX)};
        if (!same_text(kept[i], t))
            (void)!keep(kept[i], t, texts[i].len > t.len);
    }
}

/* Who was denied what, when, and what else a line of a policy would have to know. */
static void keep_denial(struct summary_row *row, const struct record *r,
                        const struct summary_who *who)
{
    static const char *const addresses[] = {"A", "AAAA", "HTTPS", "SVCB"};
    uint32_t to = r->dialed_ip ? r->dialed_ip : r->dst_ip;
    bool seen = !who->process, placed = r->has_dst || r->dialed_ip;
    row->let_through |= r->outcome == RECORD_ALLOWED;
    if (row->kind == ROW_HOST || row->kind == ROW_URL) {
        row->private |= text_is(r->reason, "private-address") || (placed && address_is_private(to));
        row->metadata |=
            text_is(r->reason, "metadata-address") || (placed && address_is_metadata(to));
    }
    row->unknown_bytes |= text_is(r->first_bytes, "unknown");
    for (size_t i = 0; i < ARRAY_SIZE(addresses) && r->outcome != RECORD_ALLOWED; i++)
        row->address_asked |= text_is(r->qtype, addresses[i]);
    row->resolver_only = text_is(r->reason, "resolver") && (!row->denied || row->resolver_only);
    for (size_t i = 0; i < row->n_seen; i++)
        seen |= row->seen[i] == who->process;
    if (!seen && row->n_seen < SUMMARY_SEEN_MAX)
        row->seen[row->n_seen++] = who->process;
    row->runs += !row->runs || row->run != who->run;
    row->run = who->run;
    if (r->ts_us && (!row->first_us || r->ts_us < row->first_us))
        row->first_us = r->ts_us;
    row->last_us = MAX(row->last_us, r->ts_us);
}

static void count_up(uint64_t *total, uint64_t count)
{
    if (__builtin_add_overflow(*total, count, total))
        *total = UINT64_MAX;
}

void summary_count(struct summary *s, const struct record *r, const struct summary_who *who)
{
    if (!is_decision(r))
        return;
    uint64_t count = MAX(r->count, 1);
    bool denied = r->outcome == RECORD_DENIED || r->policy == RECORD_POLICY_DENY;
    bool expected = denied && r->expected;
    bool failed = !denied && r->outcome == RECORD_FAILED;
    struct summary_key key;
    summary_key(r, who, &key);
    struct summary_row spare = {0}, *row = find_row(s, &key);
    if (!row)
        row = &spare; /* the totals at least are right */
    if ((denied && !expected) || (!row->denied && r->event != RECORD_CLOSE))
        keep_decision(row, r);
    if (denied && !expected)
        keep_denial(row, r, who);
    count_up(expected ? &row->expected
             : denied ? &row->denied
             : failed ? &row->failed
                      : &row->allowed,
             count);
    count_up(expected ? &s->totals.expected
             : denied ? &s->totals.denied
             : failed ? &s->totals.failed
                      : &s->totals.allowed,
             count);
    if (row == &spare)
        row_release(&spare);
}

void summary_add(struct summary *s, const struct record *r, const struct process *p)
{
    struct summary_who who = {0};
    if (p) {
        const uint64_t id[] = {p->key.pid, p->key.start_ns};
        who.exe = text_of(p->exe);
        who.exe_counts = p->exe && (p->known & FACT_EXE) && !(p->flags & PROCESS_FOREIGN);
        who.process = id[0] ? hash_bytes(UINT64_C(0xcbf29ce484222325), id, sizeof(id)) : 0;
    }
    summary_count(s, r, &who);
}

struct summary_totals summary_totals(const struct summary *s)
{
    return s->totals;
}

const struct summary_row *summary_rows(const struct summary *s, size_t *n)
{
    *n = s->n_rows;
    return s->rows;
}

/* What needs the eye first: denied, then failed, then by how often. */
static int compare_counts(const struct summary_row *x, const struct summary_row *y)
{
    const uint64_t keys[][2] = {{x->denied, y->denied},
                                {x->expected, y->expected},
                                {x->failed, y->failed},
                                {x->allowed, y->allowed}};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] > keys[i][1] ? -1 : 1;
    return 0;
}

/* "others" is not of a program. */
static int compare_programs(const struct summary_row *x, const struct summary_row *y)
{
    int others = (x->kind == ROW_OTHERS) - (y->kind == ROW_OTHERS);
    return others ? others : strcmp(x->program.data, y->program.data);
}

static int by_program(const void *a, const void *b)
{
    return compare_programs(a, b);
}

/* A row and what all of its program's come to. */
struct sorted {
    struct summary_row row, all;
};

static int by_need(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int order = compare_counts(&x->all, &y->all);
    order = order ? order : compare_programs(&x->row, &y->row);
    order = order ? order : compare_counts(&x->row, &y->row);
    return order ? order : strcmp(x->row.destination.data, y->row.destination.data);
}

static void add_counts(struct summary_row *all, const struct summary_row *row)
{
    count_up(&all->denied, row->denied);
    count_up(&all->expected, row->expected);
    count_up(&all->failed, row->failed);
    count_up(&all->allowed, row->allowed);
}

size_t summary_sorted(const struct summary *s, struct summary_row **out)
{
    struct summary_row *rows = calloc(s->n_rows + 1, sizeof(*rows));
    struct sorted *sorted = calloc(s->n_rows + 1, sizeof(*sorted));
    size_t n = rows && sorted ? s->n_rows : 0;
    if (n) {
        memcpy(rows, s->rows, n * sizeof(*rows));
        qsort(rows, n, sizeof(*rows), by_program);
    }
    for (size_t i = 0, end; i < n; i = end) {
        struct summary_row all = {0};
        for (end = i; end < n && compare_programs(&rows[i], &rows[end]) == 0; end++)
            add_counts(&all, &rows[end]);
        for (size_t k = i; k < end; k++)
            sorted[k] = (struct sorted){rows[k], all};
    }
    if (n)
        qsort(sorted, n, sizeof(*sorted), by_need);
    for (size_t i = 0; i < n; i++)
        rows[i] = sorted[i].row;
    free(sorted);
    *out = rows;
    return n;
}
