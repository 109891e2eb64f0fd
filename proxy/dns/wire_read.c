/* SPDX-License-Identifier: MIT
 * Reads DNS messages: a client's query, and a resolver's answer to one. Both readers go through
 * the whole message, so that nothing of it is acted on while the rest is a lie. */
#include "dns/wire_name.h"

#include <errno.h>
#include <string.h>

struct header {
    uint16_t id, flags, questions, answers, authorities, additionals;
};

static struct header header_read(const uint8_t *p)
{
    return (struct header){.id = dns_get16(p),
                           .flags = dns_get16(p + 2),
                           .questions = dns_get16(p + 4),
                           .answers = dns_get16(p + 6),
                           .authorities = dns_get16(p + 8),
                           .additionals = dns_get16(p + 10)};
}

/* Says why, and returns what a reader does then. */
static int bad(const char **why, const char *word)
{
    if (why)
        *why = word;
    return -EBADMSG;
}

/* What is wrong with a query's header, NULL if nothing. */
static const char *query_header_fault(const struct header *h)
{
    if (h->flags & DNS_QR)
        return "response";
    if (h->flags & DNS_OPCODE)
        return "opcode";
    /* No client sets these; TC would say that half of the question is missing. */
    if (h->flags & (DNS_AA | DNS_TC | DNS_RA | DNS_Z | DNS_RCODE))
        return "flags";
    if (h->questions != 1 || h->answers || h->authorities || h->additionals > 1)
        return "count";
    return NULL;
}

static const char *query_opt_fault(struct dns_bytes message, size_t *at, struct dns_question *q)
{
    struct dns_record record;
    if (dns_record_read(message, at, &record) || !dns_opt_is_good(message, &record))
        return "edns";
    /* Above the flags stand the extended rcode, which a query has none of, and the version. */
    if (record.ttl >> 16)
        return "edns";
    q->has_edns = true;
    q->dnssec_ok = record.ttl & DNS_EDNS_DO;
    q->udp_size = MAX(record.class, 512);
    return NULL;
}

int dns_read_query(const void *data, size_t len, struct dns_question *q, const char **why)
{
    struct dns_bytes message = {data, len};
    struct dns_name name;
    *q = (struct dns_question){.udp_size = 512};
    if (len < DNS_HEADER || len > DNS_MESSAGE_MAX)
        return bad(why, "length");
    struct header h = header_read(message.data);
    const char *fault = query_header_fault(&h);
    if (fault)
        return bad(why, fault);

    size_t at = DNS_HEADER;
    if (dns_name_read(message, &at, &name))
        return bad(why, "name");
    if (len - at < 4)
        return bad(why, "length");
    q->id = h.id;
    q->rd = h.flags & DNS_RD;
    q->cd = h.flags & DNS_CD;
    q->ad = h.flags & DNS_AD;
    q->type = dns_get16(message.data + at);
    q->class = dns_get16(message.data + at + 2);
    at += 4;
    q->question_len = at - DNS_HEADER;
    if (q->class != DNS_CLASS_IN)
        return bad(why, "class");
    /* Nothing can be of type 0; OPT, TKEY and TSIG are no data that could be asked for. */
    if (q->type == 0 || q->type == DNS_OPT || q->type == DNS_TKEY || q->type == DNS_TSIG)
        return bad(why, "type");
    fault = h.additionals ? query_opt_fault(message, &at, q) : NULL;
    if (fault)
        return bad(why, fault);
    if (at != len)
        return bad(why, "trailing");
    dns_name_text(&name, q->text);
    q->is_host = dns_name_host(&name, q->host);
    return 0;
}

/* The aliases of an answer, by where their records begin; more than any resolver follows. */
enum { ALIASES_MAX = 32 };
struct aliases {
    size_t at[ALIASES_MAX];
    size_t n;
};

/* Walks over every record; notes the aliases, the OPT's part of the rcode, and the least TTL. */
static const char *walk_records(struct dns_bytes message, const struct header *h, size_t at,
                                struct aliases *aliases, struct dns_answer *out)
{
    size_t n_answers = h->answers;
    size_t n_before_additional = n_answers + h->authorities;
    size_t n = n_before_additional + h->additionals;
    bool has_opt = false;
    for (size_t i = 0; i < n; i++) {
        struct dns_record record;
        size_t start = at;
        if (dns_record_read(message, &at, &record))
            return "record";
        if (record.type == DNS_OPT) {
            if (has_opt || i < n_before_additional || !dns_opt_is_good(message, &record))
                return "edns";
            has_opt = true;
            out->rcode |= record.ttl >> 24 << 4;
            continue;
        }
        if (record.class != DNS_CLASS_IN)
            return "class";
        if (i < n_answers) {
            out->n_records++;
            out->ttl = MIN(out->ttl, dns_ttl(&record));
        }
        if (record.type == DNS_CNAME && i < n_answers) {
            if (aliases->n == ALIASES_MAX)
                return "chain";
            aliases->at[aliases->n++] = start;
        }
    }
    return at == message.len ? NULL : "trailing";
}

