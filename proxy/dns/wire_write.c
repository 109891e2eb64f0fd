/* SPDX-License-Identifier: MIT
 * Writes DNS messages. A resolver's answer is written anew, field by field: with records taken
 * out, compression pointers of the original would lead astray. */
#include "dns/wire_name.h"

#include <string.h>

enum {
    OPTION_EDE = 15,
    SLOTS = 256,
    POINTER_MAX = 0x3fff,
};

struct writer {
    uint8_t *out;
    size_t cap, len;
    bool failed;           /* it did not fit */
    uint16_t slots[SLOTS]; /* where a name of that hash was written, 0 for none */
};

static void writer_init(struct writer *w, void *out, size_t cap)
{
    w->out = out;
    w->cap = MIN(cap, DNS_MESSAGE_MAX);
    w->len = 0;
    w->failed = false;
    memset(w->slots, 0, sizeof(w->slots));
}

static void put_bytes(struct writer *w, const void *data, size_t n)
{
    if (w->failed || w->cap - w->len < n) {
        w->failed = true;
        return;
    }
    if (n)
        memcpy(w->out + w->len, data, n);
    w->len += n;
}

static void put16(struct writer *w, unsigned v)
{
    uint8_t b[2];
    dns_put16(b, v);
    put_bytes(w, b, sizeof(b));
}

static void put32(struct writer *w, uint32_t v)
{
    uint8_t b[4];
    dns_put32(b, v);
    put_bytes(w, b, sizeof(b));
}

static void put_header(struct writer *w, uint16_t id, unsigned flags, unsigned questions,
                       unsigned additionals)
{
    put16(w, id);
    put16(w, flags);
    put16(w, questions);
    put32(w, 0);
    put16(w, additionals);
}

static void put_opt(struct writer *w, unsigned rcode, bool dnssec_ok, size_t rdlength)
{
    put_bytes(w, "", 1);
    put16(w, DNS_OPT);
    put16(w, DNS_UDP_MAX);
    put32(w, (uint32_t)(rcode >> 4 & 0xff) << 24 | (dnssec_ok ? DNS_EDNS_DO : 0));
    put16(w, (unsigned)rdlength);
}

static size_t finish(const struct writer *w)
{
    return w->failed ? 0 : w->len;
}

/* Whether the name written at `at` is, letter by letter, the one in wire form at `name`. */
static bool stands_at(const struct writer *w, size_t at, const uint8_t *name)
{
    for (;;) {
        unsigned head = w->out[at];
        if (head > 63) {
            at = dns_get16(w->out + at) & POINTER_MAX;
            continue;
        }
        if (name[0] != head || memcmp(w->out + at, name, head + 1) != 0)
            return false;
        if (head == 0)
            return true;
        at += head + 1;
        name += head + 1;
    }
}

static uint32_t hash_label(uint32_t hash, const uint8_t *label)
{
    for (unsigned i = 0; i <= label[0]; i++)
        hash = (hash ^ label[i]) * 0x01000193u;
    return hash;
}

/* Writes a name and remembers each of its ends for later ones; `compress`: where an end of it
 * stands already, as a pointer to that. */
static void put_name(struct writer *w, const struct dns_name *name, bool compress)
{
    uint8_t starts[DNS_LABELS_MAX];
    uint8_t slot[DNS_LABELS_MAX];
    size_t n = 0, end = name->len - 1, pointer = 0;
    for (size_t at = 0; at < name->len - 1; at += name->wire[at] + 1u)
        starts[n++] = (uint8_t)at;
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = n; i-- > 0;) {
        hash = hash_label(hash, name->wire + starts[i]);
        slot[i] = (uint8_t)(hash >> 16 ^ hash);
    }
    for (size_t i = 0; i < n && compress && !pointer; i++) {
        size_t at = w->slots[slot[i]];
        if (at && stands_at(w, at, name->wire + starts[i])) {
            pointer = at;
            end = starts[i];
        }
    }
    size_t begin = w->len;
    put_bytes(w, name->wire, pointer ? end : name->len);
    if (pointer)
        put16(w, 0xc000u | (unsigned)pointer);
    for (size_t i = 0; i < n && starts[i] < end && !w->failed; i++)
        if (begin + starts[i] <= POINTER_MAX && !w->slots[slot[i]])
            w->slots[slot[i]] = (uint16_t)(begin + starts[i]);
}

