/* SPDX-License-Identifier: MIT
 * The sockets in the gate that the proxy asks for, one for each flow of UDP. What is asked for
 * within one turn of the loop is made in one visit to the gate, as a rule behind the records that
 * were submitted before it: their answers and the sockets then find the proxy in one wake-up. */
#include "keeper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/fd.h"

/* What waits before it is made without waiting for the turn's end. */
enum { WISHES_MAX = 16 };

struct flow_sockets {
    struct keeper *keeper;
    struct event *make;
    size_t n;
    struct gate_flow flows[WISHES_MAX];
    struct {
        struct role *role;
        uint32_t id;
    } asked_by[WISHES_MAX];
};

/* Whatever flow is asked for, its socket is in the gate and its peer is the command. */
static void make(struct flow_sockets *s)
{
    struct keeper *k = s->keeper;
    struct error error;
    int fds[WISHES_MAX];
    const size_t n = s->n;
    s->n = 0;
    if (!n)
        return;
    const int failed = gate_open_udp(&k->gate, s->flows, n, fds);
    if (failed == -ENOTRECOVERABLE) {
        error_set(&error, failed, "cannot return to the host's network namespace");
        keeper_fail(k, &error);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int32_t status = MIN(fds[i], 0);
        keeper_send(s->asked_by[i].role, IPC_SOCKET, s->asked_by[i].id, &status, sizeof status,
                    fds[i]);
        fd_close(&fds[i]);
    }
}

static void on_make(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    make(arg);
}

struct flow_sockets *flow_sockets_new(struct keeper *k)
{
    struct flow_sockets *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->keeper = k;
    s->make = event_new(k->base, -1, 0, on_make, s);
    if (!s->make) {
        free(s);
        return NULL;
    }
    return s;
}

void flow_sockets_free(struct flow_sockets *s)
{
    if (s)
        event_free(s->make);
    free(s);
}

void keeper_take_socket_wish(struct keeper *k, struct role *r, const struct ipc_message *m)
{
    struct flow_sockets *s = k->flow_sockets;
    if (m->len != sizeof s->flows[0])
        return;
    memcpy(&s->flows[s->n], m->data, sizeof s->flows[0]);
    s->asked_by[s->n].role = r;
    s->asked_by[s->n].id = m->id;
    if (++s->n == WISHES_MAX)
        make(s);
    else if (s->n == 1)
        event_active(s->make, EV_WRITE, 0);
}

void keeper_forget_socket_wishes(struct role *r)
{
    struct flow_sockets *s = r->keeper->flow_sockets;
    size_t kept = 0;
    for (size_t i = 0; s && i < s->n; i++) {
        if (s->asked_by[i].role == r)
            continue;
        s->flows[kept] = s->flows[i];
        s->asked_by[kept++] = s->asked_by[i];
    }
    if (s)
        s->n = kept;
}
