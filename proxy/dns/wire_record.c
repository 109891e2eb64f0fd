/* SPDX-License-Identifier: MIT
 * Records of DNS messages, their data field by field where names can stand in it, and the names
 * of types and return codes. */
#include "dns/wire_name.h"

#include <errno.h>
#include <stdio.h>

/* 1, 2, 4: so many bytes; s: a string with its length; n: a name; N: a name that is written in
 * full; *: all the rest. */
static const struct {
    uint16_t type;
    const char *name;   /* NULL: has no name that we would show */
    const char *layout; /* NULL: bytes */
} types[] = {
    {DNS_A, "A", "4"},
    {DNS_NS, "NS", "n"},
    {3, NULL, "n"}, /* MD */
    {4, NULL, "n"}, /* MF */
    {DNS_CNAME, "CNAME", "n"},
    {DNS_SOA, "SOA", "nn44444"},
    {7, NULL, "n"}, /* MB */
    {8, NULL, "n"}, /* MG */
    {9, NULL, "n"}, /* MR */
    {10, "NULL", NULL},
    {DNS_PTR, "PTR", "n"},
    {13, "HINFO", NULL},
    {14, NULL, "nn"}, /* MINFO */
    {DNS_MX, "MX", "2n"},
    {DNS_TXT, "TXT", NULL},
    {17, NULL, "NN"},      /* RP */
    {18, NULL, "2N"},      /* AFSDB */
    {21, NULL, "2N"},      /* RT */
    {24, NULL, "44442N*"}, /* SIG */
    {26, NULL, "2NN"},     /* PX */
    {DNS_AAAA, "AAAA", NULL},
    {30, NULL, "N*"}, /* NXT */
    {DNS_SRV, "SRV", "222N"},
    {35, "NAPTR", "22sssN"},
    {36, NULL, "2N"}, /* KX */
    {39, "DNAME", "N"},
    {DNS_OPT, "OPT", NULL},
    {43, "DS", NULL},
    {44, "SSHFP", NULL},
    {46, "RRSIG", NULL},
    {47, "NSEC", NULL},
    {48, "DNSKEY", NULL},
    {50, "NSEC3", NULL},
    {52, "TLSA", NULL},
    {DNS_SVCB, "SVCB", NULL},
    {DNS_HTTPS, "HTTPS", NULL},
    {99, "SPF", NULL},
    {251, "IXFR", NULL},
    {DNS_AXFR, "AXFR", NULL},
    {DNS_ANY, "ANY", NULL},
    {256, "URI", NULL},
    {257, "CAA", NULL},
};

static const char *const rcodes[] = {
    [DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR", [DNS_SERVFAIL] = "SERVFAIL",
    [DNS_NXDOMAIN] = "NXDOMAIN", [DNS_NOTIMP] = "NOTIMP",   [DNS_REFUSED] = "REFUSED",
};

const char *dns_type_name(uint16_t type, char room[16])
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].type == type && types[i].name)
            return types[i].name;
    snprintf(room, 16, "TYPE%u", type);
    return room;
}

const char *dns_rcode_name(unsigned rcode, char room[16])
{
    if (rcode < ARRAY_SIZE(rcodes))
        return rcodes[rcode];
    snprintf(room, 16, "RCODE%u", rcode & 0xffff);
    return room;
}

const char *dns_rdata_layout(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(types) && types[i].type <= type; i++)
        if (types[i].type == type)
            return types[i].layout;
    return NULL;
}

static int field_take(struct dns_field *out, size_t *at, size_t end, size_t len)
{
    if (end - *at < len)
        return -EBADMSG;
    out->kind = FIELD_BYTES;
    out->at = *at;
    out->len = len;
    *at += len;
    return 1;
}

int dns_field_read(struct dns_bytes message, const struct dns_record *record, const char **layout,
                   size_t *at, struct dns_field *out)
{
    /* A name in the data ends where the data does; what it points to lies before. */
    struct dns_bytes part = {message.data, record->end};
    char letter = **layout;
    if (letter == '\0')
        return *at == record->end ? 0 : -EBADMSG;
    ++*layout;
    switch (letter) {
    case 'n':
    case 'N':
        out->kind = letter == 'n' ? FIELD_NAME : FIELD_PLAIN_NAME;
        return dns_name_read(part, at, &out->name) ? -EBADMSG : 1;
    case 's':
        if (*at >= record->end)
            return -EBADMSG;
        return field_take(out, at, record->end, message.data[*at] + 1u);
    case '*':
        return field_take(out, at, record->end, record->end - *at);
    default:
        return field_take(out, at, record->end, (size_t)(letter - '0'));
    }
}

static int check_fields(struct dns_bytes message, const struct dns_record *record)
{
    struct dns_field field;
    const char *layout = dns_rdata_layout(record->type);
    size_t at = record->rdata;
    int r = 0;
    if (!layout)
        return 0;
    do {
        r = dns_field_read(message, record, &layout, &at, &field);
    } while (r > 0);
    return r;
}

int dns_record_read(struct dns_bytes message, size_t *at, struct dns_record *out)
{
    enum { FIXED = 10 };
    size_t here = *at;
    if (dns_name_read(message, &here, &out->owner) || message.len - here < FIXED)
        return -EBADMSG;
    const uint8_t *fixed = message.data + here;
    size_t rdlength = dns_get16(fixed + 8);
    out->type = dns_get16(fixed);
    out->class = dns_get16(fixed + 2);
    out->ttl = dns_get32(fixed + 4);
    out->rdata = here + FIXED;
    if (message.len - out->rdata < rdlength)
        return -EBADMSG;
    out->end = out->rdata + rdlength;
    *at = out->end;
    return check_fields(message, out);
}

bool dns_opt_is_good(struct dns_bytes message, const struct dns_record *record)
{
    if (record->type != DNS_OPT || record->owner.len != 1)
        return false;
    size_t at = record->rdata;
    while (at < record->end) {
        if (record->end - at < 4)
            return false;
        size_t len = dns_get16(message.data + at + 2);
        at += 4;
        if (record->end - at < len)
            return false;
        at += len;
    }
    return true;
}
