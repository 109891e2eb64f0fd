/* SPDX-License-Identifier: MIT
 * From words to an event. Each kind of event is an entry in a table; what follows its target is the
 * same words for all of them, as far as they can be true of it. */
#include "review/event_words.h"

#include <string.h>

#include "review/event_facts.h"
#include "review/event_url.h"
#include "rules/address.h"
#include "rules/selector.h"

struct reading {
    struct reporter *r;
    struct event_words *out;
    struct words words;
    const char **seen; /* room for as many as there are words */
    size_t n_seen;
};

static bool bad(struct reading *in, struct span where, const char *why)
{
    reporter_error(in->r, where.at, "'%.*s' %s", SPAN(where), why);
    return false;
}

/* The normal form of a name; NULL after saying why. */
static const char *take_name(struct reading *in, struct span s)
{
    char name[NAME_MAX_LEN + 1];
    if (name_normalize(s.text, s.len, name) < 0) {
        (void)bad(in, s, "is no name; write one such as github.com");
        return NULL;
    }
    return arena_copy(&in->out->arena, name, strlen(name));
}

/* NAME[:PORT] in two; port 0: it must be there. */
static bool take_port(struct reading *in, struct span s, uint16_t port, struct span *host)
{
    size_t colon = span_find(s, ':');
    struct span text = span_cut(s, MIN(colon + 1, s.len), s.len - MIN(colon + 1, s.len));
    uint32_t number = port;
    *host = span_cut(s, 0, colon);
    if (colon < s.len && !decimal_parse(text.text, text.len, UINT16_MAX, &number))
        return bad(in, text, "is no port; write a number from 1 to 65535");
    if (number == 0)
        return bad(in, s, "needs a port; write it behind a colon, such as :22");
    in->out->event.dst_port = (uint16_t)number;
    return true;
}

static bool take_address(struct reading *in, struct span s)
{
    struct event *e = &in->out->event;
    if (!address_parse(s.text, s.len, &e->dst_ip))
        return bad(in, s, "is no IPv4 address; write one such as 192.0.2.1");
    e->has_dst = true;
    return true;
}

static bool read_tls(struct reading *in, struct span s)
{
    struct event *e = &in->out->event;
    struct span host;
    e->stage = EVENT_TLS;
    if (!take_port(in, s, 443, &host))
        return false;
    if (address_looks_like(host.text, host.len))
        return take_address(in, host);
    e->host = take_name(in, host);
    return e->host != NULL;
}

static bool read_tcp(struct reading *in, struct span s)
{
    struct event *e = &in->out->event;
    struct span host;
    e->stage = EVENT_ADDRESS;
    if (!take_port(in, s, 0, &host))
        return false;
    if (address_looks_like(host.text, host.len))
        return take_address(in, host);
    e->host = take_name(in, host);
    return e->host != NULL;
}

static bool read_udp(struct reading *in, struct span s)
{
    struct span host;
    in->out->event.stage = EVENT_ADDRESS;
    in->out->event.proto = PROTO_UDP;
    return take_port(in, s, 0, &host) && take_address(in, host);
}

static bool read_dns(struct reading *in, struct span s)
{
    struct event *e = &in->out->event;
    e->stage = EVENT_DNS;
    e->proto = PROTO_UDP;
    e->dst_port = 53;
    e->resolver_is_self = true;
    e->host = take_name(in, s);
    return e->host != NULL;
}

static bool read_url(struct reading *in, struct span s)
{
    struct event_url url;
    struct arena *arena = &in->out->arena;
    struct event *e = &in->out->event;
    char *text = arena_copy(arena, s.text, s.len);
    if (!text)
        return false;
    const char *why = event_url_parse(text, &url);
    if (why)
        return bad(in, s, why);
    if (url.ipv6)
        return bad(in, s, "has an IPv6 address, and IPv6 is closed; write a name or IPv4");
    e->stage = EVENT_REQUEST;
    e->https = url.https;
    e->dst_port = url.port;
    e->path = arena_copy(arena, url.path, strlen(url.path));
    /* A request to a literal address has no name, and is made to that address. */
    e->has_dst = address_parse(url.host, strlen(url.host), &e->dst_ip);
    if (!e->has_dst)
        e->host = take_name(in, (struct span){url.host, strlen(url.host), s.at});
    return e->path && (e->has_dst || e->host);
}

