/* SPDX-License-Identifier: MIT
 * Lets tests of the policy language be written as they are read: a policy, an event and a verdict,
 * each a short text. */
#pragma once

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy.h"
#include "unit/report.h"

struct asked {
    struct event event;
    struct event_process process;
    const char *args[8], *parents[8], *names[8];
    char host[NAME_MAX_LEN + 1];
    char text[1024]; /* what the pointers point into */
};

static inline bool asked_process(struct asked *a, const char *key, char *value)
{
    struct event_process *p = &a->process;
    const struct {
        const char *key;
        unsigned fact;
        const char **text;
        uint32_t *number;
    } facts[] = {
        {"exe", FACT_EXE, &p->exe, NULL},
        {"sha256", FACT_SHA256, &p->sha256, NULL},
        {"uid", FACT_USER, NULL, &p->uid},
        {"user", FACT_USER, &p->user, NULL},
        {"cgroup", FACT_CGROUP, &p->cgroup, NULL},
        {"cid", FACT_CONTAINER, &p->container_id, NULL},
        {"cgid", FACT_CONTAINER_ID, &p->container_id, NULL},
        {"container", FACT_CONTAINER, &p->container_name, NULL},
        {"image", FACT_IMAGE, &p->image, NULL},
        {"pod", FACT_POD, &p->pod, NULL},
        {"mntns", FACT_MNTNS, NULL, &p->mntns},
        {"netns", FACT_NETNS, NULL, &p->netns},
        {"step", FACT_STEP, &p->step, NULL},
        {"action", FACT_ACTION, &p->action, NULL},
    };
    if (strcmp(key, "arg") == 0) {
        a->args[p->n_args++] = value;
        p->known |= FACT_ARGS;
        return true;
    }
    if (strcmp(key, "parent") == 0) {
        a->parents[p->n_parents++] = value;
        p->known |= FACT_PARENTS;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
        if (strcmp(key, facts[i].key) != 0)
            continue;
        p->known |= facts[i].fact;
        if (facts[i].text)
            *facts[i].text = value;
        else
            *facts[i].number = (uint32_t)strtoul(value, NULL, 10);
        return true;
    }
    return false;
}

static inline void asked_url(struct asked *a, char *value)
{
    struct event *e = &a->event;
    e->https = strncmp(value, "https", 5) == 0;
    e->dst_port = e->https ? 443 : 80;
    char *host = strstr(value, "://") + 3;
    char *path = strchr(host, '/');
    e->path = path ? path : "/";
    if (!e->method)
        e->method = "GET";
    size_t len = path ? (size_t)(path - host) : strlen(host);
    char *colon = memchr(host, ':', len);
    if (colon) {
        e->dst_port = (uint16_t)strtoul(colon + 1, NULL, 10);
        len = (size_t)(colon - host);
    }
    memcpy(a->host, host, len);
    a->host[len] = '\0';
    e->host = a->host;
}

static inline void asked_word(struct asked *a, char *word)
{
    static const struct {
        const char *name;
        enum event_stage stage;
        enum event_proto proto;
    } stages[] = {
        {"tcp", EVENT_ADDRESS, PROTO_TCP},  {"udp", EVENT_ADDRESS, PROTO_UDP},
        {"tls", EVENT_TLS, PROTO_TCP},      {"req", EVENT_REQUEST, PROTO_TCP},
        {"dns", EVENT_DNS, PROTO_UDP},      {"dnstcp", EVENT_DNS, PROTO_TCP},
        {"icmp", EVENT_OTHER, PROTO_OTHER},
    };
    struct event *e = &a->event;
    char *equals = strchr(word, '=');
    struct in_addr ip;
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
        if (strcmp(word, stages[i].name) == 0) {
            e->stage = stages[i].stage;
            e->proto = stages[i].proto;
            return;
        }
    }
    if (strcmp(word, "unknown") == 0)
        e->unknown_bytes = true;
    else if (strcmp(word, "self") == 0)
        e->resolver_is_self = true;
    else if (strcmp(word, "foreign") == 0)
        a->process.foreign = true;
    else if (strcmp(word, "cut") == 0)
        a->process.args_cut = true;
    else if (strcmp(word, "nobody") == 0)
        e->process = NULL;
    else if (!equals && strchr(word, ':')) {
        char *colon = strchr(word, ':');
        *colon = '\0';
        e->dst_port = (uint16_t)strtoul(colon + 1, NULL, 10);
        e->has_dst = inet_pton(AF_INET, word, &ip) == 1;
        e->dst_ip = e->has_dst ? ntohl(ip.s_addr) : 0;
    } else {
        assert_non_null(equals);
        *equals = '\0';
        if (strcmp(word, "host") == 0)
            e->host = equals + 1;
        else if (strcmp(word, "seen") == 0)
            a->names[e->n_names++] = equals + 1;
        else if (strcmp(word, "method") == 0)
            e->method = equals + 1;
        else if (strcmp(word, "url") == 0)
            asked_url(a, equals + 1);
        else
            assert_true(asked_process(a, word, equals + 1));
    }
}

