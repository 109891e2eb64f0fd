/* SPDX-License-Identifier: MIT
 * Queries read, and what is written for them: every message cut at every byte before a page that
 * must not be touched. */
#include "unit/report.h"

#include <errno.h>

#include "dns_message.h"

#define QUERY(flags, counts) "\x12\x34" flags counts
#define ONE                  "\0\1\0\0\0\0\0\0"
#define WITH_OPT             "\0\1\0\0\0\0\0\1"
#define WWW                  "\3www\1x\3org\0"
#define IN_A                 "\0\1\0\1"
#define OPT(rest)            "\0\0\x29\x04\xd0" rest
#define BYTES(s)             s, sizeof(s) - 1
#define L63                                                                                        \
    "\x3f"                                                                                         \
    "012345678901234567890123456789012345678901234567890123456789abc"

static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    const char *why;  /* NULL: it is good, and */
    const char *text; /* this is its name */
    const char *host; /* NULL: no name of a host */
} queries[] = {
    {"plain", BYTES(QUERY("\1\0", ONE) WWW IN_A), NULL, "www.x.org", "www.x.org"},
    {"letter case", BYTES(QUERY("\1\0", ONE) "\3wWw\1X\3oRg\0" IN_A), NULL, "wWw.X.oRg",
     "www.x.org"},
    {"root", BYTES(QUERY("\1\0", ONE) "\0\0\2\0\1"), NULL, ".", NULL},
    {"ad, cd, no rd", BYTES(QUERY("\0\x30", ONE) WWW IN_A), NULL, "www.x.org", "www.x.org"},
    {"underscore", BYTES(QUERY("\1\0", ONE) "\4_srv\1x\3org\0" IN_A), NULL, "_srv.x.org",
     "_srv.x.org"},
    {"NUL in a label", BYTES(QUERY("\1\0", ONE) "\3w\0w\1x\3org\0" IN_A), NULL, "w\\000w.x.org",
     NULL},
    {"dot in a label", BYTES(QUERY("\1\0", ONE) "\3w.w\1x\3org\0" IN_A), NULL, "w\\.w.x.org", NULL},
    {"dots for labels", BYTES(QUERY("\1\0", ONE) "\5x.org\0" IN_A), NULL, "x\\.org", NULL},
    {"backslash and blank", BYTES(QUERY("\1\0", ONE) "\3\\ w\3org\0" IN_A), NULL, "\\\\\\032w.org",
     NULL},
    {"high bytes", BYTES(QUERY("\1\0", ONE) "\2\xc3\xa4\3org\0" IN_A), NULL, "\\195\\164.org",
     NULL},
    {"an address", BYTES(QUERY("\1\0", ONE) "\1\x31\1\x32\1\x33\1\x34\0" IN_A), NULL, "1.2.3.4",
     NULL},
    {"ANY", BYTES(QUERY("\1\0", ONE) WWW "\0\xff\0\1"), NULL, "www.x.org", "www.x.org"},
    {"AXFR", BYTES(QUERY("\1\0", ONE) WWW "\0\xfc\0\1"), NULL, "www.x.org", "www.x.org"},
    {"NULL", BYTES(QUERY("\1\0", ONE) WWW "\0\x0a\0\1"), NULL, "www.x.org", "www.x.org"},
    {"TXT", BYTES(QUERY("\1\0", ONE) WWW "\0\x10\0\1"), NULL, "www.x.org", "www.x.org"},
    {"HTTPS", BYTES(QUERY("\1\0", ONE) WWW "\0\x41\0\1"), NULL, "www.x.org", "www.x.org"},
    {"SVCB", BYTES(QUERY("\1\0", ONE) WWW "\0\x40\0\1"), NULL, "www.x.org", "www.x.org"},
    {"edns", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\0")), NULL, "www.x.org",
     "www.x.org"},
    {"edns, do and a cookie",
     BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\x80\0\0\x0c\0\x0a\0\x08"
                                                "01234567")),
     NULL, "www.x.org", "www.x.org"},

    {"empty", BYTES(""), "length", NULL, NULL},
    {"a response", BYTES(QUERY("\x81\x80", ONE) WWW IN_A), "response", NULL, NULL},
    {"opcode IQUERY", BYTES(QUERY("\x09\0", ONE) WWW IN_A), "opcode", NULL, NULL},
    {"opcode NOTIFY", BYTES(QUERY("\x20\0", ONE) WWW IN_A), "opcode", NULL, NULL},
    {"opcode UPDATE", BYTES(QUERY("\x28\0", ONE) WWW IN_A), "opcode", NULL, NULL},
    {"TC", BYTES(QUERY("\3\0", ONE) WWW IN_A), "flags", NULL, NULL},
    {"Z", BYTES(QUERY("\1\x40", ONE) WWW IN_A), "flags", NULL, NULL},
    {"an rcode", BYTES(QUERY("\1\3", ONE) WWW IN_A), "flags", NULL, NULL},
    {"no question", BYTES(QUERY("\1\0", "\0\0\0\0\0\0\0\0")), "count", NULL, NULL},
    {"two questions", BYTES(QUERY("\1\0", "\0\2\0\0\0\0\0\0") WWW IN_A WWW IN_A), "count", NULL,
     NULL},
    {"65535 questions", BYTES(QUERY("\1\0", "\xff\xff\0\0\0\0\0\0") WWW IN_A), "count", NULL, NULL},
    {"an answer in it", BYTES(QUERY("\1\0", "\0\1\0\1\0\0\0\0") WWW IN_A), "count", NULL, NULL},
    {"an authority in it", BYTES(QUERY("\1\0", "\0\1\0\0\0\1\0\0") WWW IN_A), "count", NULL, NULL},
    {"a second question unsaid", BYTES(QUERY("\1\0", ONE) WWW IN_A WWW IN_A), "trailing", NULL,
     NULL},
    {"one byte more", BYTES(QUERY("\1\0", ONE) WWW IN_A "\0"), "trailing", NULL, NULL},
    {"class CHAOS", BYTES(QUERY("\1\0", ONE) WWW "\0\x10\0\3"), "class", NULL, NULL},
    {"class ANY", BYTES(QUERY("\1\0", ONE) WWW "\0\1\0\xff"), "class", NULL, NULL},
    {"type 0", BYTES(QUERY("\1\0", ONE) WWW "\0\0\0\1"), "type", NULL, NULL},
    {"type OPT", BYTES(QUERY("\1\0", ONE) WWW "\0\x29\0\1"), "type", NULL, NULL},
    {"pointer to itself", BYTES(QUERY("\1\0", ONE) "\xc0\x0c" IN_A), "name", NULL, NULL},
    {"pointer round a label", BYTES(QUERY("\1\0", ONE) "\1x\xc0\x0c" IN_A), "name", NULL, NULL},
    {"pointer ahead", BYTES(QUERY("\1\0", ONE) "\xc0\x12" IN_A WWW), "name", NULL, NULL},
    {"pointer into the header", BYTES(QUERY("\1\0", ONE) "\xc0\x04" IN_A), "name", NULL, NULL},
    {"label type 01", BYTES(QUERY("\1\0", ONE) "\x41\1x\0" IN_A), "name", NULL, NULL},
    {"label type 10", BYTES(QUERY("\1\0", ONE) "\x81\1x\0" IN_A), "name", NULL, NULL},
    {"label longer than the rest", BYTES(QUERY("\1\0", ONE) "\x3fwww"), "name", NULL, NULL},
    {"name of 256",
     BYTES(QUERY("\1\0", ONE) L63 L63 L63 "\x3e"
                                          "01234567890123456789012345678901"
                                          "234567890123456789012345678901"
                                          "\0" IN_A),
     "name", NULL, NULL},
    {"name of 257", BYTES(QUERY("\1\0", ONE) L63 L63 L63 L63 "\0" IN_A), "name", NULL, NULL},
    {"edns version 1", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\1\0\0\0\0")), "edns", NULL,
     NULL},
    {"edns with an rcode", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\1\0\0\0\0\0")), "edns",
     NULL, NULL},
    {"edns longer than it is", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\4")), "edns",
     NULL, NULL},
    {"edns option longer than it is",
     BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\4\0\x0a\0\1")), "edns", NULL, NULL},
    {"edns with half an option",
     BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\3\0\x0a\0")), "edns", NULL, NULL},
    {"edns of a name", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A "\1x\0\0\x29\x04\xd0\0\0\0\0\0\0"),
     "edns", NULL, NULL},
    {"another record for edns", BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A "\0\0\x10\0\1\0\0\0\0\0\0"),
     "edns", NULL, NULL},
    {"two edns",
     BYTES(QUERY("\1\0", "\0\1\0\0\0\0\0\2") WWW IN_A OPT("\0\0\0\0\0\0") OPT("\0\0\0\0\0\0")),
     "count", NULL, NULL},
};

