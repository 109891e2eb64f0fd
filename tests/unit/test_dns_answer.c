/* SPDX-License-Identifier: MIT
 * Resolvers' answers: what is learnt from them, and what the client is given of them. */
#include "unit/report.h"

#include <errno.h>

#include "base/buffer.h"
#include "dns/wire_name.h"
#include "dns_message.h"

#define GOOD 0x8180

/* Twelve steps, written backwards. */
#define CHAIN                                                                                      \
    "l.x.org A 10.0.0.12 60; k.x.org CNAME l.x.org 60; j.x.org CNAME k.x.org 60; "                 \
    "i.x.org CNAME j.x.org 60; h.x.org CNAME i.x.org 60; g.x.org CNAME h.x.org 60; "               \
    "f.x.org CNAME g.x.org 60; e.x.org CNAME f.x.org 60; d.x.org CNAME e.x.org 60; "               \
    "c.x.org CNAME d.x.org 60; b.x.org CNAME c.x.org 60; a.x.org CNAME b.x.org 60"
#define FOUR(n, ttl)                                                                               \
    "@12 A 10.0." n ".1 " ttl "; @12 A 10.0." n ".2 " ttl "; @12 A 10.0." n ".3 " ttl              \
    "; @12 A 10.0." n ".4 " ttl

static const struct {
    const char *question;
    const char *records;
    const char *addresses; /* learnt; or, with a !, why the message is bad */
} answers[] = {
    {"www.x.org A", "@12 A 10.0.0.1 60", "10.0.0.1/60"},
    {"www.x.org A", "www.x.org A 10.0.0.1 60; WWW.X.ORG A 10.0.0.2 60", "10.0.0.1/60 10.0.0.2/60"},
    {"www.x.org A", "", ""},
    {"www.x.org ANY", "@12 A 10.0.0.1 60; @12 TXT hi 60", "10.0.0.1/60"},
    /* bounded TTLs */
    {"www.x.org A", "@12 A 10.0.0.1 0", "10.0.0.1/0"},
    {"www.x.org A", "@12 A 10.0.0.1 2147483647", "10.0.0.1/2147483647"},
    {"www.x.org A", "@12 A 10.0.0.1 2147483648", "10.0.0.1/0"},
    {"www.x.org A", "@12 A 10.0.0.1 4294967295", "10.0.0.1/0"},
    /* chains, in any order */
    {"www.x.org A", "@12 CNAME c.y.org 60; c.y.org A 10.0.0.1 60", "10.0.0.1/60"},
    {"www.x.org A", "c.y.org A 10.0.0.1 60; @12 CNAME C.Y.org 60", "10.0.0.1/60"},
    {"www.x.org A", "@12 CNAME c.@16 60; c.@16 A 10.0.0.1 60", "10.0.0.1/60"},
    {"a.x.org A", CHAIN, "10.0.0.12/60"},
    {"www.x.org A", "@12 CNAME c.y.org 60", ""},
    /* what was not asked for */
    {"www.x.org A", "bank.org A 10.6.6.6 60", ""},
    {"www.x.org A", "@12 A 10.0.0.1 60; bank.org A 10.6.6.6 60", "10.0.0.1/60"},
    {"www.x.org A", "@12 A 10.0.0.1 60; sub.@12 A 10.6.6.6 60; @16 A 10.6.6.7 60", "10.0.0.1/60"},
    {"www.x.org A", "@12 CNAME c.y.org 60; c.y.org A 10.0.0.1 60; @12 A 10.6.6.6 60",
     "10.0.0.1/60"},
    {"www.x.org A", "@12 CNAME c.y.org 60; bank.org CNAME d.y.org 60; d.y.org A 10.6.6.6 60", ""},
    {"www.x.org A", "@12 A 10.0.0.1 60; ~@12 A 10.6.6.6 60; +@12 A 10.6.6.7 60", "10.0.0.1/60"},
    {"www.x.org A", "~@12 CNAME c.y.org 60; c.y.org A 10.6.6.6 60", ""},
    {"www.x.org A", "~x.org NS ns.x.org 60; +ns.x.org A 10.6.6.6 60", ""},
    {"www.x.org TXT", "@12 A 10.6.6.6 60", ""},
    {"www.x.org AAAA", "@12 A 10.6.6.6 60", ""},
    {"www.x.org HTTPS", "@12 HTTPS h3 60; +@12 A 10.6.6.6 60", ""},
    /* what is no answer at all */
    {"a.x.org A", "@12 CNAME a.x.org 60", "!chain"},
    {"a.x.org A", "@12 CNAME b.x.org 60; b.x.org CNAME a.x.org 60; @12 A 10.6.6.6 60", "!chain"},
    {"a.x.org A", "@12 CNAME b.x.org 60; @12 CNAME c.x.org 60; c.x.org A 10.6.6.6 60", "!chain"},
    {"www.x.org A", "@12 A abc 60", "!record"},
    {"www.x.org A", "@12 A abcde 60", "!record"},
    {"www.x.org A", "@12 CNAME - 60", "!record"},
    {"www.x.org A", "@12 CNAME @9000 60", "!record"},
    {"www.x.org A", "@12 CNAME @4 60", "!record"},
    {"www.x.org A", "@27 A 10.0.0.1 60", "!record"}, /* the pointer itself */
    {"www.x.org A", "@12 SOA - 60", "!record"},
    {"www.x.org A", "@12 MX - 60", "!record"},
    {"www.x.org A", "+. OPT - 0; +. OPT - 0", "!edns"},
    {"www.x.org A", ". OPT - 0", "!edns"},
    {"www.x.org A", "+x.org OPT - 0", "!edns"},
    {"www.x.org A", "+. OPT abc 0", "!edns"},
};