/* Reads "tls host=github.com 1.2.3.4:443 exe=/usr/bin/curl". A process that is not described is
 * known to have an executable, /bin/sh, and nothing else. */
static inline void asked_init(struct asked *a, const char *text)
{
    *a = (struct asked){0};
    a->event.process = &a->process;
    a->event.names = a->names;
    a->event.dst_port = 443;
    a->process.args = a->args;
    a->process.parents = a->parents;
    assert_true(strlen(text) < sizeof(a->text));
    snprintf(a->text, sizeof(a->text), "%s", text);
    char *save = NULL;
    for (char *w = strtok_r(a->text, " ", &save); w; w = strtok_r(NULL, " ", &save))
        asked_word(a, w);
}

/* Writes "allow 1 passthrough", "deny veto 2 expected", "deny", "inspect 3". */
static inline void verdict_text(const struct verdict *v, char *out, size_t size)
{
    static const char *const actions[] = {"deny", "allow", "inspect"};
    static const char *const reasons[] = {"", "", " veto", " private"};
    char line[32] = "";
    if (v->line > 0)
        snprintf(line, sizeof(line), " %zu", v->line);
    snprintf(out, size, "%s%s%s%s%s%s%s%s%s%s", actions[v->action], reasons[v->reason], line,
             v->passthrough ? " passthrough" : "", v->insecure ? " insecure" : "",
             v->websocket ? " websocket" : "", v->private ? " private-ok" : "",
             v->expected ? " expected" : "", v->by_address ? " by-address" : "",
             v->unattributed ? " unattributed" : "");
}

/* What the parser said, a line each. */
struct said {
    char text[8192];
    size_t len, errors, warnings;
    bool errors_only;
};

static inline void said_add(void *context, const struct diagnostic *d)
{
    struct said *s = context;
    bool error = d->kind == DIAGNOSTIC_ERROR;
    s->errors += error;
    s->warnings += !error;
    if (s->errors_only && !error)
        return;
    int n = snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s:%zu:%zu: %s: %s\n", d->file,
                     d->line, d->column, error ? "error" : "warning", d->text);
    if (n > 0)
        s->len = MIN(s->len + (size_t)n, sizeof(s->text) - 1);
}

static inline struct policy *parse_bytes(const void *data, size_t len,
                                         const struct policy_options *options)
{
    const struct policy_source source = {"t", data, len};
    return policy_parse(&source, 1, options);
}

static inline struct policy *parse_text(const char *text, const struct policy_options *options)
{
    return parse_bytes(text, strlen(text), options);
}

/* ` | ` in a policy of these tables stands for the end of a line. */
static inline void lines_split(char *text)
{
    char *out = text;
    for (const char *c = text; *c;) {
        bool bar = strncmp(c, " | ", 3) == 0;
        *out++ = bar ? '\n' : *c;
        c += bar ? 3 : 1;
    }
    *out = '\0';
}

struct question {
    const char *policy, *event, *want;
};

static inline void ask(const struct question *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[1024], got[128];
        struct said said = {.errors_only = true};
        const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
        snprintf(text, sizeof(text), "%s", q[i].policy);
        lines_split(text);
        struct policy *p = parse_text(text, &options);
        if (!p)
            fail_msg("'%s' is refused: %s", q[i].policy, said.text);
        struct asked asked;
        asked_init(&asked, q[i].event);
        struct verdict v = policy_match(p, &asked.event);
        verdict_text(&v, got, sizeof(got));
        if (strcmp(got, q[i].want) != 0)
            fail_msg("'%s' asked '%s': want '%s', got '%s'", q[i].policy, q[i].event, q[i].want,
                     got);
        policy_unref(p);
    }
}

#define ASK(table) ask(table, ARRAY_SIZE(table))
