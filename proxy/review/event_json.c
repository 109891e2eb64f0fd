/* SPDX-License-Identifier: MIT
 * Reads as sections 7 and 9 of the language: what kind of traffic a line is about, and what the
 * filter would have known of it at that moment. */
#include "review/event_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "review/event_names.h"
#include "review/event_process.h"
#include "review/event_url.h"
#include "rules/policy.h"

struct event_reader {
    struct event_names names;
    json_t *root;
    struct event event;
    struct event_owner owner;
    char host[NAME_MAX_LEN + 1];
    struct event_url url;
};

enum line_kind { LINE_TRAFFIC, LINE_ANSWER, LINE_START, LINE_NOTHING };

static const struct {
    const char *word;
    enum line_kind kind;
    const char *type; /* where the line does not say */
} events[] = {
    {"connect", LINE_TRAFFIC, NULL}, {"request", LINE_TRAFFIC, NULL},
    {"query", LINE_TRAFFIC, "dns"},  {"datagram", LINE_TRAFFIC, "udp"},
    {"answer", LINE_ANSWER, NULL},   {"start", LINE_START, NULL},
    {"close", LINE_NOTHING, NULL},   {"reload", LINE_NOTHING, NULL},
    {"stop", LINE_NOTHING, NULL},    {"gap", LINE_NOTHING, NULL},
    {"trust", LINE_NOTHING, NULL},   {"sudo", LINE_NOTHING, NULL},
};

static const struct traffic {
    const char *type;
    enum event_stage stage;
    enum event_proto proto;
    uint16_t port; /* where the line does not say; 0: it must */
    bool http;     /* an HTTP request that was not read */
} traffics[] = {
    {"tcp", EVENT_ADDRESS, PROTO_TCP, 0, false},  {"http", EVENT_ADDRESS, PROTO_TCP, 80, true},
    {"https", EVENT_TLS, PROTO_TCP, 443, false},  {"dns", EVENT_DNS, PROTO_UDP, 53, false},
    {"udp", EVENT_ADDRESS, PROTO_UDP, 0, false},  {"icmp", EVENT_OTHER, PROTO_OTHER, 0, false},
    {"ipv6", EVENT_OTHER, PROTO_OTHER, 0, false}, {"socket", EVENT_OTHER, PROTO_OTHER, 0, false},
};

struct event_reader *event_reader_new(size_t names)
{
    struct event_reader *r = calloc(1, sizeof(*r));
    if (r && event_names_init(&r->names, names) < 0) {
        event_reader_free(r);
        return NULL;
    }
    return r;
}

void event_reader_free(struct event_reader *r)
{
    if (!r)
        return;
    json_decref(r->root);
    event_owner_release(&r->owner);
    event_names_release(&r->names);
    free(r);
}

/* Where to. IPv6 is closed, whatever the rest of the line says. */
static void take_destination(struct event_reader *r, struct fields *f, uint16_t port)
{
    struct event *e = &r->event;
    const char *ip = fields_text(f, "dst_ip");
    uint64_t number = port;
    fields_number(f, "dst_port", UINT16_MAX, &number);
    e->dst_port = (uint16_t)number;
    int family = ip ? event_ip_parse(ip, &e->dst_ip) : 1;
    if (family < 0)
        fields_bad(f, "'dst_ip' is no address");
    e->has_dst = ip && family == 1;
    if (family == 0)
        e->stage = EVENT_OTHER;
}

static void take_host(struct event_reader *r, struct fields *f, const char *host)
{
    uint32_t ip;
    if (event_ip_parse(host, &ip) == 1)
        snprintf(r->host, sizeof(r->host), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                 ip & 255);
    else if (name_normalize(host, strlen(host), r->host) < 0)
        fields_bad(f, "'%s' holds what is no name",
                   r->event.stage == EVENT_REQUEST ? "url" : "host");
    r->event.host = r->host;
}

/* A name that was only seen for the address: what the log says of it is learnt, should the answer
 * itself have been lost with an older file. */
static void take_seen(struct event_reader *r, struct fields *f, const char *host)
{
    char name[NAME_MAX_LEN + 1];
    if (!r->event.has_dst)
        return;
    if (name_normalize(host, strlen(host), name) < 0)
        fields_bad(f, "'host' holds what is no name");
    else
        event_names_learn(&r->names, name, r->event.dst_ip);
}

/* The filter dials another address only where it was resolved for that name. */
static void take_dialed(struct event_reader *r, struct fields *f)
{
    const char *text = fields_text(f, "dialed_ip");
    uint32_t ip;
    if (!text)
        return;
    if (event_ip_parse(text, &ip) != 1)
        fields_bad(f, "'dialed_ip' is no IPv4 address");
    else if (r->event.host && r->event.stage == EVENT_TLS)
        event_names_learn(&r->names, r->event.host, ip);
}

static void take_names(struct event_reader *r)
{
    struct event *e = &r->event;
    uint32_t ip = e->dst_ip;
    if (e->has_dst || (e->host && event_ip_parse(e->host, &ip) == 1))
        event_names_fill(&r->names, ip, e);
}

static void take_query(struct event_reader *r, struct fields *f)
{
    struct event *e = &r->event;
    const char *name = fields_text(f, "name"), *resolver = fields_text(f, "resolver");
    const char *proto = fields_text(f, "proto");
    bool self = resolver && strcmp(resolver, "self") == 0;
    e->resolver_is_self = self;
    if (proto && strcmp(proto, "tcp") == 0)
        e->proto = PROTO_TCP;
    /* Malformed queries have no name in the log, and others one that is no host's. */
    if (name && name_normalize(name, strlen(name), r->host) == 0)
        e->host = r->host;
    if (e->has_dst || self || e->stage == EVENT_OTHER)
        return;
    if (!resolver)
        fields_bad(f, "a DNS query needs a 'resolver', an address or \"self\"");
    else if (event_ip_parse(resolver, &e->dst_ip) == 1)
        e->has_dst = true;
    else
        fields_bad(f, "'resolver' is neither an IPv4 address nor \"self\"");
}

