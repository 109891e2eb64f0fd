/* SPDX-License-Identifier: MIT
 * Owner look-up and a cache of process records. A record never changes, so what is cached is right
 * for as long as anybody asks for that process in that state. */
#include "attribution/who.h"

#include <stdlib.h>
#include <string.h>

#include "attribution/owner.h"

#define BUCKETS 1024
/* Records that nobody uses are kept up to about this many. */
#define KEPT 4096

struct cached {
    struct cached *next;
    struct process *process;
};

struct who {
    struct requests *requests;
    struct ipc *keeper;
    int flows_fd;
    struct once *connections; /* that have been asked for */
    bool digests;
    size_t n;
    struct cached *buckets[BUCKETS];
};

struct who_query {
    struct who *who;
    uint32_t request;
    struct process_id id;
    who_done *done;
    void *context;
};

struct who *who_new(struct requests *requests, struct ipc *keeper, int flows_fd,
                    struct once *connections, bool digests)
{
    struct who *w = calloc(1, sizeof *w);
    if (w) {
        w->requests = requests;
        w->keeper = keeper;
        w->flows_fd = flows_fd;
        w->connections = connections;
        w->digests = digests;
    }
    return w;
}

void who_free(struct who *w)
{
    for (size_t i = 0; w && i < BUCKETS; i++)
        for (struct cached *c = w->buckets[i], *next; c; c = next) {
            next = c->next;
            process_unref(c->process);
            free(c);
        }
    free(w);
}

static struct cached **bucket_of(struct who *w, const struct process_key *key)
{
    return &w->buckets[(key->pid * 2654435761u + key->exec_id) % BUCKETS];
}

static struct process *find(struct who *w, const struct process_id *id)
{
    for (struct cached *c = *bucket_of(w, &id->key); c; c = c->next)
        if (process_is(c->process, id))
            return c->process;
    return NULL;
}

/* Forgets records of that bucket that only the cache holds; the keeper need not hold them for us
 * any more. Those that sessions hold stay: their closing records name them. */
static void forget_unused(struct who *w, struct cached **at)
{
    while (*at) {
        struct cached *c = *at;
        if (c->process->count > 1) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        const struct process_id id = {c->process->key, process_state(c->process)};
        ipc_send(w->keeper, IPC_PROCESS_PUT, 0, &id, sizeof id, -1);
        process_unref(c->process);
        free(c);
        w->n--;
    }
}

static void remember(struct who *w, struct process *p)
{
    struct cached **bucket = bucket_of(w, &p->key);
    if (w->n >= KEPT)
        forget_unused(w, bucket);
    struct cached *c = malloc(sizeof *c);
    if (!c)
        return;
    *c = (struct cached){*bucket, process_ref(p)};
    *bucket = c;
    w->n++;
}

static void on_answer(void *context, const struct ipc_message *m)
{
    struct who_query *q = context;
    struct process *p = m->len ? process_unpack(m->data, m->len) : NULL;
    if (p && !process_is(p, &q->id)) {
        process_unref(p);
        p = NULL;
    }
    struct process *known = p ? find(q->who, &q->id) : NULL;
    if (known) { /* asked for twice at once: all hold the one that the cache counts */
        process_unref(p);
        p = process_ref(known);
    } else if (p) {
        remember(q->who, p);
    }
    q->done(q->context, p);
    free(q);
}

/* An entry of a TCP connection answers once: whoever comes from the same port without an entry of
 * his own (a socket that no hook sees) is not its owner. */
static bool owner_of(struct who *w, const struct flow_key *key, struct flow_owner *owner)
{
    return owner_lookup(w->flows_fd, key, owner) == 0 &&
           (!owner->connection || once_take(w->connections, owner->connection));
}

bool who_ask(struct who *w, const struct flow_key *key, who_done *done, void *context,
             struct process **now)
{
    struct flow_owner owner;
    *now = NULL;
    if (!owner_of(w, key, &owner))
        return false;
    /* As it is now: the record that is asked for need not be that of another of its flows. */
    const struct process_id id = {owner.process, process_state_of(&owner)};
    struct process *known = find(w, &id);
    if (known) {
        *now = process_ref(known);
        return false;
    }
    struct who_query *q = malloc(sizeof *q);
    if (!q)
        return false;
    *q = (struct who_query){w, 0, id, done, context};
    const struct process_question ask = {.id = id, .digest = w->digests};
    q->request = request_send(w->requests, IPC_PROCESS_GET, &ask, sizeof ask, on_answer, q);
    if (!q->request) {
        free(q);
        return false;
    }
    return true;
}

bool who_still(const struct who *w, const struct flow_key *key, const struct process *p)
{
    struct flow_owner owner;
    if (!p)
        return true;
    if (owner_lookup(w->flows_fd, key, &owner))
        return false;
    const struct process_id id = {owner.process, process_state_of(&owner)};
    return process_is(p, &id);
}
