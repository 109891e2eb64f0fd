/* SPDX-License-Identifier: MIT
 * Which DNS server answers for which names. */
#include "dns/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy.h"

static int bad(const char **why, const char *words)
{
    if (why)
        *why = words;
    return -EINVAL;
}

static bool parse_port(const char *text, uint16_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long port = strtoul(text, &end, 10);
    *out = (uint16_t)port;
    return *end == '\0' && port > 0 && port <= 65535 && end - text <= 5;
}

static int parse_address(const char *text, struct resolver_address *out, const char **why)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    struct in_addr in;
    if (colon && strchr(colon + 1, ':'))
        return bad(why, "DNS servers are asked over IPv4 only; write an address such as 192.0.2.1");
    if (len >= sizeof(address))
        return bad(why, "a DNS server is an IPv4 address, such as 192.0.2.1, perhaps with a port");
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, &in) != 1)
        return bad(why, "a DNS server is an IPv4 address, such as 192.0.2.1, perhaps with a port");
    out->ip = ntohl(in.s_addr);
    out->port = 53;
    if (out->ip == 0)
        return bad(why, "0.0.0.0 is nobody's address");
    if (colon && !parse_port(colon + 1, &out->port))
        return bad(why, "a port is a number from 1 to 65535");
    return 0;
}

int resolver_parse(const char *text, struct resolver *out, const char **why)
{
    const char *equals = strchr(text, '=');
    *out = (struct resolver){.zone = ""};
    if (!equals)
        return parse_address(text, &out->address, why);
    if (strchr(text, '*') && strchr(text, '*') < equals)
        return bad(why, "a zone stands for all names below it; write it without '*.'");
    if (name_normalize(text, (size_t)(equals - text), out->zone))
        return bad(why, "before '=' stands a zone, such as corp.example");
    return parse_address(equals + 1, &out->address, why);
}

void resolver_text(const struct resolver *r, char out[RESOLVER_TEXT])
{
    struct in_addr in = {htonl(r->address.ip)};
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &in, address, sizeof(address));
    snprintf(out, RESOLVER_TEXT, "%s%s%s:%u", r->zone, *r->zone ? "=" : "", address,
             r->address.port);
}

static bool lies_in(const char *host, const char *zone)
{
    size_t len = strlen(host), zone_len = strlen(zone);
    if (zone_len == 0 || (len == zone_len && strcmp(host, zone) == 0))
        return true;
    return len > zone_len && host[len - zone_len - 1] == '.' &&
           strcmp(host + len - zone_len, zone) == 0;
}

size_t resolver_choose(const struct resolver *all, size_t n, const char *host,
                       struct resolver_address out[RESOLVERS_MAX])
{
    size_t longest = 0, found = 0;
    for (size_t i = 0; i < n; i++)
        if (lies_in(host ? host : "", all[i].zone))
            longest = MAX(longest, strlen(all[i].zone));
    for (size_t i = 0; i < n && found < RESOLVERS_MAX; i++)
        if (lies_in(host ? host : "", all[i].zone) && strlen(all[i].zone) == longest)
            out[found++] = all[i].address;
    return found;
}