static const struct {
    const char *word;
    bool (*read)(struct reading *in, struct span target);
    const char *wants;
} kinds[] = {
    {"tls", read_tls, "tls needs a name; write one such as tls github.com"},
    {"tcp", read_tcp, "tcp needs an address; write one such as tcp 192.0.2.1:22"},
    {"udp", read_udp, "udp needs an address; write one such as udp 192.0.2.1:53"},
    {"dns", read_dns, "dns needs a name; write one such as dns github.com"},
};

static bool read_method(struct reading *in, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_", s.text[i]))
            return bad(in, s,
                       "is no event; write one such as tls HOST, tcp ADDRESS:PORT, "
                       "udp ADDRESS:PORT, dns NAME, or a URL");
    in->out->event.method = arena_copy(&in->out->arena, s.text, s.len);
    return in->out->event.method != NULL;
}

static bool is_url(struct span s)
{
    return s.len > 3 && memmem(s.text, s.len, "://", 3);
}

/* The kind and its target; *next is then what follows them. */
static bool read_target(struct reading *in, size_t *next)
{
    const struct words *w = &in->words;
    struct span first = w->n > 0 ? w->list[0] : (struct span){"", 0, 0};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!span_is(first, kinds[i].word))
            continue;
        *next = 2;
        if (w->n > 1)
            return kinds[i].read(in, w->list[1]);
        reporter_error(in->r, first.at + first.len, "%s", kinds[i].wants);
        return false;
    }
    *next = 1;
    in->out->event.method = "GET";
    if (is_url(first))
        return read_url(in, first);
    if (w->n > 1 && is_url(w->list[1])) {
        *next = 2;
        return read_method(in, first) && read_url(in, w->list[1]);
    }
    return bad(in, first,
               "is no event; write one such as tls HOST, tcp ADDRESS:PORT, "
               "udp ADDRESS:PORT, dns NAME, or a URL");
}

/* `at ADDRESS`: where the name lies, or whom it is asked of. */
static bool read_at(struct reading *in, struct span at, size_t *next)
{
    struct event *e = &in->out->event;
    struct span host = *next < in->words.n ? in->words.list[*next] : (struct span){"", 0, 0};
    if (host.len == 0)
        return bad(in, at, "needs an address; write one behind it");
    ++*next;
    if (e->stage == EVENT_DNS) {
        e->resolver_is_self = false;
        return take_port(in, host, 53, &host) && take_address(in, host);
    }
    if (!e->host)
        return bad(in, at, "stands behind a name; write it for tls, dns or a URL");
    return take_address(in, host);
}

static bool read_first_bytes(struct reading *in, struct span word, struct span value)
{
    struct event *e = &in->out->event;
    e->unknown_bytes = span_is(value, "unknown");
    e->http = span_is(value, "http");
    if (e->unknown_bytes || e->http)
        return true;
    return bad(in, word, "tells nothing; write first_bytes=unknown or first_bytes=http");
}

/* Words about the connection that have the shape of selectors. */
static bool read_extra(struct reading *in, struct span word, bool *taken)
{
    struct event *e = &in->out->event;
    size_t equals = span_find(word, '=');
    struct span name = span_cut(word, 0, equals);
    struct span value = span_cut(word, equals + 1, word.len - equals - 1);
    bool raw = e->stage == EVENT_ADDRESS && e->proto == PROTO_TCP;
    *taken = true;
    if (span_is(name, "host")) {
        if (!raw || e->host)
            return bad(in, word, "says nothing here; write it once, behind tcp ADDRESS:PORT");
        e->host = take_name(in, value);
        return e->host != NULL;
    }
    if (span_is(name, "first_bytes"))
        return raw ? read_first_bytes(in, word, value)
                   : bad(in, word, "says nothing here; write it behind tcp ADDRESS:PORT");
    if (span_is(name, "seen")) {
        const char *seen = take_name(in, value);
        in->seen[in->n_seen] = seen;
        in->n_seen += seen != NULL;
        return seen != NULL;
    }
    *taken = false;
    return true;
}

