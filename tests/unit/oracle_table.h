/* SPDX-License-Identifier: MIT
 * What the random pairs reached: one row for each rule type, keyword, selector, header part and
 * kind of event, one column for each verdict; rows of rules count the deciding one. A cell that the
 * language makes possible and that stayed empty is a failure. */
#pragma once

#include "unit/oracle_match.h"

/* Verdicts that a row can have: bit by enum verdict_action. */
enum { D = 1 << VERDICT_DENY, A = 1 << VERDICT_ALLOW, I = 1 << VERDICT_INSPECT };

struct table_row {
    const char *name;
    unsigned possible;
    size_t seen[3];
};

static struct table_row table_rows[] = {
    {"type host", D | A, {0}},
    {"type wildcard_host", D | A, {0}},
    {"type ip", D | A, {0}},
    {"type cidr", D | A, {0}},
    {"type url", D | A | I, {0}},
    {"type path", D | A | I, {0}},
    {"type dns_host", D | A, {0}},
    {"type dns_wildcard_host", D | A, {0}},
    {"keyword passthrough", A, {0}},
    {"keyword insecure", A | I, {0}},
    {"keyword private", A | I, {0}},
    {"keyword websocket", A | I, {0}},
    {"keyword expected", D | I, {0}},
    {"selector exe", D | A | I, {0}},
    {"selector arg", D | A | I, {0}},
    {"selector arg[0]", D | A | I, {0}},
    {"selector arg[1]", D | A | I, {0}},
    {"selector parent", D | A | I, {0}},
    {"selector sha256", D | A | I, {0}},
    {"selector user", D | A | I, {0}},
    {"selector cgroup", D | A | I, {0}},
    {"selector container", D | A | I, {0}},
    {"selector image", D | A | I, {0}},
    {"selector pod", D | A | I, {0}},
    {"selector mntns", D | A | I, {0}},
    {"selector netns", D | A | I, {0}},
    {"selector step", D | A | I, {0}},
    {"selector action", D | A | I, {0}},
    {"cgroup=@docker", D | A | I, {0}},
    {"cgroup=@podman", D | A | I, {0}},
    {"cgroup=@kubernetes", D | A | I, {0}},
    {"cgroup=@container", D | A | I, {0}},
    {"cgroup=@host", D | A | I, {0}},
    {"cgroup=@rootless", D | A | I, {0}},
    {"value literal", D | A | I, {0}},
    {"value with *", D | A | I, {0}},
    {"header methods", A | I, {0}},
    {"header ports", A, {0}},
    {"header protocol", A, {0}},
    {"header base URL", D | A | I, {0}},
    {"header keyword", A | I, {0}},
    {"header selector", D | A | I, {0}},
    {"include selector", D | A | I, {0}},
    {"rule of an include", D | A | I, {0}},
    {"rule with /udp", D | A, {0}},
    {"veto with ports", D, {0}},
    {"veto with methods", D | I, {0}},
    {"URL veto instead of allow", I, {0}},
    {"URL veto instead of passthrough", I, {0}},
    {"URL veto instead of insecure", I, {0}},
    {"process unknown", D | A | I, {0}},
    {"process partly known", D | A | I, {0}},
    {"process foreign", D | A | I, {0}},
    {"event raw TCP", D | A, {0}},
    {"event raw TCP, named", D | A, {0}},
    {"event raw TCP, unknown bytes", D | A, {0}},
    {"event UDP", D | A, {0}},
    {"event TLS", D | A | I, {0}},
    {"event TLS without SNI", D | A | I, {0}},
    {"event request http", D | A, {0}},
    {"event request https", D | A, {0}},
    {"event request to an address", D | A, {0}},
    {"event request, bad path", D | A, {0}},
    {"event DNS by UDP", D | A, {0}},
    {"event DNS by TCP", D | A, {0}},
    {"event DNS of the filter", D | A, {0}},
    {"event other", D, {0}},
    {"event without address", D | A | I, {0}},
    {"reason no rule", D, {0}},
    {"reason veto", D, {0}},
    {"reason private address", D, {0}},
    {"reason private, metadata", D, {0}},
};

static inline void table_add(const char *kind, const char *name, enum verdict_action action)
{
    char row[64];
    snprintf(row, sizeof(row), "%s%s", kind, name);
    for (size_t i = 0; i < sizeof(table_rows) / sizeof(table_rows[0]); i++) {
        if (strcmp(table_rows[i].name, row) == 0) {
            table_rows[i].seen[action]++;
            return;
        }
    }
    abort();
}

static inline void table_selectors(const struct oracle_rule *r, enum verdict_action a)
{
    for (size_t i = 0; i < r->f.n_selectors; i++) {
        const struct oracle_selector *s = &r->f.selector[i];
        table_add("selector ", s->name, a);
        if (s->value[0] == '@')
            table_add("cgroup=", s->value, a);
        if (s->literal)
            table_add("value literal", "", a);
        else if (strchr(s->value, '*') != NULL)
            table_add("value with *", "", a);
        if (s->from == ORACLE_FROM_HEADER)
            table_add("header selector", "", a);
        if (s->from == ORACLE_FROM_INCLUDE)
            table_add("include selector", "", a);
    }
}

