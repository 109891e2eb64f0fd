/* SPDX-License-Identifier: MIT
 * The parts of a DNS message that reader and writer share: names, records, and where names stand
 * inside of record data. Only wire*.c include this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "dns/wire.h"

enum {
    DNS_HEADER = 12,
    DNS_WIRE_NAME_MAX = 255,
    DNS_LABELS_MAX = 127,
    DNS_OPT_LEN = 11, /* of an OPT record without options */
    DNS_CLASS_IN = 1,
};

/* Bits of the third and fourth byte of a header. */
enum dns_flag {
    DNS_QR = 0x8000,
    DNS_OPCODE = 0x7800,
    DNS_AA = 0x0400,
    DNS_TC = 0x0200,
    DNS_RD = 0x0100,
    DNS_RA = 0x0080,
    DNS_Z = 0x0040,
    DNS_AD = 0x0020,
    DNS_CD = 0x0010,
    DNS_RCODE = 0x000f,
};
#define DNS_EDNS_DO 0x8000u

static inline uint16_t dns_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t dns_get32(const uint8_t *p)
{
    return (uint32_t)dns_get16(p) << 16 | dns_get16(p + 2);
}

static inline void dns_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void dns_put32(uint8_t *p, uint32_t v)
{
    dns_put16(p, v >> 16);
    dns_put16(p + 2, v & 0xffff);
}

/* A whole message, or its part up to where reading must end. */
struct dns_bytes {
    const uint8_t *data;
    size_t len;
};

struct dns_name {
    size_t len; /* of wire, with the root label */
    uint8_t wire[DNS_WIRE_NAME_MAX];
};

/* Reads the name at *at, following compression, and moves *at behind it. 0 or -EBADMSG. */
int dns_name_read(struct dns_bytes message, size_t *at, struct dns_name *out) NODISCARD
    NONNULL(2, 3);
/* Into lower case; length bytes, which are below 'A', stay what they are. */
uint8_t dns_lower(uint8_t c);
/* Letter case does not count. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b) NODISCARD NONNULL(1, 2);
void dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT]) NONNULL(1, 2);
/* Whether it is a name in the sense of name_normalize; host then holds its normal form. */
bool dns_name_host(const struct dns_name *name, char host[254]) NODISCARD NONNULL(1, 2);
/* From text without escapes, "a.b.c". 0 or -EINVAL. */
int dns_name_parse(const char *host, struct dns_name *out) NODISCARD NONNULL(1, 2);

struct dns_record {
    struct dns_name owner;
    uint16_t type, class;
    uint32_t ttl;
    size_t rdata, end; /* offsets into the message */
};

/* Seconds; of the values that would be negative, 0 (RFC 2181, section 8). */
static inline uint32_t dns_ttl(const struct dns_record *r)
{
    return r->ttl > INT32_MAX ? 0 : r->ttl;
}

/* Reads the record at *at, its data too, and moves *at behind it. 0 or -EBADMSG. */
int dns_record_read(struct dns_bytes message, size_t *at, struct dns_record *out) NODISCARD
    NONNULL(2, 3);

/* How record data is made up, a letter a field; NULL where it is one run of bytes. Names may be
 * compressed by whoever sends types of RFC 1035 and a few later ones (RFC 3597, section 4), so
 * these are the types whose data cannot be copied as it stands. */
const char *dns_rdata_layout(uint16_t type);

enum dns_field_kind {
    FIELD_BYTES,
    FIELD_NAME,       /* may be written compressed */
    FIELD_PLAIN_NAME, /* must not be */
};
struct dns_field {
    enum dns_field_kind kind;
    size_t at, len; /* FIELD_BYTES */
    struct dns_name name;
};

/* Reads one field of the record at *at as the first letter of *layout has it, and moves both on.
 * 1, 0 at the record's end, or -EBADMSG. */
int dns_field_read(struct dns_bytes message, const struct dns_record *record, const char **layout,
                   size_t *at, struct dns_field *out) NODISCARD NONNULL(2, 3, 4, 5);

/* Whether the record is an OPT as RFC 6891 wants it: owned by the root, its options adding up. */
bool dns_opt_is_good(struct dns_bytes message, const struct dns_record *record) NODISCARD
    NONNULL(2);