static void addresses_text(const struct dns_answer *a, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < a->n_addresses; i++) {
        char ip[INET_ADDRSTRLEN];
        struct in_addr address = {htonl(a->addresses[i].ip)};
        inet_ntop(AF_INET, &address, ip, sizeof(ip));
        len += (size_t)snprintf(out + len, size - len, "%s%s/%u", i ? " " : "", ip,
                                a->addresses[i].ttl);
    }
}

/* A query, with EDNS where wanted, and what it says. */
static void ask(struct message *query, const char *question, bool edns, struct dns_question *q)
{
    message_make(query, 0x1234, 0x100, question, edns ? "+. OPT - 0" : "");
    assert_int_equal(dns_read_query(query->data, query->len, q, NULL), 0);
}

static struct message query, answer;

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct dns_question q;
        struct dns_answer a;
        const char *why = NULL;
        char got[1024];
        ask(&query, answers[i].question, false, &q);
        message_make(&answer, 7, GOOD, answers[i].question, answers[i].records);
        int r = dns_read_answer(at_guard(answer.data, answer.len), answer.len, 7, &q, query.data,
                                &a, &why);
        if (r)
            snprintf(got, sizeof(got), "!%s", why);
        else
            addresses_text(&a, got, sizeof(got));
        if (strcmp(got, answers[i].addresses) != 0)
            fail_msg("%s: %s: %s for %s", answers[i].question, answers[i].records, got,
                     answers[i].addresses);
    }
}

static void test_answer_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct dns_question q;
        struct dns_answer a;
        uint8_t out[1024];
        ask(&query, answers[i].question, true, &q);
        message_make(&answer, 7, GOOD, answers[i].question, answers[i].records);
        for (size_t len = 0; len < answer.len; len++) {
            const uint8_t *cut = at_guard(answer.data, len);
            assert_int_equal(dns_read_answer(cut, len, 7, &q, query.data, &a, NULL), -EBADMSG);
            assert_int_equal(dns_write_answer(&q, query.data, cut, len, 65535, out, sizeof(out)),
                             0);
        }
    }
}

