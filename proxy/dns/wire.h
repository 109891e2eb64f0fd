/* SPDX-License-Identifier: MIT
 * DNS messages (RFC 1035, EDNS RFC 6891, extended errors RFC 8914): a strict reader and a small
 * writer. Pure. What is not understood is bad: nothing is guessed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_MAX     1232 /* what our own queries offer, and answers over UDP keep to */
#define DNS_NAME_TEXT   1024 /* presentation form of any name, escapes and NUL included */

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_TKEY = 249,
    DNS_TSIG = 250,
    DNS_AXFR = 252,
    DNS_ANY = 255,
};
enum dns_rcode { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };
#define DNS_EDE_FILTERED 17
#define DNS_EDE_BLOCKED  15

/* A type's or rcode's usual name, "TYPE123" for others; room is the caller's, 16 bytes. */
const char *dns_type_name(uint16_t type, char room[16]);
const char *dns_rcode_name(unsigned rcode, char room[16]);

struct dns_question {
    uint16_t id;
    bool rd, cd, ad;
    uint16_t type, class;
    char text[DNS_NAME_TEXT]; /* presentation form with escapes, no trailing dot, case kept; "." */
    bool is_host; /* a name in the sense of name_normalize; `host` then holds its normal form */
    char host[254];
    bool has_edns;
    uint16_t udp_size; /* what the client takes over UDP, at least 512 */
    bool dnssec_ok;
    size_t question_len; /* bytes of the question section, from offset 12 */
};

/* Reads a client's query: one question, class IN, opcode QUERY, no answers, at most one OPT.
 * Returns 0, or -EBADMSG with *why (may be NULL) set to a short stable word. */
int dns_read_query(const void *data, size_t len, struct dns_question *q, const char **why) NODISCARD
    NONNULL(3);

/* More than a name is ever given; of a message of 64 KiB the rest is left out. */
#define DNS_ANSWERS_MAX 256
struct dns_answer {
    unsigned rcode;
    bool truncated;
    /* Addresses at the end of the CNAME chain that starts at the question; others are left out. */
    struct {
        uint32_t ip, ttl;
    } addresses[DNS_ANSWERS_MAX]; /* ip in host byte order */
    size_t n_addresses;
    size_t n_records; /* of the answer section, whatever they are */
    uint32_t ttl;     /* the least of those; UINT32_MAX where there is none */
};

/* Reads a resolver's answer to q, which was sent with id `id`. Everything must hold: id, QR, one
 * question, the same (its letter case too), names that parse, counts that add up. Addresses are
 * taken only from A records whose owner is the name asked for or the target of a CNAME chain from
 * it within this answer. TTLs over 2^31-1 are 0. Returns 0, or -EBADMSG with *why. */
int dns_read_answer(const void *data, size_t len, uint16_t id, const struct dns_question *q,
                    const void *query, struct dns_answer *out, const char **why) NODISCARD
    NONNULL(4, 5, 6);

/* Takes so many seconds off every TTL of a message that dns_write_answer has written. 0 or
 * -EBADMSG.
 */
int dns_age(void *message, size_t len, uint32_t seconds) NODISCARD NONNULL(1);

/* Writes the query that we send upstream for q: our id, the same question in lower case (letter
 * case could tell something), RD, EDNS with DNS_UDP_MAX and nothing else: no option of the
 * client's, its subnet least of all, and no DO bit. Returns its length, or 0 when it does not fit
 * size. */
size_t dns_write_query(const struct dns_question *q, const void *query, uint16_t id, void *out,
                       size_t size) NONNULL(1, 2, 4);
/* Writes a query for the addresses of a name of our own (normal form), type A. */
size_t dns_write_query_name(const char *host, uint16_t id, void *out, size_t size) NONNULL(1, 3);

/* Writes an answer of our own without records: rcode, and where ede >= 0 and the client speaks
 * EDNS an extended error with text (may be NULL). Returns its length, 0 when it does not fit. */
size_t dns_write_reply(const struct dns_question *q, const void *query, unsigned rcode, int ede,
                       const char *text, void *out, size_t size) NONNULL(1, 2, 6);
/* An error reply to a message that could not be read (FORMERR, NOTIMP) where at least its header
 * could; returns 0 where nothing should be said. */
size_t dns_write_error(const void *query, size_t len, unsigned rcode, void *out, size_t size);

/* Makes a resolver's answer, which dns_read_answer has taken, into the answer for the client:
 * the client's id and question, letter by letter as it stands in query; RA set; the OPT record
 * replaced by one of ours where the client spoke EDNS and taken out where not; AAAA, HTTPS and SVCB
 * records taken out of every section. Cut to `limit` with TC set when longer. Returns its length, 0
 * when it could not be made. */
size_t dns_write_answer(const struct dns_question *q, const void *query, const void *answer,
                        size_t len, size_t limit, void *out, size_t size) NONNULL(1, 2, 3, 6);