static void put_rdata(struct writer *w, struct dns_bytes message, const struct dns_record *record)
{
    const char *layout = dns_rdata_layout(record->type);
    size_t at = record->rdata;
    struct dns_field field;
    if (!layout) {
        put_bytes(w, message.data + at, record->end - at);
        return;
    }
    int r;
    while ((r = dns_field_read(message, record, &layout, &at, &field)) > 0) {
        if (field.kind == FIELD_BYTES)
            put_bytes(w, message.data + field.at, field.len);
        else
            put_name(w, &field.name, field.kind == FIELD_NAME);
    }
    if (r < 0)
        w->failed = true;
}

/* Writes the record whole, or fails and leaves the message as it was. What belongs to the name that
 * was asked for is given under it in the letters of the question. */
static void put_record(struct writer *w, struct dns_bytes message, const struct dns_record *record,
                       const struct dns_name *asked)
{
    size_t begin = w->len;
    put_name(w, dns_name_equal(&record->owner, asked) ? asked : &record->owner, true);
    put16(w, record->type);
    put16(w, record->class);
    put32(w, dns_ttl(record));
    size_t length_at = w->len;
    put16(w, 0);
    put_rdata(w, message, record);
    if (w->failed)
        w->len = begin;
    else
        dns_put16(w->out + length_at, (unsigned)(w->len - length_at - 2));
}

/* What clients are not told of: ways around IPv4, around our reading of names, and around TCP. */
static bool is_withheld(uint16_t type)
{
    return type == DNS_AAAA || type == DNS_HTTPS || type == DNS_SVCB || type == DNS_OPT;
}

enum copied { COPIED_ALL, COPIED_CUT, COPIED_BAD };

/* Copies the records of the three sections and counts what was written; *rcode gets the part of
 * it that stands in an OPT. */
static enum copied copy_sections(struct writer *w, struct dns_bytes message, size_t at,
                                 const struct dns_name *asked, unsigned counts[3], unsigned *rcode)
{
    for (size_t section = 0; section < 3; section++) {
        unsigned n = dns_get16(message.data + 6 + section * 2);
        for (unsigned i = 0; i < n; i++) {
            struct dns_record record;
            if (dns_record_read(message, &at, &record))
                return COPIED_BAD;
            if (record.type == DNS_OPT)
                *rcode |= record.ttl >> 24 << 4;
            if (is_withheld(record.type))
                continue;
            put_record(w, message, &record, asked);
            if (w->failed)
                return COPIED_CUT;
            counts[section]++;
        }
    }
    return at == message.len ? COPIED_ALL : COPIED_BAD;
}

/* The flags of what we answer a client: its own RD and CD, and RA. AD is never set, because what
 * was left out of an answer is not vouched for by anybody. */
static unsigned reply_flags(const struct dns_question *q)
{
    return DNS_QR | DNS_RA | (q->rd ? DNS_RD : 0u) | (q->cd ? DNS_CD : 0u);
}

/* An rcode of more than four bits needs an OPT to stand in. */
static unsigned rcode_for(const struct dns_question *q, unsigned rcode)
{
    return rcode > DNS_RCODE && !q->has_edns ? DNS_SERVFAIL : rcode;
}

