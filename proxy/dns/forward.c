/* SPDX-License-Identifier: MIT
 * Who waits for which question: the same question is asked once for all who wait meanwhile, and not
 * at all while an answer to it is kept. */
#include "dns/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns/forward_state.h"

static uint64_t now_seconds(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec;
}

static void inquiry_free(struct inquiry *q)
{
    while (!LIST_EMPTY(&q->askers)) {
        struct forward_query *asker = LIST_FIRST(&q->askers);
        LIST_REMOVE(asker, link);
        free(asker);
    }
    inquiry_drop_try(q);
    buffer_release(&q->in);
    LIST_REMOVE(q, link);
    q->forwarder->n_inquiries--;
    if (q->gone)
        *q->gone = true;
    free(q);
}

/* What is asked again while this counts is answered with it, where asking was paid for. Kept as we
 * write it: in a message as it came, names may lie in bytes that are TTLs, and grow old with them.
 */
static void keep(const struct inquiry *q, const void *message, size_t len,
                 const struct dns_answer *a)
{
    uint8_t written[KEPT_MESSAGE_MAX];
    enum { TC = 0x02 }; /* of the third byte of a header */
    bool counts = a->rcode == DNS_NOERROR || a->rcode == DNS_NXDOMAIN;
    if (!counts || a->truncated || !q->tries || !q->question.is_host)
        return;
    size_t n = dns_write_answer(&q->question, q->out + FORWARD_PREFIX, message, len,
                                sizeof(written), written, sizeof(written));
    if (n && !(written[2] & TC))
        kept_put(q->forwarder->kept, &q->key, written, n, a->ttl, a->n_records == 0, now_seconds());
}

void inquiry_finish(struct inquiry *q, int status, const void *message, size_t len,
                    const struct dns_answer *a)
{
    /* The message may lie in its buffer, which goes with it; those who are told may start others,
     * cancel others who wait for this, and end the forwarder. */
    struct buffer in = q->in;
    bool gone = false;
    buffer_init(&q->in);
    inquiry_drop_try(q);
    if (a)
        keep(q, message, len, a);
    q->finishing = true;
    q->gone = &gone;
    while (!gone && !LIST_EMPTY(&q->askers)) {
        struct forward_query *asker = LIST_FIRST(&q->askers);
        forward_done *done = asker->done;
        void *context = asker->context;
        LIST_REMOVE(asker, link);
        free(asker);
        done(context, status, message, len, a);
    }
    if (!gone)
        inquiry_free(q);
    buffer_release(&in);
}

struct forwarder *forwarder_new(struct event_base *base, const struct resolver *resolvers, size_t n)
{
    struct forwarder *f = calloc(1, sizeof(*f));
    struct kept *kept = kept_new();
    struct ports *ports = ports_new(base);
    if (!f || !kept || !ports) {
        free(f);
        kept_free(kept);
        ports_free(ports);
        return NULL;
    }
    f->base = base;
    f->kept = kept;
    f->ports = ports;
    f->n_resolvers = MIN(n, RESOLVERS_MAX);
    for (size_t i = 0; i < f->n_resolvers; i++)
        f->resolvers[i] = resolvers[i];
    return f;
}

void forwarder_free(struct forwarder *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < FORWARD_BUCKETS; i++)
        while (!LIST_EMPTY(&f->inquiries[i]))
            inquiry_free(LIST_FIRST(&f->inquiries[i]));
    kept_free(f->kept);
    ports_free(f->ports);
    free(f);
}

struct kept *forwarder_kept(struct forwarder *f)
{
    return f->kept;
}

struct kept_key forward_key(const struct dns_question *q, const struct resolver_address *only)
{
    struct kept_key key = {.name = q->host, .type = q->type, .rd = q->rd};
    if (only) {
        key.ip = only->ip;
        key.port = only->port;
    }
    return key;
}

/* FNV-1a over the question as it is sent, in lower case. */
static size_t bucket_of(const struct inquiry *q)
{
    uint32_t h = 0x811c9dc5u;
    for (size_t i = FORWARD_PREFIX + 2; i < FORWARD_PREFIX + q->out_len; i++)
        h = (h ^ q->out[i]) * 0x01000193u;
    return (h ^ h >> 16) % FORWARD_BUCKETS;
}

/* Whether they send the same to the same; ids, which come first, are of each try. */
static bool is_same(const struct inquiry *a, const struct inquiry *b)
{
    size_t skip = FORWARD_PREFIX + 2;
    return a->out_len == b->out_len && a->tcp_when_cut == b->tcp_when_cut &&
           a->tcp_alone == b->tcp_alone && a->n_resolvers == b->n_resolvers &&
           memcmp(a->resolvers, b->resolvers, a->n_resolvers * sizeof(*a->resolvers)) == 0 &&
           memcmp(a->out + skip, b->out + skip, FORWARD_PREFIX + a->out_len - skip) == 0;
}

