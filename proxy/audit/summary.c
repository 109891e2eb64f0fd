/* SPDX-License-Identifier: MIT
 * Counts decisions by destination and program, in bounded memory whatever a run does. */
#include "audit/summary.h"

#include <stdlib.h>
#include <string.h>

#include "audit/summary_rows.h"

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

void summary_free(struct summary *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_rows; i++) {
        free(s->rows[i].destination);
        free(s->rows[i].program);
    }
    free(s->rows);
    free(s);
}

/* The end of a long text is kept: of a path the program's name, of a name the registered domain. */
static struct text last_of(struct text t)
{
    size_t cut = t.len > SUMMARY_TEXT_MAX ? t.len - SUMMARY_TEXT_MAX : 0;
    return (struct text){t.data ? t.data + cut : "", t.len - cut};
}

/* What identifies a row. Texts are borrowed from the record. */
struct key {
    enum row_kind kind;
    struct text destination, program;
    uint16_t port;
    bool udp;
};

static bool text_is(struct text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.data, word, t.len) == 0;
}

/* A request may name an address as its host; rules for that are address rules. */
static bool is_address(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((t.data[i] < '0' || t.data[i] > '9') && t.data[i] != '.')
            return false;
    return true;
}

static struct key key_of(const struct record *r, const struct process *p, char ip[16])
{
    struct key key = {.program = text_of(p && p->exe ? p->exe : "")};
    key.port = r->dst_port;
    key.udp = r->proto.data ? text_is(r->proto, "udp") : r->type == RECORD_UDP;
    snprintf(ip, 16, "%u.%u.%u.%u", r->dst_ip >> 24, r->dst_ip >> 16 & 255, r->dst_ip >> 8 & 255,
             r->dst_ip & 255);
    if (r->type == RECORD_DNS) {
        key.kind = ROW_DNS;
        key.destination = r->name.data ? r->name : r->host;
        key.port = 0;
        key.udp = false;
    } else if (r->type == RECORD_IPV6) {
        key.kind = ROW_IPV6;
        key.destination = r->dst_ip6;
    } else if (r->type == RECORD_SOCKET || r->type == RECORD_TYPE_SUDO) {
        key.kind = ROW_OTHER;
        key.destination = r->type == RECORD_SOCKET ? text_of("(socket)") : text_of("(sudo)");
    } else if (r->host.data && !is_address(r->host)) {
        key.kind = ROW_HOST;
        key.destination = r->host;
    } else {
        bool other = r->proto.data && !key.udp && !text_is(r->proto, "tcp");
        key.kind = r->type == RECORD_ICMP || other ? ROW_OTHER : ROW_IP;
        key.destination = r->has_dst ? text_of(ip) : text_of("");
    }
    key.destination = last_of(key.destination);
    key.program = last_of(key.program);
    return key;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash ^ len;
}

static uint64_t hash_of(const struct key *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ key->kind;
    hash = hash_bytes(hash, &key->port, sizeof(key->port));
    hash = hash_bytes(hash, &key->udp, sizeof(key->udp));
    hash = hash_bytes(hash, key->destination.data, key->destination.len);
    hash = hash_bytes(hash, key->program.data, key->program.len);
    return hash ^ hash >> 32;
}

static bool same_text(const char *s, size_t len, struct text t)
{
    return len == t.len && memcmp(s, t.data, len) == 0;
}

static bool same_key(const struct summary_row *row, const struct key *key)
{
    return row->kind == key->kind && row->port == key->port && row->udp == key->udp &&
           same_text(row->destination, row->destination_len, key->destination) &&
           same_text(row->program, row->program_len, key->program);
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

static char *copy_text(struct text t)
{
    char *s = malloc(t.len + 1);
    if (s) {
        memcpy(s, t.data, t.len);
        s[t.len] = '\0';
    }
    return s;
}

static struct summary_row *new_row(struct summary *s, const struct key *key)
{
    if (!grow(s))
        return NULL;
    struct summary_row row = {.kind = key->kind, .port = key->port, .udp = key->udp};
    row.destination = copy_text(key->destination);
    row.program = copy_text(key->program);
    row.destination_len = key->destination.len;
    row.program_len = key->program.len;
    if (!row.destination || !row.program) {
        free(row.destination);
        free(row.program);
        return NULL;
    }
    s->rows[s->n_rows] = row;
    return &s->rows[s->n_rows++];
}

/* The row of a key, made when it is new; "others" when there are too many or memory ran out;
 * NULL when not even that could be had. */
static struct summary_row *find_row(struct summary *s, const struct key *key)
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
    const struct key others = {
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

static void set_why(struct summary_row *row, const struct record *r)
{
    struct text reason = r->reason;
    size_t n = MIN(reason.data ? reason.len : 0, sizeof(row->reason) - 1);
    if (n)
        memcpy(row->reason, reason.data, n);
    row->reason[n] = '\0';
}

void summary_add(struct summary *s, const struct record *r, const struct process *p)
{
    if (!is_decision(r))
        return;
    uint64_t count = MAX(r->count, 1);
    bool denied = r->outcome == RECORD_DENIED || r->policy == RECORD_POLICY_DENY;
    bool expected = denied && r->expected;
    bool failed = !denied && r->outcome == RECORD_FAILED;
    char ip[16];
    struct key key = key_of(r, p, ip);
    struct summary_row spare = {0}, *row = find_row(s, &key);
    if (!row)
        row = &spare; /* the totals at least are right */
    uint64_t *counts[2] = {&row->allowed, &s->totals.allowed};
    if (expected)
        counts[0] = &row->expected, counts[1] = &s->totals.expected;
    else if (denied)
        counts[0] = &row->denied, counts[1] = &s->totals.denied;
    else if (failed)
        counts[0] = &row->failed, counts[1] = &s->totals.failed;
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        if (__builtin_add_overflow(*counts[i], count, counts[i]))
            *counts[i] = UINT64_MAX;
    if (denied && !expected) {
        if (r->outcome == RECORD_ALLOWED)
            row->let_through = true;
        set_why(row, r);
    }
}

struct summary_totals summary_totals(const struct summary *s)
{
    return s->totals;
}

/* What needs the eye first: denied, then failed, then by how often. */
static int compare(const void *a, const void *b)
{
    const struct summary_row *x = a, *y = b;
    uint64_t keys[][2] = {{x->denied, y->denied},
                          {x->expected, y->expected},
                          {x->failed, y->failed},
                          {x->allowed, y->allowed}};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] > keys[i][1] ? -1 : 1;
    int order = strcmp(x->destination, y->destination);
    return order ? order : strcmp(x->program, y->program);
}

size_t summary_sorted(const struct summary *s, struct summary_row **out)
{
    struct summary_row *rows = calloc(s->n_rows + 1, sizeof(*rows));
    size_t n = rows ? s->n_rows : 0;
    *out = rows;
    if (n) {
        memcpy(rows, s->rows, n * sizeof(*rows));
        qsort(rows, n, sizeof(*rows), compare);
    }
    return n;
}