static void test_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        struct dns_question q;
        const char *why = NULL;
        int r =
            dns_read_query(at_guard(queries[i].bytes, queries[i].len), queries[i].len, &q, &why);
        if (queries[i].why) {
            if (r != -EBADMSG || !why || strcmp(why, queries[i].why) != 0)
                fail_msg("%s: %d, %s for %s", queries[i].what, r, why, queries[i].why);
            continue;
        }
        if (r)
            fail_msg("%s: refused, %s", queries[i].what, why);
        assert_int_equal(q.id, 0x1234);
        assert_string_equal(q.text, queries[i].text);
        if (q.is_host != !!queries[i].host)
            fail_msg("%s: is_host is %d", queries[i].what, q.is_host);
        if (q.is_host)
            assert_string_equal(q.host, queries[i].host);
    }
}

static void test_query_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
        for (size_t len = 0; len < queries[i].len; len++) {
            struct dns_question q;
            int r = dns_read_query(at_guard(queries[i].bytes, len), len, &q, NULL);
            /* Of messages with something behind them a part may be good. */
            if (r == 0 && (!queries[i].why || strcmp(queries[i].why, "trailing") != 0))
                fail_msg("%s: good when cut to %zu", queries[i].what, len);
            uint8_t out[64];
            size_t n = dns_write_error(at_guard(queries[i].bytes, len), len, DNS_FORMERR, out, 64);
            assert_true(n == 0 || (n == 12 && len >= 12));
        }
}