/* Finds the one alias that *name owns: 1 and its target in *name, 0 where there is none. */
static int follow_alias(struct dns_bytes message, const struct aliases *aliases,
                        struct dns_name *name)
{
    struct dns_name target;
    size_t found = 0;
    for (size_t i = 0; i < aliases->n; i++) {
        struct dns_record record;
        size_t at = aliases->at[i];
        if (dns_record_read(message, &at, &record))
            return -EBADMSG;
        if (!dns_name_equal(&record.owner, name))
            continue;
        at = record.rdata;
        if (found++ || dns_name_read((struct dns_bytes){message.data, record.end}, &at, &target))
            return -EBADMSG;
    }
    if (found)
        *name = target;
    return (int)found;
}

/* Follows the aliases from *name to the end, in whatever order they stand. */
static int follow_aliases(struct dns_bytes message, const struct aliases *aliases,
                          struct dns_name *name)
{
    for (size_t hops = 0; hops <= aliases->n; hops++) {
        int r = follow_alias(message, aliases, name);
        if (r <= 0)
            return r;
    }
    /* More steps than aliases: they go round. */
    return -EBADMSG;
}

static int take_addresses(struct dns_bytes message, size_t at, size_t n,
                          const struct dns_name *owner, struct dns_answer *out)
{
    for (size_t i = 0; i < n && out->n_addresses < DNS_ANSWERS_MAX; i++) {
        struct dns_record record;
        if (dns_record_read(message, &at, &record))
            return -EBADMSG;
        if (record.type != DNS_A || !dns_name_equal(&record.owner, owner))
            continue;
        out->addresses[out->n_addresses].ip = dns_get32(message.data + record.rdata);
        out->addresses[out->n_addresses].ttl = dns_ttl(&record);
        out->n_addresses++;
    }
    return 0;
}

int dns_read_answer(const void *data, size_t len, uint16_t id, const struct dns_question *q,
                    const void *query, struct dns_answer *out, const char **why)
{
    struct dns_bytes message = {data, len};
    struct aliases aliases = {.n = 0};
    struct dns_name name;
    size_t at = DNS_HEADER, records = DNS_HEADER + q->question_len;
    out->n_addresses = out->n_records = 0;
    out->ttl = UINT32_MAX;
    if (len < DNS_HEADER || len > DNS_MESSAGE_MAX)
        return bad(why, "length");
    struct header h = header_read(data);
    if (h.id != id)
        return bad(why, "id");
    if (!(h.flags & DNS_QR))
        return bad(why, "query");
    if (h.flags & DNS_OPCODE)
        return bad(why, "opcode");
    if (h.questions != 1)
        return bad(why, "count");
    if (len < records || memcmp(message.data + DNS_HEADER, (const uint8_t *)query + DNS_HEADER,
                                q->question_len) != 0)
        return bad(why, "question");
    out->rcode = h.flags & DNS_RCODE;
    out->truncated = h.flags & DNS_TC;
    const char *fault = walk_records(message, &h, records, &aliases, out);
    if (fault)
        return bad(why, fault);
    if (out->rcode != DNS_NOERROR || (q->type != DNS_A && q->type != DNS_ANY))
        return 0;
    if (dns_name_read(message, &at, &name) || follow_aliases(message, &aliases, &name))
        return bad(why, "chain");
    return take_addresses(message, records, h.answers, &name, out) ? bad(why, "record") : 0;
}

int dns_age(void *message, size_t len, uint32_t seconds)
{
    enum { BEFORE_DATA = 6 }; /* the TTL stands so far in front of a record's data */
    uint8_t *bytes = message;
    struct dns_bytes whole = {bytes, len};
    struct dns_name name;
    size_t at = DNS_HEADER;
    if (len < DNS_HEADER || dns_name_read(whole, &at, &name) || len - at < 4)
        return -EBADMSG;
    struct header h = header_read(bytes);
    size_t n = (size_t)h.answers + h.authorities + h.additionals;
    for (at += 4; n > 0; n--) {
        struct dns_record record;
        if (dns_record_read(whole, &at, &record))
            return -EBADMSG;
        if (record.type == DNS_OPT)
            continue;
        uint32_t ttl = dns_ttl(&record);
        dns_put32(bytes + record.rdata - BEFORE_DATA, ttl > seconds ? ttl - seconds : 0);
    }
    return 0;
}
