/* SPDX-License-Identifier: MIT
 * Events for the policies of policies.h, of every stage: of each four one that no rule is about,
 * and of each sixteen one that is made to cost, by a process of which little is known, or none, or
 * with a path that holds many rules' paths. */
#pragma once

#include "bench/policies.h"
#include "rules/event.h"

struct bench_event {
    struct event e;
    const char *names[1];
    char host[96], path[160];
    const char *stage; /* as the table calls it */
};

struct bench_process {
    struct event_process p, little; /* as it is, and as it is known where not all could be read */
    const char *args[BENCH_ARGS], *parents[2];
    char exe[64], job[64], long_arg[128];
};

static inline void bench_processes(struct bench_process *list)
{
    for (unsigned i = 0; i < BENCH_PROCESSES; i++) {
        struct bench_process *b = &list[i];
        snprintf(b->exe, sizeof(b->exe), "/usr/bin/tool%u", i);
        snprintf(b->job, sizeof(b->job), "--job-%u", i);
        snprintf(b->long_arg, sizeof(b->long_arg),
                 "x--a-rather-long-option-of-some-program=the-job-%u-and-then-so-it-goes-on", i);
        const char *const args[] = {b->exe, "install", "--verbose", b->job, b->long_arg, "-"};
        memcpy(b->args, args, sizeof(args));
        b->parents[0] = "/usr/bin/bash";
        b->parents[1] = "/usr/lib/systemd/systemd";
        b->p = (struct event_process){
            .known = FACT_EXE | FACT_ARGS | FACT_PARENTS | FACT_USER | FACT_CGROUP,
            .exe = b->exe,
            .args = b->args,
            .n_args = BENCH_ARGS,
            .parents = b->parents,
            .n_parents = 2,
            .uid = 1000,
            .user = "runner",
            .cgroup = i % 2 ? "/system.slice/docker-0123456789abcdef.scope"
                            : "/user.slice/user-1000.slice/session-1.scope",
        };
        b->little = b->p;
        b->little.known = FACT_USER | FACT_CGROUP | FACT_ARGS;
        b->little.args_cut = true;
    }
}

static inline void bench_by_address(struct bench_random *r, struct bench_event *b,
                                    const struct bench_sample *s)
{
    b->e.stage = EVENT_ADDRESS;
    b->e.proto = s->udp ? PROTO_UDP : PROTO_TCP;
    b->stage = s->udp ? "udp" : "tcp";
    if (s->udp && bench_below(r, 2) == 0) {
        b->e.stage = EVENT_DNS;
        b->stage = "dns";
        snprintf(b->host, sizeof(b->host), "www.x.org");
        b->e.host = b->host;
    }
}

static inline void bench_by_name(struct bench_random *r, struct bench_event *b,
                                 const struct bench_sample *s)
{
    b->e.host = b->host;
    switch (bench_below(r, s->request ? 2 : 4)) {
    case 0:
        b->stage = s->request ? "request" : "tls";
        b->e.stage = s->request ? EVENT_REQUEST : EVENT_TLS;
        break;
    case 1:
        b->stage = s->request ? "tls" : "dns";
        b->e.stage = s->request ? EVENT_TLS : EVENT_DNS;
        b->e.resolver_is_self = true;
        break;
    case 2:
        b->stage = "request";
        b->e.stage = EVENT_REQUEST;
        snprintf(b->path, sizeof(b->path), "/some/path/of/a/request");
        break;
    default: /* as raw TCP to what the name was seen to be */
        b->stage = "tcp";
        b->e.stage = EVENT_ADDRESS;
        b->names[0] = b->host;
        b->e.names = b->names;
        b->e.n_names = 1;
        b->e.host = NULL;
    }
    b->e.https = s->https || s->port == 443;
    b->e.method = "GET";
    b->e.path = b->path;
}

static inline void bench_hard(struct bench_policy *p, const struct bench_process *process,
                              struct bench_event *b)
{
    switch (bench_below(&p->random, 3)) {
    case 0:
        b->e.process = NULL;
        break;
    case 1:
        b->e.process = &process->little;
        break;
    default:
        if (b->e.path && p->long_path[0])
            b->e.path = p->long_path;
    }
}

static inline void bench_event(struct bench_policy *p, const struct bench_process *processes,
                               struct bench_event *b)
{
    struct bench_random *r = &p->random;
    const struct bench_sample *s = &p->samples[bench_below(r, p->n)];
    memset(b, 0, sizeof(*b));
    b->e.process = &processes[s->who].p;
    b->e.dst_ip = s->ip;
    b->e.dst_port = s->port;
    b->e.has_dst = true;
    memcpy(b->host, s->host, sizeof(b->host));
    memcpy(b->path, s->path, sizeof(b->path));
    if (s->host[0])
        bench_by_name(r, b, s);
    else
        bench_by_address(r, b, s);
    if (bench_below(r, 16) == 0)
        bench_hard(p, &processes[s->who], b);
    if (bench_below(r, 4) != 0)
        return;
    /* One that misses: a name, a path or an address that nothing is about. */
    if (s->request && bench_below(r, 2) == 0)
        snprintf(b->path, sizeof(b->path), "/no/such/path/%u", bench_below(r, 1000));
    else if (s->host[0])
        b->host[0] = 'q';
    else
        b->e.dst_ip ^= 0x80000000;
}
