/* SPDX-License-Identifier: MIT
 * What a record is about: traffic that one line of a policy would speak of has one row. */
#include <stdio.h>
#include <string.h>

#include "audit/summary_rows.h"
#include "rules/address.h"
#include "rules/policy.h"

static bool text_is(struct text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.data, word, t.len) == 0;
}

/* The end of a long text is kept: of a path the program's name, of a name the registered domain. */
static struct text last_of(struct text t, bool *cut)
{
    size_t over = t.len > SUMMARY_TEXT_MAX ? t.len - SUMMARY_TEXT_MAX : 0;
    *cut = over > 0;
    return (struct text){t.data ? t.data + over : "", t.len - over};
}

/* Names are the same in any letter case, and with or without their last dot. */
static void set_name(struct summary_key *key, struct text name)
{
    name = last_of(name, &key->destination_cut);
    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        key->lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    key->destination = (struct text){key->lower, name.len};
}

static void set_ip(struct summary_key *key, const struct record *r)
{
    uint32_t ip = r->dst_ip;
    int n = r->has_dst ? snprintf(key->lower, sizeof(key->lower), "%u.%u.%u.%u", ip >> 24,
                                  ip >> 16 & 255, ip >> 8 & 255, ip & 255)
                       : 0;
    key->destination = (struct text){key->lower, (size_t)n};
}

static void set_query(struct summary_key *key, const struct record *r)
{
    uint32_t ip;
    key->kind = ROW_DNS;
    key->udp = false;
    set_name(key, r->name.data ? r->name : r->host);
    key->ip = r->resolver.data && address_parse(r->resolver.data, r->resolver.len, &ip) ? ip : 0;
    if (!key->ip) {
        key->port = 0;
        return;
    }
    /* A resolver of the client's own needs a line for its address too. */
    key->port = r->dst_port ? r->dst_port : 53;
    key->udp = !text_is(r->proto, "tcp");
}

/* Bytes of no known protocol, UDP and metadata services go by the address, whatever its name. */
static bool goes_by_address(const struct summary_key *key, const struct record *r)
{
    bool unknown = r->first_bytes.data && text_is(r->first_bytes, "unknown");
    return key->udp || (r->has_dst && address_is_metadata(r->dst_ip)) ||
           (unknown && (key->port == 80 || key->port == 443));
}

static void set_connection(struct summary_key *key, const struct record *r)
{
    uint32_t literal;
    bool other = r->proto.data && !key->udp && !text_is(r->proto, "tcp");
    bool named = r->host.data && !address_parse(r->host.data, r->host.len, &literal);
    if (named && !goes_by_address(key, r)) {
        key->kind = ROW_HOST;
        set_name(key, r->host);
        return;
    }
    key->kind = r->type == RECORD_ICMP || other ? ROW_OTHER : ROW_IP;
    key->ip = r->dst_ip;
    set_ip(key, r);
    bool cut;
    if (named)
        key->called = last_of(r->host, &cut);
}

void summary_key(const struct record *r, const struct summary_who *who, struct summary_key *out)
{
    *out = (struct summary_key){.port = r->dst_port, .program_counts = who->exe_counts};
    out->program = last_of(who->exe, &out->program_cut);
    bool cut;
    if (who->container.data)
        out->container = last_of(who->container, &cut);
    out->udp = r->proto.data ? text_is(r->proto, "udp") : r->type == RECORD_UDP;
    if (r->type == RECORD_DNS) {
        set_query(out, r);
    } else if (r->type == RECORD_IPV6) {
        out->kind = ROW_IPV6;
        out->destination = last_of(r->dst_ip6, &out->destination_cut);
    } else if (r->type == RECORD_SOCKET || r->type == RECORD_TYPE_SUDO) {
        out->kind = ROW_OTHER;
        out->destination = r->type == RECORD_SOCKET ? text_of("(socket)") : text_of("(sudo)");
    } else if (r->url.data) {
        out->kind = ROW_URL;
        out->destination = last_of(r->url, &out->destination_cut);
        out->method = r->method.data ? r->method : text_of("GET");
        out->method.len = MIN(out->method.len, (size_t)SUMMARY_METHOD_MAX);
    } else {
        set_connection(out, r);
    }
}
