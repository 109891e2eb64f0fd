/* SPDX-License-Identifier: MIT
 * Records on their way into the log. What the roles submit within one turn of the loop is one
 * write; nobody hears of a record before that write has returned. */
#include "keeper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/say.h"

/* What waits before it is written without waiting for the turn's end. */
enum { GROUP_MAX = 64, GROUP_BYTES = 256 * 1024 };

struct submitted {
    struct role *role;
    uint32_t id; /* 0: nobody waits for it */
    struct buffer packed;
    struct record record; /* borrows from packed */
    struct process *process;
};

struct records {
    struct keeper *keeper;
    struct event *write;
    struct submitted taken; /* the one that is being read: not among them yet */
    size_t n;
    struct submitted group[GROUP_MAX];
};

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct records *r = arg;
    (void)fd;
    (void)what;
    keeper_write_records(r->keeper);
}

struct records *records_new(struct keeper *k)
{
    struct records *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->keeper = k;
    r->write = event_new(k->base, -1, 0, on_write, r);
    if (!r->write) {
        free(r);
        return NULL;
    }
    return r;
}

void records_free(struct records *r)
{
    for (size_t i = 0; r && i < GROUP_MAX; i++) {
        process_unref(r->group[i].process);
        buffer_release(&r->group[i].packed);
    }
    if (r) {
        buffer_release(&r->taken.packed);
        event_free(r->write);
    }
    free(r);
}

/* Says it when writing begins to fail, and when it works again. */
static void note_written(struct keeper *k, int failed)
{
    if (failed && !k->log_failing)
        say_error("cannot write the log '%s': %s; what cannot be recorded is denied",
                  log_path(k->log), strerror(-failed));
    else if (!failed && k->log_failing)
        say_note("the log '%s' can be written again", log_path(k->log));
    k->log_failing = failed != 0;
}

/* What could not be recorded did not pass. */
static void count(struct keeper *k, const struct record *r, const struct process *p, int failed)
{
    if (!failed || r->outcome != RECORD_ALLOWED)
        summary_add(k->summary, r, p);
}

static void settle(struct keeper *k, struct submitted *s, int32_t status)
{
    count(k, &s->record, s->process, status);
    if (s->id)
        keeper_send(s->role, IPC_RECORD_DONE, s->id, &status, sizeof status, -1);
    process_unref(STEAL(s->process));
}

void keeper_write_records(struct keeper *k)
{
    struct records *r = k->records;
    if (!r || !r->n)
        return;
    const int failed = log_commit(k->log);
    note_written(k, failed);
    for (size_t i = 0; i < r->n; i++)
        settle(k, &r->group[i], failed);
    r->n = 0;
}

/* What a role says is read from a copy, which lasts until it is settled. */
static int read_submitted(struct keeper *k, struct submitted *s, const struct ipc_message *m)
{
    buffer_clear(&s->packed);
    buffer_add(&s->packed, m->data, m->len);
    if (buffer_failed(&s->packed))
        return -ENOMEM;
    int failed = record_unpack(s->packed.data, s->packed.len, &s->record);
    /* The life of the run is the keeper's to tell. */
    if (!failed && s->record.event > RECORD_CLOSE)
        failed = -EBADMSG;
    if (failed)
        return failed;
    const struct process_id id = {s->record.process, s->record.state};
    s->process = id.key.pid ? keeper_find_process(k, &id) : NULL;
    s->record.ts_us = 0; /* the writer's clock counts */
    return 0;
}

/* Its memory changes places with that of one that was settled. */
static void join_group(struct records *r)
{
    struct submitted *place = &r->group[r->n++];
    const struct buffer spare = place->packed;
    *place = r->taken;
    r->taken = (struct submitted){.packed = spare};
}

void keeper_take_record(struct keeper *k, struct role *role, const struct ipc_message *m)
{
    struct records *r = k->records;
    struct submitted *s = &r->taken;
    s->role = role;
    s->id = m->id;
    int32_t failed = read_submitted(k, s, m);
    if (failed) { /* no record at all: nothing to count */
        if (m->id)
            keeper_send(role, IPC_RECORD_DONE, m->id, &failed, sizeof failed, -1);
        return;
    }
    failed = log_put(k->log, &s->record, s->process);
    if (failed) {
        note_written(k, failed);
        settle(k, s, failed);
        return;
    }
    join_group(r);
    if (r->n == GROUP_MAX || log_waiting(k->log) >= GROUP_BYTES)
        keeper_write_records(k);
    else if (r->n == 1)
        event_active(r->write, EV_WRITE, 0); /* when what is there now has been heard */
}

int keeper_record(struct keeper *k, struct record *r, struct process *p)
{
    keeper_write_records(k);
    int failed = log_append(k->log, r, p);
    note_written(k, failed);
    count(k, r, p, failed);
    return failed;
}