static void test_longest_name(void **state)
{
    (void)state;
    struct message m = {0};
    struct dns_question q;
    message_bytes(&m, BYTES(QUERY("\1\0", ONE)));
    static const uint8_t labels[] = {63, 63, 63, 61};
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
        message_bytes(&m, &labels[i], 1);
        for (unsigned j = 0; j < labels[i]; j++)
            message_bytes(&m, "\xff", 1);
    }
    message_bytes(&m, BYTES("\0" IN_A));
    assert_int_equal(dns_read_query(at_guard(m.data, m.len), m.len, &q, NULL), 0);
    assert_int_equal(strlen(q.text), 250 * 4 + 3);
    assert_int_equal(q.question_len, 255 + 4);
    assert_false(q.is_host);
}

static void test_many_labels(void **state)
{
    (void)state;
    for (size_t n = 126; n <= 128; n++) {
        struct message m = {0};
        struct dns_question q;
        message_bytes(&m, BYTES(QUERY("\1\0", ONE)));
        for (size_t i = 0; i < n; i++)
            message_bytes(&m, "\1a", 2);
        message_bytes(&m, BYTES("\0" IN_A));
        int r = dns_read_query(at_guard(m.data, m.len), m.len, &q, NULL);
        assert_int_equal(r, n <= 127 ? 0 : -EBADMSG);
        if (!r)
            assert_int_equal(strlen(q.host), 2 * n - 1);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct dns_question q;
    static const char sizes[][2] = {{0, 0}, {1, (char)0xff}, {2, 0}, {(char)0xff, (char)0xff}};
    static const unsigned udp[] = {512, 512, 512, 65535};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char bytes[] = QUERY("\1\x10", WITH_OPT) WWW IN_A OPT("\0\0\x80\0\0\0");
        memcpy(bytes + sizeof(bytes) - 1 - 8, sizes[i], 2);
        assert_int_equal(dns_read_query(bytes, sizeof(bytes) - 1, &q, NULL), 0);
        assert_int_equal(q.udp_size, udp[i]);
        assert_true(q.has_edns && q.dnssec_ok && q.rd && q.cd && !q.ad);
        assert_int_equal(q.type, DNS_A);
        assert_int_equal(q.class, 1);
        assert_int_equal(q.question_len, 15);
    }
}

/* Nothing of the client's goes on but the question, in lower case, and RD. */
static void test_write_query(void **state)
{
    (void)state;
    static const char in[] =
        QUERY("\1\x30", WITH_OPT) "\3wWw\1x\3org\0" IN_A OPT("\0\0\x80\0\0\x0c\0\x0a\0\x08"
                                                             "01234567");
    static const char want[] = "\xbe\xef\1\0" WITH_OPT "\3www\1x\3org\0" IN_A OPT("\0\0\0\0\0\0");
    const size_t len = sizeof(want) - 1;
    struct dns_question q;
    uint8_t out[64];
    assert_int_equal(dns_read_query(in, sizeof(in) - 1, &q, NULL), 0);
    assert_int_equal(dns_write_query(&q, in, 0xbeef, out, sizeof(out)), len);
    assert_memory_equal(out, want, len);
    assert_int_equal(dns_write_query(&q, in, 0xbeef, out, len), len);
    for (size_t size = 0; size < len; size++)
        assert_int_equal(dns_write_query(&q, in, 0xbeef, out, size), 0);
}

