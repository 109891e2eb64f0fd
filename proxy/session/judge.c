/* SPDX-License-Identifier: MIT
 * The one place that asks the policy. */
#include "session/judge.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* An event about the subject, with room for what it borrows. */
struct question {
    struct event event;
    struct event_process process;
    const char *parents[PROCESS_ANCESTORS_MAX];
    char names[NAMES_PER_ADDRESS][254];
    const char *name_list[NAMES_PER_ADDRESS];
};

static void ask_about(struct question *q, const struct subject *s, enum event_stage stage)
{
    q->event = (struct event){.stage = stage,
                              .proto = s->flow.proto == IPPROTO_TCP   ? PROTO_TCP
                                       : s->flow.proto == IPPROTO_UDP ? PROTO_UDP
                                                                      : PROTO_OTHER,
                              .dst_ip = ntohl(s->flow.dst_ip),
                              .dst_port = s->flow.dst_port,
                              .has_dst = true};
    if (s->process) {
        process_event_view(s->process, q->parents, &q->process);
        q->event.process = &q->process;
    }
}

static void add_names(const struct engine *e, struct question *q)
{
    size_t n = names_of(e->names, ENGINE_CLIENT, q->event.dst_ip, engine_now(), q->names,
                        NAMES_PER_ADDRESS);
    for (size_t i = 0; i < n; i++)
        q->name_list[i] = q->names[i];
    q->event.names = q->name_list;
    q->event.n_names = n;
}

struct verdict judge_address(const struct engine *e, const struct subject *s,
                             enum client_bytes bytes, char *name)
{
    struct question q;
    ask_about(&q, s, EVENT_ADDRESS);
    add_names(e, &q);
    q.event.unknown_bytes = bytes == CLIENT_UNKNOWN;
    q.event.http = bytes == CLIENT_HTTP;
    struct verdict v = policy_match(e->policy, &q.event);
    const char *decided = v.name ? v.name : q.event.n_names ? q.names[0] : "";
    if (name)
        snprintf(name, sizeof q.names[0], "%s", decided);
    v.name = NULL; /* it borrows from q */
    return v;
}

struct verdict judge_tls(const struct engine *e, const struct subject *s, const char *sni,
                         uint32_t dst_ip)
{
    struct question q;
    ask_about(&q, s, EVENT_TLS);
    q.event.host = sni;
    q.event.dst_ip = dst_ip;
    add_names(e, &q);
    struct verdict v = policy_match(e->policy, &q.event);
    v.name = NULL;
    return v;
}

struct verdict judge_query(const struct engine *e, const struct subject *s, const char *host,
                           bool self)
{
    struct question q;
    ask_about(&q, s, EVENT_DNS);
    q.event.host = host;
    q.event.resolver_is_self = self;
    struct verdict v = policy_match(e->policy, &q.event);
    v.name = NULL;
    return v;
}

struct verdict judge_other(const struct engine *e, const struct subject *s)
{
    struct question q;
    ask_about(&q, s, EVENT_OTHER);
    return policy_match(e->policy, &q.event);
}

bool judge_passes(const struct engine *e, const struct verdict *v)
{
    return v->action == VERDICT_ALLOW || e->audit_mode;
}

void judge_record(const struct engine *e, const struct subject *s, const struct verdict *v,
                  struct record *out)
{
    bool allowed = v->action == VERDICT_ALLOW;
    out->policy = allowed ? RECORD_POLICY_ALLOW : RECORD_POLICY_DENY;
    out->outcome = judge_passes(e, v) ? RECORD_ALLOWED : RECORD_DENIED;
    out->reason = text_of(verdict_reason_name(v, s->process != NULL));
    out->file = text_of(v->file);
    out->line = v->line;
    out->rule = text_of(v->rule);
    out->expected = v->expected;
    out->passthrough = v->passthrough;
    out->insecure = v->insecure;
    out->private = v->private;
    out->has_src = out->has_dst = true;
    out->src_ip = ntohl(s->flow.src_ip);
    out->dst_ip = ntohl(s->flow.dst_ip);
    out->src_port = s->flow.src_port;
    out->dst_port = s->flow.dst_port;
    if (s->flow.proto == IPPROTO_TCP || s->flow.proto == IPPROTO_UDP)
        out->proto = text_of(s->flow.proto == IPPROTO_TCP ? "tcp" : "udp");
    if (s->process) {
        out->process = s->process->key;
        out->state = process_state(s->process);
    }
}
