/* SPDX-License-Identifier: MIT
 * What a rule is about. The form is told from the first characters that can only mean one thing,
 * so that a slip in one form is not read as another. */
#include "rules/target.h"

#include <string.h>
#include <strings.h>

#include "rules/address.h"
#include "rules/host.h"

static bool starts(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && memcmp(s.text, prefix, len) == 0;
}

static struct span span_from(struct span s, size_t from)
{
    return span_cut(s, from, s.len - from);
}

static bool looks_like_ipv6(struct span s)
{
    size_t colons = 0, other = 0;
    if (span_find(s, ':') == s.len && (s.len == 0 || s.text[0] != '['))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.text[i] == ':')
            colons++;
        else if (!strchr("0123456789abcdefABCDEF./[]", s.text[i]))
            other++;
    }
    return span_has(s, "::", 2) || (s.len > 0 && s.text[0] == '[') || (colons > 1 && other == 0);
}

static bool refuse_ipv6(struct reporter *r, struct span s)
{
    if (!looks_like_ipv6(s))
        return false;
    reporter_error(r, s.at,
                   "IPv6 targets cannot be allowed, IPv6 egress is closed; write a name or an "
                   "IPv4 address");
    return true;
}

static bool scheme_parse(struct reporter *r, struct span s, struct url_base *out, size_t *skip)
{
    size_t len = span_find(s, ':');
    struct span scheme = span_cut(s, 0, len);
    out->https = len == 5 && strncasecmp(scheme.text, "https", 5) == 0;
    if (!out->https && !(len == 4 && strncasecmp(scheme.text, "http", 4) == 0)) {
        reporter_error(r, s.at, "'%.*s' is no scheme of a URL rule; write https:// or http://",
                       SPAN(scheme));
        return false;
    }
    out->port = out->https ? 443 : 80;
    *skip = len + 3;
    return true;
}

