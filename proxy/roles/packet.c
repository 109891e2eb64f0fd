/* SPDX-License-Identifier: MIT
 * The packet role: reads the headers of queued packets, asks the proxy, gives its verdicts. It runs
 * in the gate's namespace and holds CAP_NET_ADMIN there, which verdicts need. */
#include "roles/role.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/fd.h"
#include "intercept/queue.h"
#include "keeper/ipc.h"
#include "roles/confine.h"
#include "setup/gate.h"

struct packet_role {
    struct event_base *base;
    struct ipc *keeper, *proxy;
    struct queue *queue;
    struct event *readable;
    uint32_t last_id; /* of the queue */
    bool draining;
};

static void on_keeper_closed(void *context)
{
    struct packet_role *p = context;
    event_base_loopbreak(p->base);
}

/* Its verdicts will not come: what waits for them is dropped, or it would fill the queue for ever.
 * A new channel comes with the next proxy. */
static void on_proxy_closed(void *context)
{
    struct packet_role *p = context;
    ipc_free(STEAL(p->proxy));
    (void)!queue_drop_up_to(p->queue, p->last_id);
}

static void on_proxy_message(void *context, struct ipc_message *m)
{
    struct packet_role *p = context;
    int32_t verdict;
    if (m->type != IPC_VERDICT || m->len != sizeof verdict)
        return;
    memcpy(&verdict, m->data, sizeof verdict);
    if (verdict >= QUEUE_DROP && verdict <= QUEUE_ACCEPT)
        (void)!queue_verdict(p->queue, m->id, (enum queue_verdict)verdict);
}

static struct ipc *listen_to_proxy(struct packet_role *p, int fd)
{
    const struct ipc_handlers handlers = {on_proxy_message, on_proxy_closed, p};
    struct ipc *proxy = ipc_new(p->base, fd, &handlers);
    if (proxy)
        ipc_gather(proxy);
    return proxy;
}

/* The command has gone: what it still sent goes to the proxy, then the word itself. */
static void drain(struct packet_role *p)
{
    int read;
    do
        read = queue_read(p->queue);
    while (read > 0 || read == -ENOBUFS);
    p->draining = true;
    if (p->proxy)
        ipc_send(p->proxy, IPC_DRAIN, 0, NULL, 0, -1);
}

static void on_keeper_message(void *context, struct ipc_message *m)
{
    struct packet_role *p = context;
    if (m->type == IPC_DRAIN)
        drain(p);
    if (m->type != IPC_PEER || m->fd < 0)
        return;
    ipc_free(STEAL(p->proxy));
    p->proxy = listen_to_proxy(p, m->fd);
    if (p->proxy)
        m->fd = -1;
    if (p->proxy && p->draining) /* a proxy that was born late is to be told as well */
        ipc_send(p->proxy, IPC_DRAIN, 0, NULL, 0, -1);
}

static void on_packet(void *context, const struct packet *packet)
{
    struct packet_role *p = context;
    p->last_id = packet->id;
    if (!p->proxy || ipc_send(p->proxy, IPC_PACKET, packet->id, packet, sizeof *packet, -1) < 0)
        (void)!queue_verdict(p->queue, packet->id, QUEUE_DROP);
}

static void on_queue(evutil_socket_t fd, short what, void *arg)
{
    struct packet_role *p = arg;
    (void)fd;
    (void)what;
    int failed = queue_read(p->queue);
    if (failed < 0 && failed != -ENOBUFS)
        event_base_loopbreak(p->base); /* the keeper starts a new one */
}

static int set_up(struct packet_role *p, const struct role_args *args, int control,
                  struct error *error)
{
    const struct ipc_handlers handlers = {on_keeper_message, on_keeper_closed, p};
    p->base = event_base_new();
    if (!p->base)
        return error_set(error, -ENOMEM, "packet: cannot make an event loop");
    int failed = queue_open(GATE_QUEUE, on_packet, p, &p->queue, error);
    if (failed)
        return failed;
    p->readable = event_new(p->base, queue_fd(p->queue), EV_READ | EV_PERSIST, on_queue, p);
    p->keeper = ipc_new(p->base, control, &handlers);
    p->proxy = listen_to_proxy(p, role_fd(args, "peer"));
    if (!p->readable || !p->keeper || !p->proxy || event_add(p->readable, NULL) < 0)
        return error_set(error, -ENOMEM, "packet: cannot watch for events");
    return 0;
}

int packet_main(const struct role_args *args)
{
    struct packet_role p = {0};
    struct error error = {0};
    const struct confine_as as = role_identity(args, CONFINE_PACKET_UID);
    int failed = set_up(&p, args, as.control, &error);
    if (!failed)
        failed = confine(CONFINE_PACKET, &as, &error);
    if (failed)
        return role_fail(as.control, &error);
    ipc_send(p.keeper, IPC_READY, 0, NULL, 0, -1);
    event_base_dispatch(p.base);
    return EXIT_FAILURE; /* it ends with its keeper */
}
