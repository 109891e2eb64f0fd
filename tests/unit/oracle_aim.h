/* SPDX-License-Identifier: MIT
 * Bends a random event towards one rule of the policy: by chance alone hardly any would be allowed.
 * It only proposes; what comes of it is for the matchers to say. */
#pragma once

#include "unit/oracle_event.h"
#include "unit/oracle_who.h"

enum { AIM_TRIES = 60 };

static inline const char *aim_name(struct make_random *r, const char *pattern)
{
    for (int i = 0; i < AIM_TRIES; i++) {
        const char *name = MAKE_PICK(r, make_event_names);
        if (oracle_name_fits(pattern, name))
            return name;
    }
    return MAKE_PICK(r, make_event_names);
}

/* The rule's path, with `*` as nothing, a letter or two segments. */
static inline void aim_path(struct make_random *r, const struct oracle_path *pattern,
                            struct make_event *m)
{
    static const char *const stars[] = {"a", "b", "1", "", "a/b", "%61"};
    char *out = m->path;
    *out = '\0';
    for (size_t i = 0; i < pattern->n; i++) {
        *out++ = '/';
        for (const char *s = pattern->segment[i]; *s != '\0'; s++) {
            if (*s == '*')
                out = stpcpy(out, MAKE_PICK(r, stars));
            else
                *out++ = *s;
        }
    }
    *out = '\0';
    if (out == m->path || make_once(r, 4))
        stpcpy(out, "/");
    if (make_once(r, 4)) /* and a trick or a tail behind it */
        strcat(m->path, MAKE_PICK(r, make_pieces));
}

static inline void aim_port(struct make_random *r, const struct oracle_rule *rule, struct event *e)
{
    bool url = rule->type == ORACLE_URL || rule->type == ORACLE_PATH_RULE;
    if (url) {
        e->dst_port = (uint16_t)rule->url_port;
        return;
    }
    if (rule->every_port || rule->f.n_ranges == 0)
        return;
    size_t i = make_below(r, rule->f.n_ranges);
    e->dst_port = (uint16_t)(make_once(r, 2) ? rule->f.from[i] : rule->f.to[i]);
    if (e->stage == EVENT_ADDRESS && e->proto != PROTO_OTHER)
        e->proto = rule->f.udp ? PROTO_UDP : PROTO_TCP;
    if (e->proto == PROTO_UDP)
        e->host = NULL, e->unknown_bytes = false;
}

static inline void aim_target(struct make_random *r, const struct oracle_rule *rule,
                              struct make_event *m)
{
    struct event *e = &m->e;
    if (rule->name[0] == '\0') {
        e->has_dst = true;
        e->dst_ip = rule->ip | ((uint32_t)make_next(r) & ~rule->mask);
        if (rule->type == ORACLE_URL || rule->type == ORACLE_PATH_RULE)
            e->host = make_once(r, 8) ? e->host : NULL;
        return;
    }
    if (e->host != NULL)
        e->host = aim_name(r, rule->name);
    else if (e->n_names > 0)
        m->names[make_below(r, e->n_names)] = aim_name(r, rule->name);
    if (make_once(r, 2))
        e->dst_ip = make_ip("1.2.3.9");
}

static inline void aim_method(const struct oracle_rule *rule, struct event *e)
{
    for (size_t i = 0; i < MAKE_COUNT(make_event_methods); i++)
        if (strncmp(make_event_methods[i], rule->f.methods, strcspn(rule->f.methods, "|")) == 0)
            e->method = make_event_methods[i];
}

/* A query needs two rules: one for the name, one for the resolver. */
static inline void aim_resolver(struct make_random *r, const struct oracle_policy *p,
                                struct event *e)
{
    size_t from = make_below(r, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const struct oracle_rule *rule = &p->rule[(from + i) % p->n];
        if ((rule->type != ORACLE_IP && rule->type != ORACLE_CIDR) || rule->f.n_ranges == 0)
            continue;
        e->has_dst = true;
        e->dst_ip = rule->ip | ((uint32_t)make_next(r) & ~rule->mask);
        e->dst_port = (uint16_t)rule->f.from[0];
        return;
    }
}

static inline void aim_event(struct make_random *r, const struct oracle_policy *p,
                             struct make_event *m)
{
    if (p->n == 0)
        return;
    const struct oracle_rule *rule = &p->rule[make_below(r, p->n)];
    aim_target(r, rule, m);
    if (m->e.stage == EVENT_DNS && rule->name[0] != '\0' && !m->e.resolver_is_self)
        aim_resolver(r, p, &m->e);
    else
        aim_port(r, rule, &m->e);
    if (m->e.stage == EVENT_REQUEST && rule->path.n > 0)
        aim_path(r, &rule->path, m);
    if (m->e.stage == EVENT_REQUEST && !make_once(r, 3))
        aim_method(rule, &m->e);
    if (m->e.stage == EVENT_REQUEST && rule->url_port != 0)
        m->e.https = make_once(r, 8) ? !rule->https : rule->https;
    for (int i = 0; i < AIM_TRIES && oracle_who(rule, m->e.process) == ORACLE_NO; i++) {
        memset(&m->p, 0, sizeof(m->p));
        make_process(r, m);
    }
}
