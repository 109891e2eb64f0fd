/* SPDX-License-Identifier: MIT
 * Owner look-up and a cache of process records. A record never changes, so what is cached is right
 * for as long as anybody asks for that key. */
#include "attribution/who.h"

#include <stdlib.h>
#include <string.h>

#include "attribution/owner.h"

#define SETS 1024
#define WAYS 4

struct who {
    struct requests *requests;
    struct ipc *keeper;
    int flows_fd;
    unsigned turn;
    struct process *cache[SETS][WAYS];
};

struct who_query {
    struct who *who;
    uint32_t request;
    struct process_key key;
    who_done *done;
    void *context;
};

struct who *who_new(struct requests *requests, struct ipc *keeper, int flows_fd)
{
    struct who *w = calloc(1, sizeof *w);
    if (w) {
        w->requests = requests;
        w->keeper = keeper;
        w->flows_fd = flows_fd;
    }
    return w;
}

void who_free(struct who *w)
{
    for (size_t i = 0; w && i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++)
            process_unref(w->cache[i][j]);
    free(w);
}

static struct process **set_of(struct who *w, const struct process_key *key)
{
    return w->cache[(key->pid * 2654435761u + key->exec_id) % SETS];
}

static bool same_key(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->exec_id == b->exec_id && a->start_ns == b->start_ns;
}

/* Takes the place of an older record; the keeper need not hold that one for us any more. */
static void remember(struct who *w, struct process *p)
{
    struct process **set = set_of(w, &p->key);
    size_t at = w->turn++ % WAYS;
    for (size_t i = 0; i < WAYS; i++)
        if (!set[i])
            at = i;
    if (set[at]) {
        ipc_send(w->keeper, IPC_PROCESS_PUT, 0, &set[at]->key, sizeof set[at]->key, -1);
        process_unref(set[at]);
    }
    set[at] = process_ref(p);
}

static void on_answer(void *context, const struct ipc_message *m)
{
    struct who_query *q = context;
    struct process *p = m->len ? process_unpack(m->data, m->len) : NULL;
    if (p && !same_key(&p->key, &q->key)) {
        process_unref(p);
        p = NULL;
    }
    if (p)
        remember(q->who, p);
    q->done(q->context, p);
    free(q);
}

struct who_query *who_ask(struct who *w, const struct flow_key *key, who_done *done, void *context,
                          struct process **now)
{
    struct flow_owner owner;
    *now = NULL;
    if (owner_lookup(w->flows_fd, key, &owner) < 0)
        return NULL;
    struct process **set = set_of(w, &owner.process);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i] && same_key(&set[i]->key, &owner.process)) {
            *now = process_ref(set[i]);
            return NULL;
        }
    struct who_query *q = malloc(sizeof *q);
    if (!q)
        return NULL;
    *q = (struct who_query){w, 0, owner.process, done, context};
    q->request = request_send(w->requests, IPC_PROCESS_GET, &q->key, sizeof q->key, on_answer, q);
    if (!q->request) {
        free(q);
        return NULL;
    }
    return q;
}

void who_cancel(struct who_query *query)
{
    if (query) {
        request_cancel(query->who->requests, query->request);
        free(query);
    }
}