/* Every byte changed in every bit: never read out of bounds, never more than the question. */
static void test_answer_changed_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct dns_question q;
        struct dns_answer a;
        uint8_t out[1024];
        ask(&query, answers[i].question, true, &q);
        message_make(&answer, 7, GOOD, answers[i].question, answers[i].records);
        for (size_t bit = 0; bit < answer.len * 8; bit++) {
            answer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            const uint8_t *data = at_guard(answer.data, answer.len);
            int r = dns_read_answer(data, answer.len, 7, &q, query.data, &a, NULL);
            /* The id, and the question with its letter case. */
            if (bit < 16 || (bit >= 12 * 8 && bit < (12 + q.question_len) * 8))
                assert_int_equal(r, -EBADMSG);
            if (r == 0)
                dns_write_answer(&q, query.data, data, answer.len, 65535, out, sizeof(out));
            answer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void test_forged_headers(void **state)
{
    (void)state;
    static const struct {
        const char *question;
        unsigned id, flags;
        const char *why; /* NULL: good */
    } cases[] = {
        {"www.x.org A", 7, GOOD, NULL},           {"www.x.org A", 7, 0x8583, NULL},
        {"www.x.org A", 8, GOOD, "id"},           {"www.x.org A", 0x700, GOOD, "id"},
        {"www.x.org A", 7, 0x0180, "query"},      {"www.x.org A", 7, 0xa180, "opcode"},
        {"wwW.x.org A", 7, GOOD, "question"},     {"www.y.org A", 7, GOOD, "question"},
        {"www.x.org AAAA", 7, GOOD, "question"},  {"x.org A", 7, GOOD, "question"},
        {"www.www.x.org A", 7, GOOD, "question"},
    };
    struct dns_question q;
    struct dns_answer a;
    ask(&query, "www.x.org A", false, &q);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = NULL;
        message_make(&answer, cases[i].id, cases[i].flags, cases[i].question,
                     "www.x.org A 10.6.6.6 60");
        int r = dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, &why);
        assert_int_equal(r, cases[i].why ? -EBADMSG : 0);
        if (r)
            assert_string_equal(why, cases[i].why);
        else
            assert_int_equal(a.n_addresses, (cases[i].flags & 15) ? 0 : 1);
    }
    static const unsigned questions[] = {0, 2, 0xffff};
    for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
        message_make(&answer, 7, GOOD, "www.x.org A", "");
        dns_put16(answer.data + 4, questions[i]);
        assert_int_equal(dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL),
                         -EBADMSG);
    }
    message_make(&answer, 7, GOOD, "www.x.org A", "@12 A 10.0.0.1 60");
    message_bytes(&answer, "", 1);
    assert_int_equal(dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL),
                     -EBADMSG);
}

static void test_many_records(void **state)
{
    (void)state;
    struct dns_question q;
    struct dns_answer a;
    ask(&query, "www.x.org A", false, &q);
    for (unsigned aliases = 0; aliases < 2; aliases++) {
        message_make(&answer, 7, GOOD, "www.x.org A", "");
        for (unsigned i = 0; i < 1500; i++) {
            char record[64];
            if (aliases)
                snprintf(record, sizeof(record), "a%u.x.org CNAME a%u.x.org 60", i, i + 1);
            else
                snprintf(record, sizeof(record), "@12 A 10.0.%u.%u 60", i / 256, i % 256);
            message_record(&answer, record);
        }
        dns_put16(answer.data + 6, 1500);
        int r = dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL);
        assert_int_equal(r, aliases ? -EBADMSG : 0);
        assert_int_equal(a.n_addresses, aliases ? 0 : DNS_ANSWERS_MAX);
    }
}

/* A pointer to a pointer to a pointer, as many as fit: an end is put to it. */
static void test_pointer_ladder(void **state)
{
    (void)state;
    struct dns_question q;
    struct dns_answer a;
    ask(&query, "www.x.org A", false, &q);
    for (unsigned steps = 2; steps <= 8000; steps += steps < 200 ? 1 : 3000) {
        message_make(&answer, 7, GOOD, "www.x.org A", "@12 TYPE999 - 60");
        unsigned at = (unsigned)answer.len;
        dns_put16(answer.data + 12 + q.question_len + 10, steps * 2);
        message_16(&answer, 0xc00c);
        for (unsigned i = 1; i < steps; i++, at += 2)
            message_16(&answer, 0xc000u | at);
        char record[64];
        snprintf(record, sizeof(record), "@%u A 10.0.0.1 60", at);
        message_record(&answer, record);
        dns_put16(answer.data + 6, 2);
        int r = dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL);
        assert_int_equal(r, steps < 127 ? 0 : -EBADMSG);
        if (!r)
            assert_int_equal(a.n_addresses, 1);
    }
}

