/* SPDX-License-Identifier: MIT
 * The name cache and the clock of a log that is read again. */
#include "review/event_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "review/event_time.h"

/* Under `run` there is one client, and logs of others do not tell them apart yet. */
#define CLIENT 0

int event_names_init(struct event_names *n, size_t entries)
{
    *n = (struct event_names){.size = names_size(entries)};
    n->memory = n->size ? calloc(1, n->size) : NULL;
    n->names = n->memory ? names_attach(n->memory, n->size) : NULL;
    return n->names ? 0 : -ENOMEM;
}

void event_names_release(struct event_names *n)
{
    free(n->memory);
    *n = (struct event_names){0};
}

void event_names_time(struct event_names *n, struct fields *f)
{
    const char *text = fields_text(f, "ts");
    int64_t seconds;
    if (!text)
        return;
    if (event_time_parse(text, &seconds) < 0) {
        fields_bad(f, "'ts' is no time; write it as 2026-11-22T10:30:46Z");
        return;
    }
    if (!n->started)
        n->first = seconds - (int64_t)n->now;
    n->started = true;
    if (seconds - n->first > (int64_t)n->now)
        n->now = (uint64_t)(seconds - n->first);
}

void event_names_start(struct event_names *n, struct fields *f)
{
    const char *run = fields_text(f, "run_id");
    if (run && strcmp(run, n->run_id) == 0)
        return;
    memset(n->memory, 0, n->size);
    n->names = names_attach(n->memory, n->size);
    n->started = false; /* nothing that counted before counts now: logs may come in any order */
    snprintf(n->run_id, sizeof(n->run_id), "%s", run ? run : "");
}

int event_ip_parse(const char *text, uint32_t *out)
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, text, &in) == 1) {
        *out = ntohl(in.s_addr);
        return 1;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return -EINVAL;
    if (!IN6_IS_ADDR_V4MAPPED(&in6))
        return 0;
    memcpy(&in.s_addr, in6.s6_addr + 12, 4);
    *out = ntohl(in.s_addr);
    return 1;
}

static void learn_one(struct event_names *n, const char *name, struct fields *f, json_t *ip,
                      uint32_t ttl)
{
    uint32_t address;
    const char *text = value_text(ip);
    int family = text ? event_ip_parse(text, &address) : -EINVAL;
    if (family < 0)
        fields_bad(f, "an answer holds something that is no address");
    else if (family == 1 && name[0])
        names_learn(n->names, CLIENT, name, address, ttl, n->now);
}

/* What a server of the client's choice says binds names only on the port of DNS (names.md). */
static bool resolver_teaches(struct fields *f)
{
    const char *resolver = fields_text(f, "resolver");
    uint64_t port = 53;
    fields_number(f, "dst_port", UINT16_MAX, &port);
    return !resolver || strcmp(resolver, "self") == 0 || port == 53;
}

/* A logged answer has `answers`, one written by hand `ips` and one `ttl`. */
void event_names_answer(struct event_names *n, struct fields *f)
{
    char host[NAME_MAX_LEN + 1];
    const char *name = fields_text(f, "name");
    json_t *ips = fields_list(f, "ips"), *answers = fields_list(f, "answers");
    uint64_t ttl = 0;
    if (!name) {
        fields_bad(f, "a DNS answer needs a 'name'");
        return;
    }
    /* Names that are no hosts are looked up too, and nothing is learnt of them. */
    if (name_normalize(name, strlen(name), host) < 0 || !resolver_teaches(f))
        host[0] = '\0';
    fields_number(f, "ttl", UINT32_MAX, &ttl);
    for (size_t i = 0; i < json_array_size(ips); i++)
        learn_one(n, host, f, json_array_get(ips, i), (uint32_t)ttl);
    for (size_t i = 0; i < json_array_size(answers); i++) {
        json_t *value = json_array_get(answers, i);
        struct fields one = {value, f->error};
        uint64_t own = 0;
        if (!json_is_object(value)) {
            fields_bad(f, "'answers' holds something that is no {\"ip\":…,\"ttl\":…}");
            return;
        }
        fields_number(&one, "ttl", UINT32_MAX, &own);
        learn_one(n, host, f, json_object_get(value, "ip"), (uint32_t)own);
    }
}

void event_names_learn(struct event_names *n, const char *name, uint32_t ip)
{
    names_learn(n->names, CLIENT, name, ip, 0, n->now);
}

void event_names_fill(struct event_names *n, uint32_t ip, struct event *e)
{
    e->n_names = names_of(n->names, CLIENT, ip, n->now, n->seen, NAMES_PER_ADDRESS);
    for (size_t i = 0; i < e->n_names; i++)
        n->list[i] = n->seen[i];
    e->names = n->list;
}
