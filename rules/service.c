/* SPDX-License-Identifier: MIT
 * Ports, protocols and methods. */
#include "rules/service.h"

#include <string.h>
#include <strings.h>

#include "rules/address.h"

static const struct {
    const char *name;
    unsigned bit;
} methods[] = {
    {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
    {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
    {"OPTIONS", METHOD_OPTIONS},
};

/* The part before the next `|`; false when there is none left. */
static bool part_next(struct span *rest, bool *more, struct span *part)
{
    if (!*more)
        return false;
    size_t bar = span_find(*rest, '|');
    *part = span_cut(*rest, 0, bar);
    *more = bar < rest->len;
    *rest = span_cut(*rest, MIN(bar + 1, rest->len), rest->len - MIN(bar + 1, rest->len));
    return true;
}

unsigned methods_parse(struct span s)
{
    unsigned set = 0;
    bool more = true;
    struct span part;
    if (span_is(s, "*"))
        return METHOD_ALL;
    while (part_next(&s, &more, &part)) {
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
            if (part.len == strlen(methods[i].name) &&
                strncasecmp(part.text, methods[i].name, part.len) == 0)
                bit = methods[i].bit;
        if (bit == 0)
            return 0;
        set |= bit;
    }
    return set;
}

unsigned method_of_request(const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(method, methods[i].name) == 0)
            return methods[i].bit;
    return METHOD_OTHER;
}

static bool port_parse(struct reporter *r, struct span s, uint16_t *port)
{
    uint32_t number;
    if (span_find(s, ',') < s.len) {
        reporter_error(r, s.at + span_find(s, ','),
                       "ports are joined with |, not with a comma; write such as :80|443");
        return false;
    }
    if (!decimal_parse(s.text, s.len, UINT16_MAX, &number) || number == 0) {
        reporter_error(r, s.at, "'%.*s' is no port; write a number from 1 to 65535", SPAN(s));
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static bool range_parse(struct reporter *r, struct span s, struct port_range *range)
{
    size_t dash = span_find(s, '-');
    if (s.len == 0 || span_is(s, "*")) {
        reporter_error(r, s.at,
                       s.len == 0 ? "a port is missing; write a number from 1 to 65535"
                                  : "* stands alone as a port; write :* for every port");
        return false;
    }
    if (!port_parse(r, span_cut(s, 0, dash), &range->low))
        return false;
    range->high = range->low;
    if (dash == s.len)
        return true;
    if (!port_parse(r, span_cut(s, dash + 1, s.len - dash - 1), &range->high))
        return false;
    if (range->high < range->low) {
        reporter_error(r, s.at, "the range of ports runs backwards; write %u-%u",
                       (unsigned)range->high, (unsigned)range->low);
        return false;
    }
    return true;
}

static bool ports_parse(struct reporter *r, struct arena *arena, struct span s,
                        struct port_list *out)
{
    size_t n = 1;
    bool more = true;
    struct span part;
    if (span_is(s, "*")) {
        out->any = true;
        return true;
    }
    for (size_t i = 0; i < s.len; i++)
        n += s.text[i] == '|';
    struct port_range *ranges = arena_array(arena, n, sizeof(*ranges));
    if (!ranges)
        return false;
    out->ranges = ranges;
    while (part_next(&s, &more, &part))
        if (!range_parse(r, part, &ranges[out->n++]))
            return false;
    return true;
}

static bool proto_parse(struct reporter *r, struct span s, unsigned *protos)
{
    if (span_is(s, "tcp"))
        *protos = RULE_TCP;
    else if (span_is(s, "udp"))
        *protos = RULE_UDP;
    else
        reporter_error(r, s.at, "'%.*s' is no protocol; write /tcp or /udp%s", SPAN(s),
                       ", or begin with https:// where a path was meant");
    return *protos != 0;
}

bool service_parse(struct reporter *r, struct arena *arena, struct span s, struct service *out)
{
    *out = (struct service){0};
    size_t slash = span_find(s, '/');
    if (s.len > 0 && s.text[0] == ':') {
        out->has_ports = true;
        if (!ports_parse(r, arena, span_cut(s, 1, slash - 1), &out->ports))
            return false;
    }
    if (slash == s.len)
        return true;
    if (!proto_parse(r, span_cut(s, slash + 1, s.len - slash - 1), &out->protos))
        return false;
    if (out->protos == RULE_UDP && !out->has_ports) {
        reporter_error(r, s.at + slash, "/udp needs a port; write it in front, such as :53/udp");
        return false;
    }
    return true;
}

bool ports_contain(const struct port_list *ports, uint16_t port)
{
    if (ports->any)
        return true;
    for (size_t i = 0; i < ports->n; i++)
        if (port >= ports->ranges[i].low && port <= ports->ranges[i].high)
            return true;
    return false;
}

bool ports_cover(const struct port_list *a, const struct port_list *b)
{
    if (a->any)
        return true;
    for (size_t i = 0; i < b->n; i++) {
        bool inside = false;
        for (size_t j = 0; j < a->n && !inside; j++)
            inside = b->ranges[i].low >= a->ranges[j].low && b->ranges[i].high <= a->ranges[j].high;
        if (!inside)
            return false;
    }
    return !b->any;
}