/* The records of a message as the tables write them; the OPT only as "+. OPT". */
static void records_text(const struct message *m, struct buffer *out)
{
    static const char *const marks[] = {"", "~", "+"};
    struct dns_bytes bytes = {m->data, m->len};
    struct dns_name name;
    size_t at = DNS_HEADER;
    assert_int_equal(dns_name_read(bytes, &at, &name), 0);
    at += 4;
    for (unsigned section = 0; section < 3; section++)
        for (unsigned n = dns_get16(m->data + 6 + 2 * section); n > 0; n--) {
            struct dns_record r;
            struct dns_field f;
            char text[DNS_NAME_TEXT], room[16];
            assert_int_equal(dns_record_read(bytes, &at, &r), 0);
            dns_name_text(&r.owner, text);
            buffer_printf(out, "%s%s%s %s", out->len ? "; " : "", marks[section], text,
                          dns_type_name(r.type, room));
            const char *layout = dns_rdata_layout(r.type);
            if (!layout)
                buffer_printf(out, " %.*s", (int)(r.end - r.rdata),
                              (const char *)m->data + r.rdata);
            size_t field_at = r.rdata;
            while (layout && dns_field_read(bytes, &r, &layout, &field_at, &f) > 0) {
                if (f.kind != FIELD_BYTES) {
                    dns_name_text(&f.name, text);
                    buffer_printf(out, " %s", text);
                } else if (r.type == DNS_A) {
                    const uint8_t *ip = m->data + f.at;
                    buffer_printf(out, " %u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
                }
            }
            if (r.type != DNS_OPT)
                buffer_printf(out, " %u", r.ttl);
        }
    assert_int_equal(at, m->len);
}

static const struct {
    const char *question;
    bool edns; /* the client's */
    const char *records, *given;
} rewrites[] = {
    {"www.x.org A", false, "@12 A 10.0.0.1 60; +. OPT - 0", "www.x.org A 10.0.0.1 60"},
    {"www.x.org A", true, "@12 A 10.0.0.1 60", "www.x.org A 10.0.0.1 60; +. OPT "},
    {"www.x.org A", true, "@12 A 10.0.0.1 4294967295; +. OPT =01234567 0",
     "www.x.org A 10.0.0.1 0; +. OPT "},
    {"www.x.org AAAA", false, "@12 AAAA 0123456789abcdef 60", ""},
    {"www.x.org AAAA", true,
     "@12 CNAME c.@16 60; c.@16 AAAA 0123456789abcdef 60; ~@16 SOA ns.@16 60",
     "www.x.org CNAME c.x.org 60; ~x.org SOA ns.x.org hostmaster.www.x.org 60; +. OPT "},
    {"www.x.org HTTPS", false, "@12 HTTPS ech 60; @12 SVCB ech 60; @12 TXT ok 60",
     "www.x.org TXT ok 60"},
    {"www.x.org SVCB", false, "@12 SVCB ech 60; ~@12 SVCB ech 60; +@12 HTTPS ech 60", ""},
    {"www.x.org ANY", false,
     "@12 HTTPS ech 60; c.@16 A 10.0.0.1 60; @12 AAAA 0123456789abcdef 60; @42 A 10.0.0.2 60",
     "c.x.org A 10.0.0.1 60; c.x.org A 10.0.0.2 60"},
    {"x.org MX", false, "@12 MX mx.@12 60; +mx.@12 AAAA 0123456789abcdef 60; +mx.@12 A 10.0.0.1 60",
     "x.org MX mx.x.org 60; +mx.x.org A 10.0.0.1 60"},
    {"_a._tcp.x.org SRV", false, "@12 SRV Host.@20 60", "_a._tcp.x.org SRV Host.x.org 60"},
    {"www.x.org A", false, "x.org DNAME y.org 60; @12 CNAME www.y.org 60; www.y.org A 10.0.0.1 60",
     "x.org DNAME y.org 60; www.x.org CNAME www.y.org 60; www.y.org A 10.0.0.1 60"},
    {"www.x.org TYPE999", false, "@12 TYPE999 abc 60", "www.x.org TYPE999 abc 60"},
    {"wWw.X.oRg A", false, "@12 A 10.0.0.1 60; www.x.org A 10.0.0.2 60",
     "wWw.X.oRg A 10.0.0.1 60; wWw.X.oRg A 10.0.0.2 60"},
    {". NS", false, ". NS a.root 60; . NS b.root 60", ". NS a.root 60; . NS b.root 60"},
};

static void test_write_answer(void **state)
{
    (void)state;
    static struct message out;
    for (size_t i = 0; i < ARRAY_SIZE(rewrites); i++) {
        CLEANUP_BUFFER struct buffer got = {0};
        struct dns_question q;
        struct dns_answer a;
        ask(&query, rewrites[i].question, rewrites[i].edns, &q);
        message_make(&answer, 7, 0x85a0, rewrites[i].question, rewrites[i].records);
        if (dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL))
            fail_msg("bad: %s", rewrites[i].records);
        out.len = dns_write_answer(&q, query.data, at_guard(answer.data, answer.len), answer.len,
                                   65535, out.data, sizeof(out.data));
        assert_true(out.len > 0);
        assert_int_equal(dns_get16(out.data), 0x1234);
        assert_int_equal(dns_get16(out.data + 2), 0x8580); /* AD, of an answer we changed: gone */
        assert_int_equal(dns_read_answer(out.data, out.len, 0x1234, &q, query.data, &a, NULL), 0);
        buffer_add(&got, "", 0);
        records_text(&out, &got);
        if (strcmp(got.data, rewrites[i].given) != 0)
            fail_msg("%s: %s for %s", rewrites[i].records, got.data, rewrites[i].given);
    }
}

