/* SPDX-License-Identifier: MIT
 * Submission with completion, and the folding of identical denials. */
#include "audit/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "audit/fold.h"

struct submit {
    struct event_base *base;
    struct requests *requests;
    struct ipc *keeper;
    struct event *timer;
    struct folds *folds;
};

struct submit_ticket {
    struct submit *submit;
    uint32_t request;
    submit_done *done;
    void *context;
};

static void write_fold(void *context, const struct record *r)
{
    struct submit *s = context;
    CLEANUP_BUFFER struct buffer packed = {0};
    record_pack(r, &packed);
    if (!buffer_failed(&packed))
        ipc_send(s->keeper, IPC_RECORD, 0, packed.data, packed.len, -1);
}

void submit_flush(struct submit *s)
{
    folds_flush(s->folds, write_fold, s);
}

/* A second has passed: counts are written; a kind that goes on knocking begins a new fold. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    submit_flush(arg);
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
    s->folds = folds_new();
    if (!s->timer || !s->folds) {
        submit_free(s);
        return NULL;
    }
    return s;
}

void submit_free(struct submit *s)
{
    if (!s)
        return;
    if (s->timer)
        event_free(s->timer);
    folds_free(s->folds);
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

/* Whether the record is settled by being folded; a second begins with the first of a kind. */
static bool fold(struct submit *s, const struct record *r)
{
    static const struct timeval second = {1, 0};
    bool running = folds_pending(s->folds);
    bool folded = folds_take(s->folds, r);
    if (!running && folds_pending(s->folds))
        event_add(s->timer, &second);
    return folded;
}

struct submit_ticket *submit_record(struct submit *s, const struct record *r, submit_done *done,
                                    void *context, int *status)
{
    CLEANUP_BUFFER struct buffer packed = {0};
    *status = 0;
    if (fold(s, r))
        return NULL;
    record_pack(r, &packed);
    if (buffer_failed(&packed)) {
        *status = -ENOMEM;
        return NULL;
    }
    if (!done) {
        /* How a connection ended decides nothing any more. Whatever else nobody waits for may be
         * what a later record is to be understood by, and comes before it. */
        *status = r->event == RECORD_CLOSE
                      ? ipc_send_lazily(s->keeper, IPC_RECORD, packed.data, packed.len)
                      : ipc_send(s->keeper, IPC_RECORD, 0, packed.data, packed.len, -1);
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
