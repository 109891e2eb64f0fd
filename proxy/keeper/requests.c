/* SPDX-License-Identifier: MIT
 * Numbers for questions, and a small hash from number to asker. */
#include "keeper/requests.h"

#include <stdlib.h>

#define BUCKETS 1024

struct request {
    struct request *next;
    uint32_t id;
    request_done *done;
    void *context;
};

struct requests {
    struct ipc *ipc;
    uint32_t last_id;
    struct request *buckets[BUCKETS];
};

struct requests *requests_new(struct ipc *ipc)
{
    struct requests *r = calloc(1, sizeof *r);
    if (r)
        r->ipc = ipc;
    return r;
}

void requests_free(struct requests *r)
{
    for (size_t i = 0; r && i < BUCKETS; i++)
        while (r->buckets[i]) {
            struct request *next = r->buckets[i]->next;
            free(r->buckets[i]);
            r->buckets[i] = next;
        }
    free(r);
}

/* Takes the request out of its bucket; NULL when there is none of that number. */
static struct request *take(struct requests *r, uint32_t id)
{
    for (struct request **at = &r->buckets[id % BUCKETS]; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            struct request *found = *at;
            *at = found->next;
            return found;
        }
    return NULL;
}

uint32_t request_send(struct requests *r, enum ipc_type type, const void *data, size_t len,
                      request_done *done, void *context)
{
    struct request *q = malloc(sizeof *q);
    if (!q)
        return 0;
    uint32_t id = ++r->last_id ? r->last_id : ++r->last_id; /* 0 means none */
    if (ipc_send(r->ipc, type, id, data, len, -1) < 0) {
        free(q);
        return 0;
    }
    *q = (struct request){r->buckets[id % BUCKETS], id, done, context};
    r->buckets[id % BUCKETS] = q;
    return id;
}

void request_cancel(struct requests *r, uint32_t id)
{
    if (id)
        free(take(r, id));
}

void requests_answer(struct requests *r, const struct ipc_message *m)
{
    struct request *q = m->id ? take(r, m->id) : NULL;
    if (!q)
        return;
    request_done *done = q->done;
    void *context = q->context;
    free(q);
    done(context, m);
}