/* The resolver is asked in lower case; the client reads its own letters. */
static void test_letters_of_the_question(void **state)
{
    (void)state;
    static struct message out;
    CLEANUP_BUFFER struct buffer got = {0};
    struct dns_question q;
    ask(&query, "wWw.X.oRg A", false, &q);
    message_make(&answer, 7, GOOD, "www.x.org A", "@12 CNAME c.@16 60; C.x.org A 10.0.0.1 60");
    out.len = dns_write_answer(&q, query.data, answer.data, answer.len, 65535, out.data,
                               sizeof(out.data));
    assert_memory_equal(out.data + DNS_HEADER, query.data + DNS_HEADER, q.question_len);
    records_text(&out, &got);
    int same = strcmp(got.data, "wWw.X.oRg CNAME c.x.org 60; C.x.org A 10.0.0.1 60");
    buffer_release(&got);
    assert_int_equal(same, 0);
}

/* TTLs grow smaller, to nothing and not below; what counts is the least of the answer section. */
static void test_age(void **state)
{
    (void)state;
    static const struct {
        const char *records;
        uint32_t least, seconds;
        const char *older;
    } cases[] = {
        {"@12 A 10.0.0.1 60; @12 A 10.0.0.2 30", 30, 20,
         "www.x.org A 10.0.0.1 40; www.x.org A 10.0.0.2 10"},
        {"@12 A 10.0.0.1 60; @12 A 10.0.0.2 30", 30, 45,
         "www.x.org A 10.0.0.1 15; www.x.org A 10.0.0.2 0"},
        {"@12 A 10.0.0.1 2147483648; ~x.org NS ns.x.org 5", 0, 1,
         "www.x.org A 10.0.0.1 0; ~x.org NS ns.x.org 4"},
        {"~x.org NS ns.x.org 5; +. OPT - 32768", UINT32_MAX, 1, "~x.org NS ns.x.org 4; +. OPT "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_BUFFER struct buffer got = {0};
        struct dns_question q;
        struct dns_answer a;
        ask(&query, "www.x.org A", true, &q);
        message_make(&answer, 7, GOOD, "www.x.org A", cases[i].records);
        assert_int_equal(dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL), 0);
        assert_int_equal(a.ttl, cases[i].least);
        assert_int_equal(dns_age(answer.data, answer.len, cases[i].seconds), 0);
        records_text(&answer, &got);
        if (strcmp(got.data, cases[i].older) != 0)
            fail_msg("%s: %s", cases[i].records, got.data);
        for (size_t len = 0; len < answer.len; len++) {
            /* The guard's page may be written up to its end. */
            uint8_t *cut = (uint8_t *)(uintptr_t)at_guard(answer.data, len);
            assert_int_equal(dns_age(cut, len, 1), -EBADMSG);
        }
    }
}

