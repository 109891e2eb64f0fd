/* SPDX-License-Identifier: MIT
 * UDP other than DNS, ICMP, and every other protocol: headers come from the packet role, verdicts
 * go back to it. UDP that may pass waits for its flow to be open; of the rest nothing passes: it is
 * judged, so that the record says what the policy says, and refused. */
#include "intercept/datagrams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/who.h"
#include "audit/submit.h"
#include "intercept/queue.h"
#include "keeper/ipc.h"
#include "session/judge.h"

/* Packets that wait for their verdict at once: as many as the queue holds. */
#define BUSY_MAX 1024

struct datagrams {
    struct engine *engine;
    struct udp *udp;
    struct ipc *ipc;
    void (*drained)(void *context);
    void *context;
    unsigned busy; /* packets whose verdict is under way */
    bool closed;
};

/* One packet on its way to a verdict. */
struct pending {
    struct udp_waiter waiter; /* UDP that may pass */
    struct datagrams *datagrams;
    uint32_t id;
    struct packet packet;
    struct subject subject;
};

static void finish(struct pending *p, enum queue_verdict v)
{
    struct datagrams *d = p->datagrams;
    struct engine *e = d->engine;
    int32_t verdict = (int32_t)v;
    if (d->ipc)
        ipc_send(d->ipc, IPC_VERDICT, p->id, &verdict, sizeof verdict, -1);
    process_unref(p->subject.process);
    free(p);
    if (--d->busy == 0 && d->closed)
        free(d);
    engine_end(e);
}

static void on_recorded(void *context, int status)
{
    struct pending *p = context;
    (void)status; /* refused either way */
    finish(p, p->packet.proto == IPPROTO_UDP ? QUEUE_REJECT : QUEUE_DROP);
}

/* A flow that ended before it took the packet loses it; one that could not be opened refuses it,
 * and has been recorded so. */
static void on_opened(struct udp_waiter *w, int status)
{
    finish((struct pending *)w, status == 0               ? QUEUE_ACCEPT
                                : status == -ECONNABORTED ? QUEUE_DROP
                                                          : QUEUE_REJECT);
}

static enum record_type type_of(uint8_t proto)
{
    return proto == IPPROTO_UDP ? RECORD_UDP : proto == IPPROTO_ICMP ? RECORD_ICMP : RECORD_SOCKET;
}

static void on_who(void *context, struct process *process)
{
    struct pending *p = context;
    struct engine *e = p->datagrams->engine;
    struct record r = {.event = RECORD_DATAGRAM};
    char proto[8], name[254] = "";
    int status;
    p->subject.process = process;
    struct verdict v = p->packet.proto == IPPROTO_UDP
                           ? judge_address(e, &p->subject, CLIENT_KNOWN, name)
                           : judge_other(e, &p->subject);
    const bool passes = p->packet.proto == IPPROTO_UDP && judge_passes(e, &v);
    if (passes && udp_can_flow(&p->subject.flow)) {
        udp_open(p->datagrams->udp, &p->subject, &v, name, &p->waiter);
        return;
    }
    judge_record(e, &p->subject, &v, &r);
    r.type = type_of(p->packet.proto);
    r.outcome = RECORD_DENIED;
    if (passes)
        r.reason = text_of("unsupported");
    if (!r.proto.data) {
        snprintf(proto, sizeof proto, "%u", p->packet.proto);
        r.proto = text_of(proto);
    }
    if (name[0]) {
        r.host = text_of(name);
        r.name_from = RECORD_NAME_DNS;
    }
    if (!submit_record(e->submit, &r, on_recorded, p, &status))
        on_recorded(p, status);
}

/* A packet without a verdict would stay in the queue for ever. */
static void drop(struct datagrams *d, uint32_t id)
{
    const int32_t verdict = QUEUE_DROP;
    ipc_send(d->ipc, IPC_VERDICT, id, &verdict, sizeof verdict, -1);
}

static void take_packet(struct datagrams *d, const struct ipc_message *m)
{
    struct process *now = NULL;
    struct pending *p = m->len == sizeof p->packet && d->busy < BUSY_MAX ? malloc(sizeof *p) : NULL;
    if (!p) {
        drop(d, m->id);
        return;
    }
    *p = (struct pending){.waiter = {.done = on_opened}, .datagrams = d, .id = m->id};
    memcpy(&p->packet, m->data, sizeof p->packet);
    if (p->packet.proto ==
        IPPROTO_TCP) { /* never queued: a role that says so is not to be believed */
        free(p);
        drop(d, m->id);
        return;
    }
    p->subject.flow = (struct flow_key){.src_ip = htonl(p->packet.src_ip),
                                        .dst_ip = htonl(p->packet.dst_ip),
                                        .src_port = p->packet.src_port,
                                        .dst_port = p->packet.dst_port,
                                        .proto = p->packet.proto};
    d->busy++;
    engine_begin(d->engine);
    if (!who_ask(d->engine->who, &p->subject.flow, on_who, p, &now))
        on_who(p, now);
}

static void on_message(void *context, struct ipc_message *m)
{
    struct datagrams *d = context;
    if (m->type == IPC_PACKET)
        take_packet(d, m);
    else if (m->type == IPC_DRAIN)
        d->drained(d->context);
}

/* The packet role has died; the keeper brings a new channel with the next one. */
static void on_closed(void *context)
{
    struct datagrams *d = context;
    ipc_free(STEAL(d->ipc));
    d->drained(d->context); /* it has no more to tell */
}

struct datagrams *datagrams_new(struct engine *e, struct udp *udp, int fd,
                                void (*drained)(void *context), void *context)
{
    struct datagrams *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    const struct ipc_handlers handlers = {on_message, on_closed, d};
    d->engine = e;
    d->udp = udp;
    d->drained = drained;
    d->context = context;
    d->ipc = ipc_new(e->base, fd, &handlers);
    if (!d->ipc) {
        free(d);
        return NULL;
    }
    ipc_gather(d->ipc);
    return d;
}

bool datagrams_connected(const struct datagrams *d)
{
    return d->ipc != NULL;
}

void datagrams_free(struct datagrams *d)
{
    if (!d)
        return;
    ipc_free(STEAL(d->ipc));
    d->closed = true;
    if (d->busy == 0)
        free(d);
}