static bool url_port_parse(struct reporter *r, struct span s, uint16_t *port)
{
    uint32_t number;
    if (!decimal_parse(s.text, s.len, UINT16_MAX, &number) || number == 0) {
        reporter_error(r, s.at, "'%.*s' is no port of a URL; write one number from 1 to 65535",
                       SPAN(s));
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

bool url_base_parse(struct reporter *r, struct arena *arena, struct span s, struct url_base *out,
                    struct span *path)
{
    size_t skip;
    *out = (struct url_base){0};
    if (!scheme_parse(r, s, out, &skip))
        return false;
    struct span rest = span_from(s, skip);
    size_t end = MIN(span_find(rest, '/'), MIN(span_find(rest, '?'), span_find(rest, '#')));
    struct span authority = span_cut(rest, 0, end);
    *path = span_from(rest, end);
    if (span_find(authority, '@') < authority.len) {
        reporter_error(r, authority.at,
                       "a URL rule takes no user name or password; leave them away up to the @");
        return false;
    }
    if (refuse_ipv6(r, authority))
        return false;
    size_t colon = span_find(authority, ':');
    struct span host = span_cut(authority, 0, colon);
    if (colon < authority.len && !url_port_parse(r, span_from(authority, colon + 1), &out->port))
        return false;
    if (address_parse(host.text, host.len, &out->ip)) {
        out->by_address = true;
        return true;
    }
    return host_pattern_parse(r, arena, host, &out->host);
}

static bool url_parse(struct reporter *r, struct arena *arena, struct span s, struct target *out)
{
    out->type = TARGET_URL;
    out->typed = s;
    if (!url_base_parse(r, arena, s, &out->url, &out->path))
        return false;
    out->host = out->url.host;
    if (out->path.len == 0 || out->path.text[0] != '/') {
        reporter_error(r, out->path.at,
                       "a URL rule needs a path; write / for the root alone or /* for everything");
        return false;
    }
    return true;
}

static bool dns_parse(struct reporter *r, struct arena *arena, struct span s, struct target *out)
{
    struct span name = span_from(s, strlen("dns:"));
    uint32_t ip;
    out->typed = s;
    if (refuse_ipv6(r, name))
        return false;
    size_t extra = MIN(span_find(name, ':'), span_find(name, '/'));
    if (extra < name.len) {
        reporter_error(r, name.at + extra,
                       "a dns: rule takes no port and no protocol; write dns:%.*s",
                       SPAN(span_cut(name, 0, extra)));
        return false;
    }
    if (address_parse(name.text, name.len, &ip)) {
        reporter_error(r, name.at, "a dns: rule takes a name; write the address without dns:");
        return false;
    }
    if (!host_pattern_parse(r, arena, name, &out->host))
        return false;
    out->type = host_pattern_is_exact(&out->host) ? TARGET_DNS_HOST : TARGET_DNS_WILDCARD_HOST;
    return true;
}

/* `dns:53` is a host called dns; what is not made of digits is a name to look up. */
static bool is_dns(struct span s)
{
    if (!starts(s, "dns:"))
        return false;
    struct span rest = span_from(s, strlen("dns:"));
    struct span ports = span_cut(rest, 0, span_find(rest, '/'));
    for (size_t i = 0; i < ports.len; i++)
        if (!strchr("0123456789|-", ports.text[i]))
            return true;
    return ports.len == 0;
}

static bool address_parse_target(struct reporter *r, struct span s, struct span prefix,
                                 struct target *out)
{
    uint32_t bits = 32;
    if (!address_parse(s.text, s.len, &out->ip)) {
        reporter_error(r, s.at,
                       "'%.*s' is no IPv4 address; write four numbers from 0 to 255 without "
                       "leading zeros, such as 8.8.8.8",
                       SPAN(s));
        return false;
    }
    out->type = prefix.text ? TARGET_CIDR : TARGET_IP;
    if (prefix.text && !decimal_parse(prefix.text, prefix.len, 32, &bits)) {
        reporter_error(r, prefix.at,
                       "'%.*s' is no prefix length; write a number from 0 to 32, such as "
                       "10.0.0.0/8",
                       SPAN(prefix));
        return false;
    }
    out->mask = address_mask(bits);
    if ((out->ip & out->mask) != out->ip) {
        out->ip &= out->mask;
        reporter_warn(r, s.at,
                      "bits of the address outside its prefix are masked off; write "
                      "%u.%u.%u.%u/%u",
                      out->ip >> 24, out->ip >> 16 & 255, out->ip >> 8 & 255, out->ip & 255, bits);
    }
    return true;
}

/* Where the name or address ends, and where the ports and the protocol begin. */
static bool split(struct reporter *r, struct span s, struct span *name, struct span *prefix,
                  struct span *service)
{
    size_t end = MIN(span_find(s, ':'), span_find(s, '/'));
    *name = span_cut(s, 0, end);
    *service = span_from(s, end);
    *prefix = (struct span){NULL, 0, 0};
    if (end == s.len || s.text[end] == ':')
        return true;
    struct span behind = span_from(s, end + 1);
    if (address_looks_like(name->text, name->len) && behind.len > 0 && behind.text[0] >= '0' &&
        behind.text[0] <= '9') {
        size_t stop = MIN(span_find(behind, ':'), span_find(behind, '/'));
        *prefix = span_cut(behind, 0, stop);
        *service = span_from(behind, stop);
    } else if (starts(behind, "tcp:") || starts(behind, "udp:")) {
        reporter_error(r, behind.at, "the protocol stands behind the port; write :PORT/%.3s",
                       behind.text);
        return false;
    } else if (!span_is(behind, "tcp") && !span_is(behind, "udp")) {
        reporter_error(r, s.at + end,
                       "only a URL has a path; write https://%.*s, or /tcp or /udp where a "
                       "protocol was meant",
                       SPAN(s));
        return false;
    }
    return true;
}

static bool host_parse(struct reporter *r, struct arena *arena, struct span s, struct target *out)
{
    struct span name, prefix, service;
    if (refuse_ipv6(r, s))
        return false;
    if (span_find(s, '@') < s.len) {
        reporter_error(r, s.at, "a target holds no @; write a name such as github.com");
        return false;
    }
    if (!split(r, s, &name, &prefix, &service))
        return false;
    out->typed = span_cut(s, 0, s.len - service.len);
    if (address_looks_like(name.text, name.len) || prefix.text) {
        if (!address_parse_target(r, name, prefix, out))
            return false;
    } else {
        if (!host_pattern_parse(r, arena, name, &out->host))
            return false;
        out->type = host_pattern_is_exact(&out->host) ? TARGET_HOST : TARGET_WILDCARD_HOST;
    }
    return service_parse(r, arena, service, &out->service);
}

bool target_parse(struct reporter *r, struct arena *arena, struct span s, struct target *out)
{
    *out = (struct target){0};
    if (span_is_url(s))
        return url_parse(r, arena, s, out);
    if (is_dns(s))
        return dns_parse(r, arena, s, out);
    if (s.len > 0 && s.text[0] == '/') {
        out->type = TARGET_PATH;
        out->typed = out->path = s;
        return true;
    }
    return host_parse(r, arena, s, out);
}

const char *target_type_name(enum target_type type)
{
    static const char *const names[] = {
        [TARGET_HOST] = "host",
        [TARGET_WILDCARD_HOST] = "wildcard_host",
        [TARGET_IP] = "ip",
        [TARGET_CIDR] = "cidr",
        [TARGET_URL] = "url",
        [TARGET_PATH] = "path",
        [TARGET_DNS_HOST] = "dns_host",
        [TARGET_DNS_WILDCARD_HOST] = "dns_wildcard_host",
    };
    return names[type];
}