static void test_write_query_name(void **state)
{
    (void)state;
    static const char want[] = "\xbe\xef\1\0" WITH_OPT WWW IN_A OPT("\0\0\0\0\0\0");
    static const char *const bad[] = {"",
                                      ".",
                                      "x..org",
                                      ".x.org",
                                      "x.org.",
                                      ("0123456789012345678901234567890123456789012345678901234567"
                                       "890123.org")};
    uint8_t out[512];
    assert_int_equal(dns_write_query_name("www.x.org", 0xbeef, out, sizeof(out)), sizeof(want) - 1);
    assert_memory_equal(out, want, sizeof(want) - 1);
    assert_int_equal(dns_write_query_name("www.x.org", 0xbeef, out, sizeof(want) - 2), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(dns_write_query_name(bad[i], 1, out, sizeof(out)), 0);
}

static void test_write_reply(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t query_len;
        unsigned rcode;
        int ede;
        const char *text;
        const char *want;
        size_t want_len;
    } cases[] = {
        {BYTES(QUERY("\1\0", ONE) WWW IN_A), DNS_NXDOMAIN, DNS_EDE_BLOCKED, "no rule",
         BYTES(QUERY("\x81\x83", ONE) WWW IN_A)},
        {BYTES(QUERY("\0\x10", WITH_OPT) WWW IN_A OPT("\0\0\x80\0\0\0")), DNS_NXDOMAIN,
         DNS_EDE_BLOCKED, "no rule",
         BYTES(QUERY("\x80\x93", WITH_OPT) WWW IN_A OPT("\0\0\x80\0\0\x0d\0\x0f\0\x09\0\x0f"
                                                        "no rule"))},
        {BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\0")), DNS_REFUSED, DNS_EDE_FILTERED,
         NULL, BYTES(QUERY("\x81\x85", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\6\0\x0f\0\2\0\x11"))},
        {BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\0")), DNS_NOERROR, -1, "unsaid",
         BYTES(QUERY("\x81\x80", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\0"))},
        {BYTES(QUERY("\1\0", WITH_OPT) WWW IN_A OPT("\0\0\0\0\0\0")), 16, -1, NULL,
         BYTES(QUERY("\x81\x80", WITH_OPT) WWW IN_A OPT("\1\0\0\0\0\0"))},
        {BYTES(QUERY("\1\0", ONE) WWW IN_A), 16, -1, NULL, BYTES(QUERY("\x81\x82", ONE) WWW IN_A)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dns_question q;
        uint8_t out[256];
        assert_int_equal(dns_read_query(cases[i].query, cases[i].query_len, &q, NULL), 0);
        for (size_t size = 0; size <= sizeof(out); size++) {
            size_t n = dns_write_reply(&q, cases[i].query, cases[i].rcode, cases[i].ede,
                                       cases[i].text, out, size);
            assert_int_equal(n, size < cases[i].want_len ? 0 : cases[i].want_len);
        }
        assert_memory_equal(out, cases[i].want, cases[i].want_len);
    }
}

static void test_write_error(void **state)
{
    (void)state;
    uint8_t out[12];
    static const char update[] = QUERY("\x29\x30", "\xff\xff\xff\xff\0\0\0\0") "junk";
    assert_int_equal(dns_write_error(update, sizeof(update) - 1, DNS_NOTIMP, out, 12), 12);
    assert_memory_equal(out, "\x12\x34\xa9\x04\0\0\0\0\0\0\0\0", 12);
    assert_int_equal(dns_write_error(update, sizeof(update) - 1, DNS_NOTIMP, out, 11), 0);
    assert_int_equal(dns_write_error(update, 11, DNS_NOTIMP, out, 12), 0);
    assert_int_equal(dns_write_error(NULL, 0, DNS_FORMERR, out, 12), 0);
    assert_int_equal(dns_write_error(BYTES(QUERY("\x81\0", ONE)), DNS_FORMERR, out, 12), 0);
}

static void test_words(void **state)
{
    (void)state;
    char room[16];
    assert_string_equal(dns_type_name(DNS_A, room), "A");
    assert_string_equal(dns_type_name(DNS_HTTPS, room), "HTTPS");
    assert_string_equal(dns_type_name(DNS_ANY, room), "ANY");
    assert_string_equal(dns_type_name(0, room), "TYPE0");
    assert_string_equal(dns_type_name(65535, room), "TYPE65535");
    assert_string_equal(dns_rcode_name(DNS_NXDOMAIN, room), "NXDOMAIN");
    assert_string_equal(dns_rcode_name(16, room), "RCODE16");
    assert_string_equal(dns_rcode_name(4095, room), "RCODE4095");
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("D03", test_queries),        REPORT("D03", test_query_cut_anywhere),
        REPORT("D03", test_longest_name),   REPORT("D03", test_many_labels),
        REPORT("-", test_fields),           REPORT("-", test_write_query),
        REPORT("-", test_write_query_name), REPORT("-", test_write_reply),
        REPORT("D03", test_write_error),    REPORT("-", test_words),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