/* One that is on its way and asks the same; NULL: none. */
static struct inquiry *find_same(struct forwarder *f, size_t bucket, const struct inquiry *new)
{
    for (struct inquiry *q = LIST_FIRST(&f->inquiries[bucket]); q; q = LIST_NEXT(q, link))
        if (!q->finishing && is_same(q, new))
            return q;
    return NULL;
}

/* Puts a kept answer, grown older, where inquiry_give finds it. Returns false where there is none.
 */
static bool take_kept(struct inquiry *q)
{
    struct kept_answer kept;
    if (!q->question.is_host ||
        kept_find(q->forwarder->kept, &q->key, now_seconds(), &kept) != KEPT_FRESH)
        return false;
    buffer_add(&q->in, kept.message, kept.len);
    if (buffer_failed(&q->in) || dns_age(q->in.data, q->in.len, kept.age)) {
        buffer_release(&q->in);
        return false;
    }
    return true;
}

static int add_asker(struct inquiry *q, forward_done *done, void *context,
                     struct forward_query **out)
{
    struct forward_query *asker = malloc(sizeof(*asker));
    if (!asker)
        return -ENOMEM;
    *asker = (struct forward_query){.inquiry = q, .done = done, .context = context};
    LIST_INSERT_HEAD(&q->askers, asker, link);
    *out = asker;
    return 0;
}

/* Sets a new inquiry, whose message is in `out`, on its way; or joins one that is. */
static int start(struct inquiry *new, forward_done *done, void *context, struct forward_query **out)
{
    struct forwarder *f = new->forwarder;
    size_t bucket = bucket_of(new);
    struct inquiry *q = find_same(f, bucket, new);
    if (q) {
        free(new);
        return add_asker(q, done, context, out);
    }
    bool kept = take_kept(new);
    int r = new->only_kept && !kept ? -EKEYEXPIRED : f->n_inquiries >= FORWARD_MAX ? -EAGAIN : 0;
    if (r) {
        buffer_release(&new->in);
        free(new);
        return r;
    }
    f->n_inquiries++;
    LIST_INSERT_HEAD(&f->inquiries[bucket], new, link);
    r = add_asker(new, done, context, out);
    if (!r)
        r = kept ? inquiry_give(new) : inquiry_begin(new);
    if (r)
        inquiry_free(new);
    return r;
}

/* A question that was not sent yet; the message in `out` is len bytes. NULL with errno. */
static struct inquiry *inquiry_new(struct forwarder *f, const struct resolver_address *only)
{
    struct inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->forwarder = f;
    q->fd = -1;
    LIST_INIT(&q->askers);
    if (only) {
        q->resolvers[0] = *only;
        q->n_resolvers = 1;
    }
    return q;
}

static struct forward_query *inquire(struct inquiry *q, size_t len,
                                     const struct resolver_address *only, forward_done *done,
                                     void *context)
{
    struct forward_query *asker = NULL;
    const char *host = q->question.is_host ? q->question.host : NULL;
    q->out_len = len;
    q->out[0] = (uint8_t)(len >> 8);
    q->out[1] = (uint8_t)len;
    q->key = forward_key(&q->question, only);
    if (!only)
        q->n_resolvers =
            resolver_choose(q->forwarder->resolvers, q->forwarder->n_resolvers, host, q->resolvers);
    int r = q->n_resolvers ? 0 : -EDESTADDRREQ;
    if (!len)
        r = -EINVAL;
    if (r)
        free(q);
    else
        r = start(q, done, context, &asker);
    if (r)
        errno = -r;
    return r ? NULL : asker;
}

struct forward_query *forward_query(struct forwarder *f, const struct dns_question *q,
                                    const void *query, const struct resolver_address *only, int how,
                                    forward_done *done, void *context)
{
    struct inquiry *new = inquiry_new(f, only);
    if (!new)
        return NULL;
    new->question = *q;
    new->tcp_when_cut = (how & FORWARD_TCP) != 0;
    new->tcp_alone = (how & FORWARD_TCP_ALONE) != 0;
    new->only_kept = (how & FORWARD_KEPT) != 0;
    size_t len = dns_write_query(q, query, 0, new->out + FORWARD_PREFIX,
                                 FORWARD_QUERY_ROOM - FORWARD_PREFIX);
    return inquire(new, len, only, done, context);
}

struct forward_query *forward_resolve(struct forwarder *f, const char *host, int how,
                                      forward_done *done, void *context)
{
    struct inquiry *new = inquiry_new(f, NULL);
    if (!new)
        return NULL;
    new->tcp_when_cut = true;
    new->only_kept = (how & FORWARD_KEPT) != 0;
    size_t len = dns_write_query_name(host, 0, new->out + FORWARD_PREFIX,
                                      FORWARD_QUERY_ROOM - FORWARD_PREFIX);
    if (len && dns_read_query(new->out + FORWARD_PREFIX, len, &new->question, NULL))
        len = 0;
    return inquire(new, len, NULL, done, context);
}

void forward_cancel(struct forward_query *query)
{
    if (!query)
        return;
    struct inquiry *q = query->inquiry;
    LIST_REMOVE(query, link);
    free(query);
    if (LIST_EMPTY(&q->askers) && !q->finishing)
        inquiry_free(q);
}
