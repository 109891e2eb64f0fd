/* SPDX-License-Identifier: MIT
 * A small table of the kinds of denials of this second. */
#include "audit/fold.h"

#include <stdlib.h>
#include <string.h>

#define FOLDS 512 /* at most so many kinds are folded at once; others go unfolded */

/* What makes two denials the same. */
struct kind {
    struct process_key process;
    struct process_state state;
    enum record_event event;
    enum record_type type;
    enum record_outcome outcome;
    uint32_t dst_ip;
    uint16_t dst_port;
    char proto[8]; /* SCTP and GRE are both of type socket */
    char reason[24];
    char error[24];
    char host[256]; /* or the name of a query, or an IPv6 address */
    char qtype[16];
};

struct fold {
    struct kind kind;
    struct buffer packed; /* the newest of them, as it will be written */
    uint64_t count;       /* beyond the one that was written at once */
    bool used;
};

struct folds {
    size_t n_used;
    struct fold table[FOLDS];
};

struct folds *folds_new(void)
{
    return calloc(1, sizeof(struct folds));
}

void folds_free(struct folds *f)
{
    for (size_t i = 0; f && i < FOLDS; i++)
        buffer_release(&f->table[i].packed);
    free(f);
}

bool folds_pending(const struct folds *f)
{
    return f->n_used > 0;
}

static void copy_text(char *out, size_t size, struct text t)
{
    size_t n = t.data ? MIN(t.len, size - 1) : 0;
    if (n)
        memcpy(out, t.data, n);
    out[n] = '\0';
}

static void kind_of(const struct record *r, struct kind *out)
{
    memset(out, 0, sizeof *out); /* padding too: kinds are compared as bytes */
    out->process = r->process;
    out->state = r->state;
    out->event = r->event;
    out->type = r->type;
    out->outcome = r->outcome;
    out->dst_ip = r->dst_ip;
    out->dst_port = r->dst_port;
    copy_text(out->proto, sizeof out->proto, r->proto);
    copy_text(out->reason, sizeof out->reason, r->reason);
    copy_text(out->error, sizeof out->error, r->error);
    copy_text(out->host, sizeof out->host,
              r->name.data      ? r->name
              : r->dst_ip6.data ? r->dst_ip6
                                : r->host);
    copy_text(out->qtype, sizeof out->qtype, r->qtype);
}

static size_t hash(const struct kind *k)
{
    const unsigned char *p = (const unsigned char *)k;
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *k; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return (size_t)(h % FOLDS);
}

static bool is_denial(const struct record *r)
{
    /* Also of what the policy would allow (`unsupported`), and what broke off before its denial. */
    return r->outcome == RECORD_DENIED ||
           (r->outcome == RECORD_FAILED && r->policy == RECORD_POLICY_DENY);
}

/* Keeps the newest record of the kind, and counts. */
static bool count_one(struct fold *fold, const struct record *r)
{
    buffer_clear(&fold->packed);
    record_pack(r, &fold->packed);
    if (buffer_failed(&fold->packed))
        return false;
    fold->count += r->count ? r->count : 1;
    return true;
}

bool folds_take(struct folds *f, const struct record *r)
{
    struct kind kind;
    if (!is_denial(r))
        return false;
    kind_of(r, &kind);
    struct fold *fold = &f->table[hash(&kind)];
    if (fold->used)
        return memcmp(&fold->kind, &kind, sizeof kind) == 0 && count_one(fold, r);
    fold->used = true;
    fold->kind = kind;
    fold->count = 0;
    f->n_used++;
    return false;
}

void folds_flush(struct folds *f, void (*write)(void *context, const struct record *r),
                 void *context)
{
    for (size_t i = 0; i < FOLDS && f->n_used; i++) {
        struct fold *fold = &f->table[i];
        struct record r;
        if (!fold->used)
            continue;
        fold->used = false;
        f->n_used--;
        if (fold->count && record_unpack(fold->packed.data, fold->packed.len, &r) == 0) {
            r.count = fold->count;
            write(context, &r);
        }
        buffer_release(&fold->packed);
    }
}
