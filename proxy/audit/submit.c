/* SPDX-License-Identifier: MIT
 * Submission with completion, and the folding of identical denials. */
#include "audit/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#define FOLDS 512 /* at most so many kinds of denials are folded at once; others go unfolded */

/* What makes two denials the same. */
struct kind {
    struct process_key process;
    enum record_event event;
    enum record_type type;
    uint32_t dst_ip;
    uint16_t dst_port;
    char reason[24];
    char host[256]; /* or the name of a query */
    char qtype[16];
};

struct fold {
    struct kind kind;
    struct buffer packed; /* the newest of them, as it will be written */
    uint64_t count;       /* beyond the one that was written at once */
    bool used;
};

struct submit {
    struct event_base *base;
    struct requests *requests;
    struct ipc *keeper;
    struct event *timer;
    struct fold folds[FOLDS];
    size_t n_used;
};

struct submit_ticket {
    struct submit *submit;
    uint32_t request;
    submit_done *done;
    void *context;
};

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
    out->event = r->event;
    out->type = r->type;
    out->dst_ip = r->dst_ip;
    out->dst_port = r->dst_port;
    copy_text(out->reason, sizeof out->reason, r->reason);
    copy_text(out->host, sizeof out->host, r->name.data ? r->name : r->host);
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

static void write_fold(struct submit *s, struct fold *f)
{
    struct record r;
    CLEANUP_BUFFER struct buffer packed = {0};
    if (f->count && record_unpack(f->packed.data, f->packed.len, &r) == 0) {
        r.count = f->count;
        record_pack(&r, &packed);
        if (!buffer_failed(&packed))
            ipc_send(s->keeper, IPC_RECORD, 0, packed.data, packed.len, -1);
    }
    buffer_release(&f->packed);
    f->used = false;
    s->n_used--;
}

void submit_flush(struct submit *s)
{
    for (size_t i = 0; i < FOLDS && s->n_used; i++)
        if (s->folds[i].used)
            write_fold(s, &s->folds[i]);
}

/* A second has passed: counts are written; a kind that goes on knocking begins a new fold. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    submit_flush(arg);
}

/* Folds a denial into one that was written within this second. Returns false where it is the first
 * of its kind, which the caller writes. */
static bool fold(struct submit *s, const struct record *r, const struct buffer *packed)
{
    static const struct timeval second = {1, 0};
    struct kind kind;
    kind_of(r, &kind);
    struct fold *f = &s->folds[hash(&kind)];
    if (f->used && memcmp(&f->kind, &kind, sizeof kind) == 0) {
        buffer_clear(&f->packed);
        buffer_add(&f->packed, packed->data, packed->len);
        f->count += r->count ? r->count : 1;
        return !buffer_failed(&f->packed);
    }
    if (!f->used) {
        if (s->n_used++ == 0)
            event_add(s->timer, &second);
        f->used = true;
        f->kind = kind;
        f->count = 0;
    }
    return false;
}

struct submit *submit_new(struct event_base *base, struct requests *requests, struct ipc *keeper)
{
    struct submit *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base = base;
    s->requests = requests;
    s->keeper = keeper;
    s->timer = event_new(base, -1, 0, on_second, s);
    if (!s->timer) {
        free(s);
        return NULL;
    }
    return s;
}

void submit_free(struct submit *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < FOLDS; i++)
        buffer_release(&s->folds[i].packed);
    event_free(s->timer);
    free(s);
}

static void on_answer(void *context, const struct ipc_message *m)
{
    struct submit_ticket *t = context;
    int32_t status = -EBADMSG;
    if (m->len == sizeof status)
        memcpy(&status, m->data, sizeof status);
    t->done(t->context, status);
    free(t);
}

static bool is_denial(const struct record *r)
{
    return r->policy == RECORD_POLICY_DENY && r->outcome == RECORD_DENIED;
}

struct submit_ticket *submit_record(struct submit *s, const struct record *r, submit_done *done,
                                    void *context, int *status)
{
    CLEANUP_BUFFER struct buffer packed = {0};
    record_pack(r, &packed);
    *status = buffer_failed(&packed) ? -ENOMEM : 0;
    if (*status || (is_denial(r) && fold(s, r, &packed)))
        return NULL;
    if (!done) {
        *status = ipc_send(s->keeper, IPC_RECORD, 0, packed.data, packed.len, -1);
        return NULL;
    }
    struct submit_ticket *t = malloc(sizeof *t);
    uint32_t id =
        t ? request_send(s->requests, IPC_RECORD, packed.data, packed.len, on_answer, t) : 0;
    if (!id) {
        free(t);
        *status = -ENOBUFS;
        return NULL;
    }
    *t = (struct submit_ticket){s, id, done, context};
    return t;
}

void submit_cancel(struct submit_ticket *t)
{
    if (t) {
        request_cancel(t->submit->requests, t->request);
        free(t);
    }
}