size_t dns_write_answer(const struct dns_question *q, const void *query, const void *answer,
                        size_t len, size_t limit, void *out, size_t size)
{
    struct dns_bytes message = {answer, len}, asked = {query, DNS_HEADER + q->question_len};
    struct writer w;
    struct dns_name name;
    unsigned counts[3] = {0};
    size_t at = DNS_HEADER, reserved = q->has_edns ? DNS_OPT_LEN : 0, cap = MIN(limit, size);
    if (len < asked.len || cap < reserved || dns_name_read(asked, &at, &name))
        return 0;
    unsigned flags = dns_get16(message.data + 2);
    unsigned rcode = flags & DNS_RCODE;
    flags = reply_flags(q) | (flags & (DNS_AA | DNS_TC));

    writer_init(&w, out, cap - reserved);
    put_header(&w, q->id, 0, 1, 0);
    put_name(&w, &name, false);
    put_bytes(&w, asked.data + at, 4);
    if (w.failed)
        return 0;
    switch (copy_sections(&w, message, asked.len, &name, counts, &rcode)) {
    case COPIED_BAD:
        return 0;
    case COPIED_CUT:
        flags |= DNS_TC;
        break;
    case COPIED_ALL:
        break;
    }
    w.failed = false;
    w.cap += reserved;
    rcode = rcode_for(q, rcode);
    if (q->has_edns)
        put_opt(&w, rcode, q->dnssec_ok, 0);
    dns_put16(w.out + 2, flags | (rcode & DNS_RCODE));
    for (size_t i = 0; i < 3; i++)
        dns_put16(w.out + 6 + 2 * i, counts[i] + (i == 2 && q->has_edns));
    return finish(&w);
}

size_t dns_write_query(const struct dns_question *q, const void *query, uint16_t id, void *out,
                       size_t size)
{
    struct writer w;
    writer_init(&w, out, size);
    put_header(&w, id, q->rd ? DNS_RD : 0, 1, 1);
    put_bytes(&w, (const uint8_t *)query + DNS_HEADER, q->question_len);
    for (size_t i = DNS_HEADER; i + 4 < w.len && !w.failed; i++)
        w.out[i] = dns_lower(w.out[i]);
    put_opt(&w, 0, false, 0);
    return finish(&w);
}

size_t dns_write_query_name(const char *host, uint16_t id, void *out, size_t size)
{
    struct writer w;
    struct dns_name name;
    if (dns_name_parse(host, &name))
        return 0;
    writer_init(&w, out, size);
    put_header(&w, id, DNS_RD, 1, 1);
    put_bytes(&w, name.wire, name.len);
    put16(&w, DNS_A);
    put16(&w, DNS_CLASS_IN);
    put_opt(&w, 0, false, 0);
    return finish(&w);
}

size_t dns_write_reply(const struct dns_question *q, const void *query, unsigned rcode, int ede,
                       const char *text, void *out, size_t size)
{
    struct writer w;
    size_t text_len = text && ede >= 0 ? strlen(text) : 0;
    size_t option_len = ede >= 0 ? 6 + text_len : 0;
    rcode = rcode_for(q, rcode);
    if (option_len > size)
        return 0;
    writer_init(&w, out, size);
    put_header(&w, q->id, reply_flags(q) | (rcode & DNS_RCODE), 1, q->has_edns);
    put_bytes(&w, (const uint8_t *)query + DNS_HEADER, q->question_len);
    if (q->has_edns)
        put_opt(&w, rcode, q->dnssec_ok, option_len);
    if (q->has_edns && ede >= 0) {
        put16(&w, OPTION_EDE);
        put16(&w, (unsigned)(2 + text_len));
        put16(&w, (unsigned)ede);
        put_bytes(&w, text, text_len);
    }
    return finish(&w);
}

size_t dns_write_error(const void *query, size_t len, unsigned rcode, void *out, size_t size)
{
    struct writer w;
    const uint8_t *header = query;
    if (!header || !out || len < DNS_HEADER)
        return 0;
    unsigned flags = dns_get16(header + 2);
    /* An answer to an answer could go on for ever. */
    if (flags & DNS_QR)
        return 0;
    writer_init(&w, out, size);
    put_header(&w, dns_get16(header),
               DNS_QR | (flags & (DNS_OPCODE | DNS_RD)) | (rcode & DNS_RCODE), 0, 0);
    return finish(&w);
}
