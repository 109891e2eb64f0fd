/* SPDX-License-Identifier: MIT
 * DNS by its form, for datagrams to ports that are not DNS's. Resolvers differ in what they put up
 * with: flags that no query has, any opcode, several questions, counts of sections that lie
 * (dnsmasq reads the first question and looks no further), bytes behind the end, a name that points
 * back into the header (BIND follows). None of that hides a query here. */
#include "dns/wire_form.h"
#include "dns/wire_name.h"

enum {
    LABEL_MAX = 63,
    POINTER = 0xc0,
    TYPE_AND_CLASS = 4,
    CLASS_TOP = 0x8000, /* multicast DNS: asks for an answer to itself alone (RFC 6762, 18.12) */
};

/* Classes that are known: IN, CH, HS, NONE and ANY. A name of random bytes ends well once in some
 * hundreds; that such a class follows makes it rare enough. */
static bool class_is_known(uint16_t class)
{
    static const uint16_t known[] = {1, 3, 4, 254, 255};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if ((class & ~CLASS_TOP) == known[i])
            return true;
    return false;
}

/* Where the question's type stands, 0 where its name is none. A pointer ends a name; where it leads
 * is not asked, as long as it leads back. */
static size_t behind_name(const uint8_t *p, size_t len)
{
    size_t at = DNS_HEADER;
    while (at < len && at - DNS_HEADER < DNS_WIRE_NAME_MAX) {
        if (p[at] == 0)
            return at + 1;
        if (p[at] >= POINTER)
            return at + 1 < len && (size_t)(dns_get16(p + at) & 0x3fff) < at ? at + 2 : 0;
        if (p[at] > LABEL_MAX)
            return 0;
        at += 1u + p[at];
    }
    return 0;
}

bool dns_has_query_form(const void *data, size_t len)
{
    const uint8_t *p = data;
    if (len < DNS_HEADER + 1 + TYPE_AND_CLASS)
        return false;
    const uint16_t questions = dns_get16(p + 4);
    /* Nobody answers an answer: that is how servers keep from talking to each other for ever. */
    if ((dns_get16(p + 2) & DNS_QR) || questions == 0)
        return false;
    const size_t at = behind_name(p, len);
    if (at == 0 || len - at < TYPE_AND_CLASS || dns_get16(p + at) == 0)
        return false;
    /* The root's name is one zero byte, which much that is no DNS has there; it tells nobody
     * anything, so one question about it is enough to be generous. */
    if (at == DNS_HEADER + 1)
        return questions == 1;
    return questions == 1 || class_is_known(dns_get16(p + at + 2));
}
