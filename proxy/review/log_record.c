/* SPDX-License-Identifier: MIT
 * The words of the log, taken back. */
#include "review/log_record.h"

#include <stdlib.h>
#include <string.h>

#include "review/event_names.h"
#include "review/event_time.h"

static const struct {
    const char *word;
    enum record_event event;
} events[] = {
    {"connect", RECORD_CONNECT},
    {"request", RECORD_REQUEST},
    {"query", RECORD_QUERY},
    {"datagram", RECORD_DATAGRAM},
};

static const struct {
    const char *word;
    enum record_type type;
} types[] = {
    {"tcp", RECORD_TCP}, {"http", RECORD_HTTP}, {"https", RECORD_HTTPS}, {"dns", RECORD_DNS},
    {"udp", RECORD_UDP}, {"icmp", RECORD_ICMP}, {"ipv6", RECORD_IPV6},   {"socket", RECORD_SOCKET},
};

/* Reasons that are a policy's own: another policy may have another word. */
static const char *const of_policy[] = {
    "no-rule", "veto", "private-address", "metadata-address", "resolver", "unattributed", "inspect",
};

static void read_kind(struct fields *f, struct record *r)
{
    const char *event = fields_text(f, "event"), *type = fields_text(f, "type");
    r->event = fields_text(f, "url") ? RECORD_REQUEST : RECORD_CONNECT;
    for (size_t i = 0; event && i < ARRAY_SIZE(events); i++)
        if (strcmp(event, events[i].word) == 0)
            r->event = events[i].event;
    for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
        if (strcmp(type, types[i].word) == 0)
            r->type = types[i].type;
    if (r->event == RECORD_QUERY)
        r->type = RECORD_DNS;
    else if (r->type == RECORD_DNS)
        r->event = RECORD_QUERY;
    else if (r->event == RECORD_DATAGRAM && r->type == RECORD_TYPE_NONE)
        r->type = RECORD_UDP;
}

static void read_decision(struct fields *f, struct record *r)
{
    static const char *const outcomes[] = {
        [RECORD_ALLOWED] = "allowed", [RECORD_DENIED] = "denied", [RECORD_FAILED] = "failed"};
    const char *policy = fields_text(f, "policy"), *outcome = fields_text(f, "outcome");
    if (policy)
        r->policy = strcmp(policy, "deny") == 0 ? RECORD_POLICY_DENY : RECORD_POLICY_ALLOW;
    for (size_t i = RECORD_ALLOWED; outcome && i < ARRAY_SIZE(outcomes); i++)
        if (strcmp(outcome, outcomes[i]) == 0)
            r->outcome = (enum record_outcome)i;
    r->reason = text_of(fields_text(f, "reason"));
    r->file = text_of(fields_text(f, "file"));
    r->rule = text_of(fields_text(f, "rule"));
    r->expected = fields_flag(f, "expected");
    fields_number(f, "line", INT64_MAX, &r->line);
    fields_number(f, "count", INT64_MAX, &r->count);
}

static void read_place(struct fields *f, const struct event *e, struct record *r)
{
    const char *dialed = fields_text(f, "dialed_ip"), *dst = fields_text(f, "dst_ip");
    r->has_dst = e->has_dst;
    r->dst_ip = e->dst_ip;
    r->dst_port = e->dst_port;
    r->dst_ip6 = r->type == RECORD_IPV6 ? text_of(dst) : text_of(NULL);
    if (dialed && event_ip_parse(dialed, &r->dialed_ip) != 1)
        r->dialed_ip = 0;
    r->proto = text_of(fields_text(f, "proto"));
    if (!r->proto.data && e->proto != PROTO_OTHER)
        r->proto = text_of(e->proto == PROTO_UDP ? "udp" : "tcp");
    r->host = text_of(fields_text(f, "host"));
    r->first_bytes = text_of(fields_text(f, "first_bytes"));
    r->url = text_of(fields_text(f, "url"));
    r->method = text_of(fields_text(f, "method"));
    r->name = text_of(fields_text(f, "name"));
    r->qtype = text_of(fields_text(f, "qtype"));
    r->resolver = text_of(fields_text(f, "resolver"));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33 ^ b) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (hash ^ hash >> 33) | 1;
}

static void read_who(struct fields *f, const struct event *e, struct summary_who *who)
{
    const struct event_process *p = e->process;
    uint64_t pid, start = 0;
    who->exe = text_of(fields_text(f, "exe"));
    who->exe_counts = p && p->exe && (p->known & FACT_EXE) && !p->foreign;
    if (p && (p->known & FACT_CONTAINER))
        who->container = text_of(p->container_name);
    fields_number(f, "start_ns", INT64_MAX, &start);
    if (fields_number(f, "pid", UINT32_MAX, &pid))
        who->process = mix(pid, start);
}

bool log_record_read(struct fields *f, const struct event *e, struct log_record *out)
{
    struct record *r = &out->record;
    const char *ts = fields_text(f, "ts");
    int64_t seconds;
    *out = (struct log_record){0};
    read_kind(f, r);
    read_decision(f, r);
    read_place(f, e, r);
    read_who(f, e, &out->who);
    if (ts && event_time_parse(ts, &seconds) == 0 && seconds > 0)
        r->ts_us = (uint64_t)seconds * 1000000;
    return r->policy != RECORD_POLICY_NONE || r->outcome != RECORD_OUTCOME_NONE;
}

static bool is_of_policy(const struct record *r)
{
    for (size_t i = 0; r->reason.data && i < ARRAY_SIZE(of_policy); i++)
        if (strlen(of_policy[i]) == r->reason.len &&
            memcmp(of_policy[i], r->reason.data, r->reason.len) == 0)
            return true;
    return !r->reason.data;
}

bool log_record_judge(const struct policy *p, const struct event *e, struct log_record *out)
{
    struct record *r = &out->record;
    struct event at_self = *e;
    const struct verdict v = policy_match(p, e);
    bool was_denied = r->policy == RECORD_POLICY_DENY || r->outcome == RECORD_DENIED;
    at_self.resolver_is_self = true;
    if (v.action == VERDICT_ALLOW)
        return was_denied && !is_of_policy(r);
    r->policy = RECORD_POLICY_DENY;
    r->reason = text_of(verdict_reason_name(&v, e->process != NULL));
    if (e->stage == EVENT_DNS && !e->resolver_is_self && v.reason == REASON_NO_RULE &&
        policy_match(p, &at_self).action == VERDICT_ALLOW)
        r->reason = text_of("resolver");
    r->file = text_of(v.file);
    r->rule = text_of(v.rule);
    r->line = v.line;
    r->expected = v.expected;
    return true;
}