/* More names than the writer keeps in mind, so that some share a place there. */
static void test_many_names(void **state)
{
    (void)state;
    static struct message out;
    CLEANUP_BUFFER struct buffer before = {0}, after = {0};
    struct dns_question q;
    ask(&query, "www.x.org A", false, &q);
    message_make(&answer, 7, GOOD, "www.x.org A", "");
    for (unsigned i = 0; i < 1000; i++) {
        char record[64];
        snprintf(record, sizeof(record), "n%u.Z%u.org CNAME m%u.@16 60", i, i % 70, i * 7);
        message_record(&answer, record);
    }
    dns_put16(answer.data + 6, 1000);
    out.len = dns_write_answer(&q, query.data, answer.data, answer.len, 65535, out.data,
                               sizeof(out.data));
    assert_true(out.len > 0 && out.len < answer.len);
    records_text(&answer, &before);
    records_text(&out, &after);
    int same = strcmp(before.data, after.data) == 0;
    buffer_release(&before);
    buffer_release(&after);
    assert_true(same);
}

/* Cut to every size: whole records, TC set, a message that reads. */
static void test_answer_cut_to_limit(void **state)
{
    (void)state;
    static struct message out;
    struct dns_question q;
    struct dns_answer a;
    for (unsigned edns = 0; edns < 2; edns++) {
        ask(&query, "www.x.org A", edns, &q);
        message_make(&answer, 7, GOOD, "www.x.org A",
                     "@12 CNAME c.y.org 60; " FOUR("1", "60") "; ~y.org NS ns.y.org 60");
        size_t whole =
            dns_write_answer(&q, query.data, answer.data, answer.len, 512, out.data, 512);
        size_t least = DNS_HEADER + q.question_len + (edns ? DNS_OPT_LEN : 0);
        for (size_t limit = 0; limit <= whole; limit++) {
            out.len =
                dns_write_answer(&q, query.data, answer.data, answer.len, limit, out.data, 512);
            assert_int_equal(
                dns_write_answer(&q, query.data, answer.data, answer.len, 512, out.data, limit),
                out.len);
            assert_true(out.len <= limit && (out.len > 0) == (limit >= least));
            if (out.len == 0)
                continue;
            assert_int_equal(dns_read_answer(out.data, out.len, 0x1234, &q, query.data, &a, NULL),
                             0);
            assert_int_equal(a.truncated, limit < whole);
        }
    }
}

static void test_extended_rcode(void **state)
{
    (void)state;
    static struct message out;
    for (unsigned edns = 0; edns < 2; edns++) {
        struct dns_question q;
        struct dns_answer a;
        ask(&query, "www.x.org A", edns, &q);
        message_make(&answer, 7, GOOD | 1, "www.x.org A", "@12 A 10.0.0.1 60; +. OPT - 16777216");
        assert_int_equal(dns_read_answer(answer.data, answer.len, 7, &q, query.data, &a, NULL), 0);
        assert_int_equal(a.rcode, 17);
        assert_int_equal(a.n_addresses, 0);
        out.len = dns_write_answer(&q, query.data, answer.data, answer.len, 512, out.data, 512);
        assert_int_equal(dns_read_answer(out.data, out.len, 0x1234, &q, query.data, &a, NULL), 0);
        assert_int_equal(a.rcode, edns ? 17 : DNS_SERVFAIL);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("D07", test_answers),
        REPORT("D03", test_answer_cut_anywhere),
        REPORT("D07", test_answer_changed_anywhere),
        REPORT("D07", test_forged_headers),
        REPORT("D07", test_many_records),
        REPORT("D03", test_pointer_ladder),
        REPORT("D09", test_write_answer),
        REPORT("-", test_letters_of_the_question),
        REPORT("-", test_age),
        REPORT("-", test_many_names),
        REPORT("-", test_answer_cut_to_limit),
        REPORT("-", test_extended_rcode),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