static inline void table_rule(const struct oracle_rule *r, enum verdict_action a)
{
    static const char *const types[ORACLE_TYPES] = {
        "host", "wildcard_host", "ip", "cidr", "url", "path", "dns_host", "dns_wildcard_host"};
    static const char *const keywords[] = {"passthrough", "insecure", "private", "websocket",
                                           "expected"};
    bool dns = r->type == ORACLE_DNS || r->type == ORACLE_DNS_WILDCARD;
    table_add("type ", types[r->type], a);
    for (unsigned i = 0; i < 5; i++)
        if (r->f.keywords & (1u << i))
            table_add("keyword ", keywords[i], a);
    table_selectors(r, a);
    if (strcmp(r->file, "main.rules") != 0)
        table_add("rule of an include", "", a);
    if (r->type == ORACLE_PATH_RULE)
        table_add("header base URL", "", a);
    if (!r->veto && oracle_is_url_rule(r) && r->above_methods)
        table_add("header methods", "", a);
    if (!r->veto && !dns && !oracle_is_url_rule(r) && r->above_ports)
        table_add("header ports", "", a);
    if (!r->veto && !dns && !oracle_is_url_rule(r) && r->above_protocol)
        table_add("header protocol", "", a);
    if (!r->veto && r->above_keywords != 0)
        table_add("header keyword", "", a);
    if (r->f.udp && !dns && !oracle_is_url_rule(r))
        table_add("rule with /udp", "", a);
    if (r->veto && !r->every_port)
        table_add("veto with ports", "", a);
    if (r->veto && oracle_is_url_rule(r) && strcmp(r->f.methods, "*") != 0)
        table_add("veto with methods", "", a);
}

static inline const char *table_kind(const struct event *e)
{
    switch (e->stage) {
    case EVENT_ADDRESS:
        if (e->proto == PROTO_UDP)
            return "UDP";
        if (e->unknown_bytes)
            return "raw TCP, unknown bytes";
        return e->host == NULL ? "raw TCP" : "raw TCP, named";
    case EVENT_TLS:
        return e->host == NULL ? "TLS without SNI" : "TLS";
    case EVENT_REQUEST:
        if (e->host == NULL)
            return "request to an address";
        return e->https ? "request https" : "request http";
    case EVENT_DNS:
        if (e->resolver_is_self)
            return "DNS of the filter";
        return e->proto == PROTO_UDP ? "DNS by UDP" : "DNS by TCP";
    default:
        return "other";
    }
}

static inline void table_event(const struct event *e, enum verdict_action a)
{
    struct oracle_path path;
    table_add("event ", table_kind(e), a);
    if (!e->has_dst && e->stage != EVENT_OTHER)
        table_add("event without address", "", a);
    if (e->process == NULL)
        table_add("process unknown", "", a);
    else if (e->process->foreign)
        table_add("process foreign", "", a);
    else if (e->process->known != (1u << 13) - 1)
        table_add("process partly known", "", a);
    if (e->stage != EVENT_REQUEST)
        return;
    oracle_path_read(e->path, &path);
    if (path.bad)
        table_add("event request, bad path", "", a);
}

static inline void table_pair(const struct oracle_verdict *v, const struct event *e)
{
    table_event(e, v->action);
    if (v->reason == REASON_NO_RULE)
        table_add("reason no rule", "", v->action);
    if (v->reason == REASON_VETO)
        table_add("reason veto", "", v->action);
    if (v->reason == REASON_PRIVATE_ADDRESS)
        table_add((v->by->f.keywords & ORACLE_PRIVATE) ? "reason private, metadata"
                                                       : "reason private address",
                  "", v->action);
    if (v->instead != NULL) {
        unsigned keywords = v->instead->f.keywords;
        table_add("URL veto instead of ",
                  (keywords & ORACLE_PASSTHROUGH) ? "passthrough"
                  : (keywords & ORACLE_INSECURE)  ? "insecure"
                                                  : "allow",
                  v->action);
    }
    if (v->by != NULL && v->reason != REASON_PRIVATE_ADDRESS)
        table_rule(v->by, v->action);
}

/* Prints it; the number of cells that are possible and empty, or not possible and reached. */
static inline size_t table_print(void)
{
    size_t wrong = 0;
    printf("  %-32s %10s %10s %10s\n", "reached", "deny", "allow", "inspect");
    for (size_t i = 0; i < sizeof(table_rows) / sizeof(table_rows[0]); i++) {
        const struct table_row *row = &table_rows[i];
        printf("  %-32s", row->name);
        for (unsigned a = 0; a < 3; a++) {
            bool possible = (row->possible & (1u << a)) != 0;
            bool bad = possible != (row->seen[a] > 0);
            wrong += bad;
            if (row->seen[a] == 0)
                printf(" %10s", possible ? "EMPTY" : "-");
            else
                printf(" %9zu%c", row->seen[a], bad ? '!' : ' ');
        }
        printf("\n");
    }
    return wrong;
}