static void take_request(struct event_reader *r, struct fields *f, const char *url)
{
    struct event *e = &r->event;
    const char *method = fields_text(f, "method");
    const char *problem = event_url_parse(url, &r->url);
    if (problem) {
        fields_bad(f, "'url' %s", problem);
        return;
    }
    e->stage = EVENT_REQUEST;
    e->proto = PROTO_TCP;
    e->https = r->url.https;
    e->path = r->url.path;
    e->method = method ? method : "GET";
    take_destination(r, f, r->url.port);
    if (r->url.ipv6)
        e->stage = EVENT_OTHER;
    else
        take_host(r, f, r->url.host);
}

/* What the client said first, in the words of first_bytes_name(). */
static void take_bytes(struct event *e, const char *bytes, bool http)
{
    e->http = bytes ? strcmp(bytes, "http") == 0 || strcmp(bytes, "h2c") == 0 : http;
    e->unknown_bytes = bytes && strcmp(bytes, "unknown") == 0;
}

static void take_connection(struct event_reader *r, struct fields *f, const struct traffic *t)
{
    struct event *e = &r->event;
    const char *host = fields_text(f, "host"), *from = fields_text(f, "name_from");
    const char *bytes = fields_text(f, "first_bytes");
    take_destination(r, f, t->port);
    if (e->stage == EVENT_DNS)
        take_query(r, f);
    if (e->stage != EVENT_ADDRESS && e->stage != EVENT_TLS)
        return;
    if (e->stage == EVENT_ADDRESS)
        take_bytes(e, bytes, t->http);
    if (host && from && strcmp(from, "dns") == 0)
        take_seen(r, f, host);
    else if (host)
        take_host(r, f, host);
    take_dialed(r, f);
    if (!e->dst_port)
        fields_bad(f, "the event needs a 'dst_port'");
    if (!e->has_dst && !e->host)
        fields_bad(f, "the event needs a 'dst_ip' or a 'host'");
}

static const struct traffic *find_traffic(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(traffics); i++)
        if (strcmp(type, traffics[i].type) == 0)
            return &traffics[i];
    return NULL;
}

static void take_traffic(struct event_reader *r, struct fields *f, const char *type)
{
    struct event *e = &r->event;
    const char *url = fields_text(f, "url");
    const struct traffic *t = type ? find_traffic(type) : NULL;
    if (!type && !url) {
        fields_bad(f, "the event has no 'type'; write tcp, http, https, dns or udp, or a 'url'");
        return;
    }
    if (type && !t) {
        fields_bad(f, "'type' is none that is judged; write tcp, http, https, dns, udp, icmp, ipv6 "
                      "or socket");
        return;
    }
    if (t)
        *e = (struct event){.stage = t->stage, .proto = t->proto};
    if (url)
        take_request(r, f, url);
    else
        take_connection(r, f, t);
    if (e->stage == EVENT_OTHER)
        e->proto = PROTO_OTHER;
    else if (e->stage != EVENT_DNS && !f->error->code)
        take_names(r);
    if (event_owner_read(f, &r->owner))
        e->process = &r->owner.process;
}

static enum line_kind kind_of(struct fields *f, const char **type)
{
    const char *word = fields_text(f, "event");
    *type = fields_text(f, "type");
    for (size_t i = 0; word && i < ARRAY_SIZE(events); i++) {
        if (strcmp(word, events[i].word) != 0)
            continue;
        *type = *type ? *type : events[i].type;
        return events[i].kind;
    }
    if (word)
        fields_bad(f, "'event' is none that a log has");
    return *type && strcmp(*type, "dns_answer") == 0 ? LINE_ANSWER : LINE_TRAFFIC;
}

static int read_object(struct event_reader *r, struct fields *f)
{
    const char *type;
    enum line_kind kind = kind_of(f, &type);
    if (kind == LINE_START)
        event_names_start(&r->names, f);
    event_names_time(&r->names, f);
    if (f->error->code)
        return f->error->code;
    switch (kind) {
    case LINE_TRAFFIC:
        take_traffic(r, f, type);
        break;
    case LINE_ANSWER:
        event_names_answer(&r->names, f);
        break;
    case LINE_START:
    case LINE_NOTHING:
        break;
    }
    return f->error->code ? f->error->code : kind == LINE_TRAFFIC;
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r", line[i]) || line[i] == '\0')
            return false;
    return true;
}

int event_reader_line(struct event_reader *r, const char *line, size_t len,
                      const struct event **out, struct error *error)
{
    json_error_t fault;
    struct fields f = {.error = error};
    int judged = 0;
    error->code = 0;
    json_decref(r->root);
    r->root = NULL;
    r->event = (struct event){0};
    if (is_blank(line, len))
        return 0;
    r->root = f.object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!f.object)
        fields_bad(&f,
                   json_error_code(&fault) == json_error_duplicate_key
                       ? "the same field stands twice (byte %d)"
                       : "the line is no valid JSON (byte %d)",
                   fault.position);
    else if (!json_is_object(f.object))
        fields_bad(&f, "the line is no JSON object");
    else
        judged = read_object(r, &f);
    *out = &r->event;
    return error->code ? error->code : judged;
}

struct json_t *event_reader_object(struct event_reader *r)
{
    return r->root;
}