static bool read_rest(struct reading *in, size_t next, struct event_facts *facts)
{
    while (next < in->words.n) {
        struct span word = in->words.list[next++];
        bool taken;
        if (span_is(word, "at")) {
            if (!read_at(in, word, &next))
                return false;
            continue;
        }
        if (!selector_is(word))
            return bad(in, word, "says nothing about an event; write NAME=VALUE, or at ADDRESS");
        if (!read_extra(in, word, &taken) ||
            (!taken && !event_facts_add(facts, in->r, &in->out->arena, word)))
            return false;
    }
    return true;
}

static bool read_words(struct reading *in, struct span text)
{
    struct event_words *out = in->out;
    struct event_facts facts;
    size_t next;
    if (!words_split(in->r, text, &in->words))
        return false;
    in->seen = arena_array(&out->arena, in->words.n + 1, sizeof(*in->seen));
    if (!in->seen || !event_facts_init(&facts, &out->arena, &out->process, in->words.n) ||
        !read_target(in, &next) || !read_rest(in, next, &facts))
        return false;
    if (facts.told)
        out->event.process = &out->process;
    out->event.names = in->seen;
    out->event.n_names = in->n_seen;
    if (out->event.stage != EVENT_REQUEST)
        out->event.method = NULL;
    return true;
}

bool event_words_parse(struct reporter *r, struct span text, struct event_words *out)
{
    struct reading in = {.r = r, .out = out};
    *out = (struct event_words){.event.proto = PROTO_TCP};
    bool good = read_words(&in, text);
    words_release(&in.words);
    return good;
}

void event_words_release(struct event_words *w)
{
    arena_release(&w->arena);
}

static void put_ip(struct buffer *out, uint32_t ip)
{
    buffer_printf(out, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static void put_port(struct buffer *out, uint16_t port, uint16_t implied)
{
    if (port != implied)
        buffer_printf(out, ":%u", port);
}

/* Quotes and blanks would part words; to a policy they are the same as their escapes. */
static void put_path(struct buffer *out, const char *path)
{
    for (; *path; path++) {
        if (strchr("\"` \t", *path))
            buffer_printf(out, "%%%02X", (unsigned char)*path);
        else
            buffer_add_char(out, *path);
    }
}

static void put_url(const struct event *e, struct buffer *out)
{
    if (strcmp(e->method, "GET") != 0)
        buffer_printf(out, "%s ", e->method);
    buffer_printf(out, "%s://", e->https ? "https" : "http");
    if (e->host)
        buffer_add_string(out, e->host);
    else
        put_ip(out, e->dst_ip);
    put_port(out, e->dst_port, e->https ? 443 : 80);
    put_path(out, e->path);
}

/* A name, or where there is none the address itself. */
static void put_target(const struct event *e, struct buffer *out, bool by_name, uint16_t implied)
{
    if (by_name)
        buffer_add_string(out, e->host);
    else
        put_ip(out, e->dst_ip);
    put_port(out, e->dst_port, implied);
}

static void put_at(const struct event *e, struct buffer *out, uint16_t implied)
{
    buffer_add_string(out, " at ");
    put_ip(out, e->dst_ip);
    put_port(out, e->dst_port, implied);
}

static void put_raw(const struct event *e, struct buffer *out)
{
    buffer_add_string(out, e->proto == PROTO_UDP ? "udp " : "tcp ");
    put_target(e, out, e->host && !e->has_dst, 0);
    if (e->host && e->has_dst)
        buffer_printf(out, " host=%s", e->host);
    if (e->unknown_bytes || e->http)
        buffer_printf(out, " first_bytes=%s", e->unknown_bytes ? "unknown" : "http");
}

void event_words_write(const struct event *e, struct buffer *out)
{
    if (e->stage == EVENT_ADDRESS) {
        put_raw(e, out);
    } else if (e->stage == EVENT_DNS) {
        buffer_printf(out, "dns %s", e->host);
        if (!e->resolver_is_self)
            put_at(e, out, 53);
    } else {
        if (e->stage == EVENT_REQUEST)
            put_url(e, out);
        else
            buffer_add_string(out, "tls "), put_target(e, out, e->host != NULL, 443);
        if (e->host && e->has_dst)
            put_at(e, out, e->dst_port);
    }
    for (size_t i = 0; i < e->n_names; i++)
        buffer_printf(out, " seen=%s", e->names[i]);
    if (e->process)
        event_facts_write(e->process, out);
}
