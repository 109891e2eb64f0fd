/* SPDX-License-Identifier: MIT
 * All flows together: which one a packet is for, how many there may be, when they end. */
#include "udp/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/fd.h"
#include "setup/gate.h"
#include "udp/flow.h"

enum {
    /* The keeper holds a descriptor for each answer that was not read yet. */
    ASKING_MAX = 64,
    SWEEP_MS = 1000,
    DRAIN_MS = 100, /* what was accepted last arrives within this */
    DRAIN_LATE_MS = 2000,
};

static struct gate_flow gate_flow_of(const struct flow_key *flow)
{
    return (struct gate_flow){ntohl(flow->dst_ip), flow->dst_port, flow->src_port};
}

bool udp_can_flow(const struct flow_key *flow)
{
    const struct gate_flow g = gate_flow_of(flow);
    return ntohl(flow->src_ip) == GATE_CLIENT_IP && gate_can_flow(&g);
}

static void ask_for_sockets(struct udp *u)
{
    while (!TAILQ_EMPTY(&u->waiting) && u->n_asking < ASKING_MAX) {
        struct flow *f = TAILQ_FIRST(&u->waiting);
        const struct gate_flow g = gate_flow_of(&f->subject.flow);
        if (!flow_prepare(f))
            continue;
        if (ipc_send(u->keeper, IPC_SOCKET_GET, (uint32_t)f->conn, &g, sizeof g, -1) < 0) {
            flow_fail(f, "limit");
            continue;
        }
        TAILQ_REMOVE(&u->waiting, f, queued);
        TAILQ_INSERT_TAIL(&u->asking, f, queued);
        f->state = FLOW_ASKING;
        u->n_asking++;
    }
}

static struct flow *find_asking(const struct udp *u, uint32_t id)
{
    struct flow *f;
    TAILQ_FOREACH(f, &u->asking, queued)
    if ((uint32_t)f->conn == id)
        return f;
    return NULL;
}

void udp_take_socket(struct udp *u, struct ipc_message *m)
{
    int32_t status = -EBADMSG;
    struct flow *f = find_asking(u, m->id);
    if (m->len == sizeof status)
        memcpy(&status, m->data, sizeof status);
    if (f) { /* else it ended meanwhile */
        TAILQ_REMOVE(&u->asking, f, queued);
        u->n_asking--;
        f->state = FLOW_RECORDING;
        if (status == 0 && m->fd < 0)
            status = -EMFILE; /* it was sent, and could not be received */
        if (status < 0)
            flow_fail(f, flow_error(-status));
        else
            flow_take_socket(f, fd_steal(&m->fd));
    }
    ask_for_sockets(u);
}

/* Another needs its place. One that was not told of yet is told of as failed. */
static void give_way(struct udp_entry *e)
{
    struct flow *f = (struct flow *)e;
    if (f->recorded || f->ticket || f->state == FLOW_REFUSED)
        flow_end(f, "limit");
    else
        flow_fail(f, "limit");
}

/* Of its process's share; where that is all taken the process's oldest flow makes room, as it would
 * where the table is full. */
static bool take_files(struct flow *f)
{
    if (holder_take(&f->holder, LIMIT_FILES, FLOW_FILES))
        return true;
    struct udp_entry *oldest = udp_table_oldest_of(&f->entry);
    if (oldest == &f->entry)
        return false;
    give_way(oldest);
    return holder_take(&f->holder, LIMIT_FILES, FLOW_FILES);
}

void udp_open(struct udp *u, const struct subject *s, const struct verdict *v, const char *name,
              struct udp_waiter *w)
{
    struct flow *f = flow_find(u, &s->flow);
    if (f && f->state == FLOW_OPEN) {
        f->accepted++;
        udp_table_use(u->table, &f->entry, flow_now_ms(), f->entry.idle_ms);
        w->done(w, 0);
        return;
    }
    if (f && f->state != FLOW_REFUSED) {
        STAILQ_INSERT_TAIL(&f->waiters, w, next);
        return;
    }
    const bool refused = f != NULL;
    if (f)
        flow_end(f, NULL); /* once told, the next one may try again */
    f = flow_new(u, s, v, name);
    if (!f) {
        w->done(w, -ENOMEM);
        return;
    }
    STAILQ_INSERT_TAIL(&f->waiters, w, next);
    f->admitted = !refused && take_files(f);
    if (!f->admitted)
        flow_fail(f, refused ? "upstream-refused" : "limit");
    else
        ask_for_sockets(u);
}

/* Ends a flow that is open, or was refused, when what its client sent has been passed on; while it
 * goes on sending, not yet. */
static void finish(struct flow *f)
{
    f->holds++;
    bool more = f->state == FLOW_OPEN && flow_empty(f);
    if (!more && (f->state == FLOW_OPEN || f->state == FLOW_REFUSED))
        flow_end(f, NULL);
    f->holds--;
    flow_release(f);
}

/* The command has gone. What was accepted for a flow and has not come yet has a moment to do so,
 * and what is still on its way to be opened a little longer. */
static void drain_one(struct flow *f, uint64_t now)
{
    const bool late = now >= f->udp->drain_ms + DRAIN_LATE_MS;
    const bool awaits = f->accepted && now < f->entry.used_ms + DRAIN_MS;
    if (late && (f->state == FLOW_WAITING || f->state == FLOW_ASKING))
        flow_fail(f, "interrupted");
    else if (f->state == FLOW_OPEN && awaits)
        flow_pump_up(f);
    else
        finish(f);
}

static void sweep(struct udp *u)
{
    const uint64_t now = flow_now_ms();
    struct udp_entry *e = udp_table_next(u->table, NULL), *next;
    for (; e; e = next) {
        next = udp_table_next(u->table, e);
        if (u->draining)
            drain_one((struct flow *)e, now);
        else if (udp_entry_is_idle(e, now))
            finish((struct flow *)e);
    }
}

static void wait_for_sweep(struct udp *u, unsigned ms)
{
    const struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    event_add(u->sweep, &after);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct udp *u = arg;
    (void)fd;
    (void)what;
    sweep(u);
    wait_for_sweep(u, u->draining ? DRAIN_MS : SWEEP_MS);
}

void udp_drain(struct udp *u)
{
    u->draining = true;
    u->drain_ms = flow_now_ms();
    sweep(u);
    wait_for_sweep(u, DRAIN_MS);
}

struct udp *udp_new(struct engine *e, struct ipc *keeper, size_t files)
{
    struct udp *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->engine = e;
    u->keeper = keeper;
    TAILQ_INIT(&u->waiting);
    TAILQ_INIT(&u->asking);
    u->table = udp_table_new(MIN(files / 4, UDP_FLOWS_MAX), give_way);
    u->batch = batch_new();
    u->sweep = event_new(e->base, -1, 0, on_sweep, u);
    if (!u->table || !u->batch || !u->sweep) {
        udp_free(u);
        return NULL;
    }
    wait_for_sweep(u, SWEEP_MS);
    return u;
}

void udp_free(struct udp *u)
{
    if (!u)
        return;
    if (u->sweep)
        event_free(u->sweep);
    udp_table_free(u->table);
    free(u->batch);
    free(u);
}
