/* SPDX-License-Identifier: MIT
 * What the gate is made of, and where names come from. Rules are tried in namespaces that go with
 * the process that tries them. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/doctor_parts.h"
#include "keeper/keeper.h"
#include "setup/gate.h"
#include "setup/netfilter.h"

void doctor_iptables(const struct doctor *d, struct finding *f)
{
    char line[256];
    struct error error = {0};
    (void)d;
    if (netfilter_version(line, sizeof line, "the gate's rules", &error) == 0) {
        finding_set(f, DOCTOR_OK, "%s", line);
        return;
    }
    finding_set(f, DOCTOR_BAD, "%s", error.text);
    f->means = "the gate between command and network is made of its rules";
    f->todo = "install iptables (nft or legacy)";
}

/* One piece of the gate's rules each, so that a missing one can be named. */
static const struct piece {
    const char *name, *rules;
} pieces[] = {
    {"TPROXY", "*mangle\n-A PREROUTING -p tcp -j TPROXY --on-port 1 --tproxy-mark 1\nCOMMIT\n"},
    {"-m socket", "*mangle\n-A PREROUTING -p udp -m socket -j ACCEPT\nCOMMIT\n"},
    {"NFQUEUE", "*mangle\n-A PREROUTING -j NFQUEUE --queue-num 0\nCOMMIT\n"},
    {"-m mark", "*filter\n-A INPUT -m mark --mark 1 -j ACCEPT\nCOMMIT\n"},
    {"REJECT", "*filter\n-A INPUT -p udp -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n"},
};

static int try_piece(const void *context, struct error *error)
{
    const struct piece *p = context;
    if (unshare(CLONE_NEWNET) < 0)
        return error_set(error, -errno, "cannot make a network namespace");
    return netfilter_restore(p->rules, p->name, error);
}

static void name_missing(struct finding *f)
{
    const char *before = " [refused alone:";
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct error error = {0};
        if (doctor_apart(try_piece, &pieces[i], &error) == 0)
            continue;
        finding_add(f, "%s %s", before, pieces[i].name);
        before = ",";
    }
    if (before[0] == ',')
        finding_add(f, "]");
}

void doctor_gate(const struct doctor *d, struct finding *f)
{
    struct gate gate = GATE_INIT;
    struct error error = {0};
    if (!d->root) {
        finding_unseen(f);
        return;
    }
    if (gate_open(&gate, d->options.loops, &error) == 0) {
        gate_close(&gate);
        finding_set(f, DOCTOR_OK, "namespaces, wire and rules (TPROXY, NFQUEUE, -m socket) stand");
        return;
    }
    finding_set(f, DOCTOR_BAD, "%s", error.text);
    if (error.code == -EPROTO)
        name_missing(f);
    f->means = "the command would have no way to the network but a closed one";
    f->todo = error.code == -ENOENT
                  ? "install iptables (nft or legacy)"
                  : "load the kernel's modules (xt_TPROXY, xt_socket, xt_NFQUEUE, veth), or run as "
                    "full root: in a container, with CAP_SYS_ADMIN and CAP_NET_ADMIN";
}

/* Whether something is bound to port 53 of a loopback address, as /proc/net/udp has it. */
static bool is_served(uint32_t ip, uint16_t port)
{
    char line[512];
    bool found = false;
    FILE *table = fopen("/proc/net/udp", "re");
    while (table && !found && fgets(line, sizeof line, table)) {
        unsigned address, bound;
        if (sscanf(line, " %*u: %8X:%4X", &address, &bound) == 2)
            found = bound == port && (ntohl(address) == ip || address == 0);
    }
    if (table)
        fclose(table);
    return found;
}

static void say_resolvers(const struct options *o, struct finding *f)
{
    finding_set(f, DOCTOR_OK, "asks");
    for (size_t i = 0; i < o->n_resolvers; i++) {
        const struct resolver_address *a = &o->resolvers[i].address;
        char text[RESOLVER_TEXT];
        resolver_text(&o->resolvers[i], text);
        finding_add(f, "%s %s", i ? "," : "", text);
        if (a->ip >> 24 != IN_LOOPBACKNET)
            continue;
        finding_add(f, " (of this machine%s)",
                    is_served(a->ip, a->port) ? "" : ", where nobody listens");
        if (is_served(a->ip, a->port))
            continue;
        f->level = DOCTOR_WARN;
        f->means = "names would not be found, so nothing by name can be reached";
        f->todo = "start the resolver that resolv.conf means, or name another with --resolver IP";
    }
}

/* Whom the keeper would ask. Nobody is asked now: a resolver would ask others. */
void doctor_resolver(const struct doctor *d, struct finding *f)
{
    struct error error = {0};
    struct keeper *k = calloc(1, sizeof *k);
    if (!k) {
        finding_set(f, DOCTOR_BAD, "out of memory");
        return;
    }
    k->options = d->options;
    if (keeper_find_resolvers(k, &error) == 0) {
        say_resolvers(&k->options, f);
    } else {
        finding_set(f, DOCTOR_BAD, "%s", error.text);
        f->means = "the filter answers names itself and must ask somebody";
        f->todo = "name one in /etc/resolv.conf, or with --resolver IP";
    }
    free(k);
}
