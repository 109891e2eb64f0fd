/* SPDX-License-Identifier: MIT
 * From events of the guard to records, few or folded. */
#include "keeper/refusals.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "keeper/keeper.h"

static const struct {
    enum record_type type;
    const char *reason;
} kinds[REFUSED_KINDS] = {
    [REFUSED_IPV6] = {RECORD_IPV6, "ipv6"},
    [REFUSED_SOCKET] = {RECORD_SOCKET, "raw-socket"},
    [REFUSED_IPV6_SOCKET] = {RECORD_SOCKET, "ipv6"},
    [REFUSED_PACKET_SOCKET] = {RECORD_SOCKET, "raw-socket"},
};

static const char *proto_text(enum refusal_kind kind, uint32_t proto, char room[16])
{
    if (kind == REFUSED_IPV6)
        return proto == IPPROTO_UDP ? "udp" : "tcp";
    if (kind == REFUSED_PACKET_SOCKET)
        return "packet"; /* its number is no protocol of IP */
    snprintf(room, 16, "%u", proto);
    return room;
}

static struct record record_of(const struct refusal_count *c, char proto[16])
{
    return (struct record){
        .event = RECORD_CONNECT,
        .type = kinds[c->kind].type,
        .policy = RECORD_POLICY_DENY,
        .outcome = RECORD_DENIED,
        .reason = text_of(kinds[c->kind].reason),
        .proto = text_of(proto_text(c->kind, c->proto, proto)),
        .count = c->count,
        .process = c->id.key,
        .state = c->id.state,
    };
}

static void write_record(struct keeper *k, struct record *r)
{
    const struct process_id id = {r->process, r->state};
    struct process *p = id.key.pid ? keeper_process(k, &id) : NULL;
    keeper_record(k, r, p);
    process_unref(p);
}

/* By process, without the address: a loop can have as many of those as it likes. */
static void count_one(struct refusals *s, const struct refusal_count *one)
{
    for (size_t i = 0; i < s->n_counts; i++) {
        struct refusal_count *c = &s->counts[i];
        if (c->kind == one->kind && c->proto == one->proto &&
            memcmp(&c->id, &one->id, sizeof c->id) == 0) {
            c->count++;
            return;
        }
    }
    if (s->n_counts < REFUSALS_COUNTS)
        s->counts[s->n_counts++] = *one;
    else
        s->others[one->kind]++;
}

static void tell_or_count(struct keeper *k, struct record *r, const struct refusal_count *one)
{
    if (k->refused.told >= REFUSALS_TOLD) {
        count_one(&k->refused, one);
    } else if (!folds_take(k->folds, r)) {
        k->refused.told++;
        write_record(k, r);
    }
}

static void refused_ipv6(struct keeper *k, const struct process_ipv6 *e)
{
    char address[INET6_ADDRSTRLEN], proto[16];
    const struct refusal_count one = {
        REFUSED_IPV6, e->proto, {e->head.process, process_state_of(&e->owner)}, 1};
    struct record r = record_of(&one, proto);
    inet_ntop(AF_INET6, e->dst_ip, address, sizeof address);
    r.dst_ip6 = text_of(address);
    r.dst_port = e->dst_port;
    tell_or_count(k, &r, &one);
}

static enum refusal_kind kind_of(const struct process_socket *e)
{
    if (e->family != AF_INET && e->family != AF_INET6)
        return REFUSED_PACKET_SOCKET;
    return e->type == SOCK_RAW ? REFUSED_SOCKET : REFUSED_IPV6_SOCKET;
}

static void refused_socket(struct keeper *k, const struct process_socket *e)
{
    char proto[16];
    const struct refusal_count one = {
        kind_of(e), e->proto, {e->head.process, process_state_of(&e->owner)}, 1};
    struct record r = record_of(&one, proto);
    tell_or_count(k, &r, &one);
}

bool keeper_refused(struct keeper *k, const void *event, size_t len)
{
    const struct process_event *head = event;
    if (len == sizeof(struct process_ipv6) && head->type == PROCESS_IPV6)
        refused_ipv6(k, event);
    else if (len == sizeof(struct process_socket) && head->type == PROCESS_SOCKET)
        refused_socket(k, event);
    else
        return false;
    return true;
}

/* What is lost of attribution: whoever it was about is not known, and not allowed what asks for
 * more than an address. */
static void tell_lost(struct keeper *k, uint64_t n, const char *what)
{
    char detail[96];
    snprintf(detail, sizeof detail, "%llu %s", (unsigned long long)n, what);
    struct record r = {.event = RECORD_GAP, .detail = text_of(detail)};
    keeper_record(k, &r, NULL);
}

void keeper_sweep_flows(struct keeper *k)
{
    if (hooks_sweep(k->hooks) < 0)
        return; /* the map then displaces its oldest entries itself */
    const uint64_t displaced = hooks_flows(k->hooks).displaced;
    if (displaced != k->displaced)
        tell_lost(k, displaced - k->displaced, "owners of flows made room for newer ones");
    k->displaced = displaced;
    const uint64_t left_out = hooks_flows(k->hooks).left_out;
    if (left_out != k->left_out)
        tell_lost(k, left_out - k->left_out,
                  "senders of datagrams were missed by the kernel's hooks");
    k->left_out = left_out;
}

void keeper_flush_refusals(struct keeper *k)
{
    struct refusals *s = &k->refused;
    const struct attribution_lost lost = hooks_lost(k->hooks);
    char proto[16];
    for (size_t i = 0; i < s->n_counts; i++) {
        struct record r = record_of(&s->counts[i], proto);
        write_record(k, &r);
    }
    s->others[REFUSED_IPV6] += lost.ipv6 - s->lost.ipv6;
    s->others[REFUSED_SOCKET] += lost.sockets - s->lost.sockets;
    for (size_t i = 0; i < REFUSED_KINDS; i++) {
        const struct refusal_count rest = {.kind = (enum refusal_kind)i, .count = s->others[i]};
        struct record r = record_of(&rest, proto);
        r.proto = (struct text){0}; /* of several */
        if (rest.count)
            write_record(k, &r);
        s->others[i] = 0;
    }
    if (lost.processes != s->lost.processes)
        tell_lost(k, lost.processes - s->lost.processes,
                  "events of processes were lost: the ring was full");
    s->lost = lost;
    const uint64_t missed = hooks_execs_missed(k->hooks);
    if (missed != k->execs_missed)
        tell_lost(k, missed - k->execs_missed, "execs at most were missed by the kernel's hooks");
    k->execs_missed = missed;
    s->n_counts = 0;
    s->told = 0;
}
