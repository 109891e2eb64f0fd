/* SPDX-License-Identifier: MIT
 * What has the form of a DNS query: everything that some resolver takes for one, and next to
 * nothing of what other protocols send. */
#include "unit/report.h"

#include "dns/wire_form.h"
#include "dns_message.h"

#define HEAD(flags, counts) "\x12\x34" flags counts
#define ONE                 "\0\1\0\0\0\0\0\0"
#define WWW                 "\3www\1x\3org\0"
#define IN_A                "\0\1\0\1"
#define BYTES(s)            s, sizeof(s) - 1

struct sample {
    const char *what, *bytes;
    size_t len;
};

static const struct sample queries[] = {
    {"plain", BYTES(HEAD("\1\0", ONE) WWW IN_A)},
    {"the root", BYTES(HEAD("\1\0", ONE) "\0\0\2\0\1")},
    {"high bytes and NUL", BYTES(HEAD("\1\0", ONE) "\4\0\xff.\\\3org\0" IN_A)},
    {"every flag but QR", BYTES(HEAD("\x7f\xff", ONE) WWW IN_A)},
    {"NOTIFY", BYTES(HEAD("\x20\0", ONE) WWW "\0\6\0\1")},
    {"UPDATE", BYTES(HEAD("\x28\0", "\0\1\0\0\0\1\0\0") WWW "\0\6\0\1")},
    {"two questions", BYTES(HEAD("\1\0", "\0\2\0\0\0\0\0\0") WWW IN_A WWW IN_A)},
    {"questions that are not there", BYTES(HEAD("\1\0", "\xff\xff\0\0\0\0\0\0") WWW IN_A)},
    {"records that are not there", BYTES(HEAD("\1\0", "\0\1\xff\xff\xff\xff\xff\xff") WWW IN_A)},
    {"bytes behind the end", BYTES(HEAD("\1\0", ONE) WWW IN_A "and more")},
    {"CHAOS", BYTES(HEAD("\1\0", ONE) WWW "\0\x10\0\3")},
    {"a class of nobody's", BYTES(HEAD("\1\0", ONE) WWW "\0\1\x12\x34")},
    {"multicast DNS", BYTES(HEAD("\0\0", ONE) WWW "\0\1\x80\1")},
    {"a pointer into the header", BYTES(HEAD("\1\0", ONE) "\3www\xc0\2" IN_A)},
    {"IXFR", BYTES(HEAD("\0\0", "\0\1\0\0\0\1\0\0") WWW "\0\xfb\0\1"
                                                        "\xc0\x0c\0\6\0\1")},
};

static const struct sample others[] = {
    {"nothing", BYTES("")},
    {"a header alone", BYTES(HEAD("\1\0", ONE))},
    {"an answer", BYTES(HEAD("\x81\x80", ONE) WWW IN_A)},
    {"no question", BYTES(HEAD("\1\0", "\0\0\0\1\0\0\0\0") WWW IN_A)},
    {"a name without an end", BYTES(HEAD("\1\0", ONE) "\3www\x3fx")},
    {"a label of another kind", BYTES(HEAD("\1\0", ONE) "\x41www\0" IN_A)},
    {"a pointer ahead", BYTES(HEAD("\1\0", ONE) "\xc0\x20" IN_A)},
    {"a question without its class", BYTES(HEAD("\1\0", ONE) WWW "\0\1\0")},
    {"type 0", BYTES(HEAD("\1\0", ONE) WWW "\0\0\0\1")},
    {"NTP", BYTES("\x23\0\6\xec\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                  "\0\0\0\0\xea\x12\x34\x56\x78\x9a\xbc\xde")},
    {"STUN", BYTES("\0\1\0\x08\x21\x12\xa4\x42tran\0sact!!\x80\x22\0\4test")},
    {"DTLS ClientHello", BYTES("\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x36\1\0\0\x2a\0\0\0\0\0\0\0\x2a")},
    {"QUIC Initial", BYTES("\xc3\0\0\0\1\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\0\0\x44\x9e\x7b\x9a")},
    {"WireGuard handshake", BYTES("\1\0\0\0\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd")},
    {"WireGuard data", BYTES("\4\0\0\0\1\0\0\0\5\0\0\0\0\0\0\0\1\xff\x12\x34\x56\x78\x9a\xbc")},
    {"DHCP", BYTES("\1\1\6\0\0\1\x23\x45\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0")},
    {"IKE", BYTES("\1\2\3\4\0\1\7\x08\0\0\0\0\0\0\0\0\1\x20\x22\x08\0\0\0\0\0\0\1\0")},
    {"uTP", BYTES("\x41\0\x12\x34\x56\x78\0\1\0\0\0\0\0\x10\0\0\1\2\0\0")},
    {"SIP", BYTES("INVITE sip:a@b.example SIP/2.0\r\nVia: SIP/2.0/UDP pc33.b.example\r\n")},
    {"syslog", BYTES("<34>1 2003-10-11T22:14:15.003Z host su - ID47 - 'su root' failed\n")},
    {"TFTP", BYTES("\0\1some/file/on/a/server\0octet\0")},
    {"memcached", BYTES("\0\1\0\0\0\1\0\0get some_key_of_theirs\r\n")},
    {"zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
};

static void test_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
        if (!dns_has_query_form(at_guard(queries[i].bytes, queries[i].len), queries[i].len))
            fail_msg("%s is not seen", queries[i].what);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (dns_has_query_form(at_guard(others[i].bytes, others[i].len), others[i].len))
            fail_msg("%s is taken for DNS", others[i].what);
}

/* Every beginning is read within its bounds; one that a resolver could read is never missed. */
static void test_form_cut_anywhere(void **state)
{
    (void)state;
    static struct dns_question q;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
        for (size_t len = 0; len <= queries[i].len; len++) {
            const void *cut = at_guard(queries[i].bytes, len);
            bool has_form = dns_has_query_form(cut, len);
            if (dns_read_query(cut, len, &q, NULL) == 0)
                assert_true(has_form);
        }
}

static void test_random_bytes_are_no_dns(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u; /* xorshift64: the same bytes every time */
    unsigned seen = 0;
    for (unsigned n = 0; n < 1000000; n++) {
        uint64_t bytes[12];
        for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[i] = x;
        }
        seen += dns_has_query_form(bytes, sizeof bytes);
    }
    assert_true(seen <= 3);
}

static const struct unit_test tests[] = {
    REPORT("D04", test_form),
    REPORT("R09", test_form_cut_anywhere),
    REPORT("-", test_random_bytes_are_no_dns),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
