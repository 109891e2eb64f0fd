/* SPDX-License-Identifier: MIT
 * What a client's first bytes are, at every length: undecided at first, and never decided twice. */
#include <stdlib.h>
#include <string.h>

#include "base/attrib.h"
#include "session/first_bytes.h"
#include "unit/report.h"

#define NONE    FIRST_BYTES_NONE
#define TLS     FIRST_BYTES_TLS
#define HTTP1   FIRST_BYTES_HTTP1
#define H2C     FIRST_BYTES_H2C
#define SSH     FIRST_BYTES_SSH
#define DNS     FIRST_BYTES_DNS
#define UNKNOWN FIRST_BYTES_UNKNOWN
#define B(s)    s, sizeof(s) - 1

struct row {
    const char *data;
    size_t len;
    enum first_bytes is;
    size_t at; /* decided with so many bytes, and not before */
};

static void check(const struct row *r)
{
    for (size_t n = 0; n <= r->len; n++) {
        /* On the heap and of exact size, so that the sanitizer sees a byte too many. */
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, r->data, n);
        enum first_bytes f = first_bytes_classify(copy, n);
        free(copy);
        enum first_bytes expected = r->is != NONE && n >= r->at ? r->is : NONE;
        if (f != expected)
            fail_msg("%zu bytes of '%s': %s", n, r->data, first_bytes_name(f));
    }
}

static void test_protocols(void **state UNUSED)
{
    static const struct row table[] = {
        {B("\x16\x03\x01\x02\0\1\0\1\xfc\3\3"), TLS, 2},
        {B("\x16\x02\x01\0\x40\1"), UNKNOWN, 5},
        {B("\x15\x03\x01\0\2\2\x28"), UNKNOWN, 7},
        {B("\x80\x2e\1\3\1\0\x15"), UNKNOWN, 7}, /* SSLv2 */
        {B("SSH-2.0-OpenSSH_9.2\r\n"), SSH, 4},
        {B("SSH"), NONE, 0},
        {B("SSL\nx"), UNKNOWN, 5},
        {B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4"), H2C, 24},
        {B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), NONE, 0},
        {B("\0\0\0\x08\x04\xd2\x16\x2f"), UNKNOWN, 2},     /* PostgreSQL */
        {B("\x05\x01\0"), NONE, 0},                        /* SOCKS: too little */
        {B("\x04\x01\0\x50\x5d\xb8\xd8\x22"), UNKNOWN, 5}, /* SOCKS 4 */
        {B("\x03\0\0\x13\x0e\xe0"), UNKNOWN, 5},           /* RDP */
        {B("{\"id\":1}\n"), UNKNOWN, 7},
        {B("*1\r\n$4\r\nPING\r\n"), UNKNOWN, 7}, /* Redis */
        {B("PING\r\n"), UNKNOWN, 6},
        {B("PING\n"), UNKNOWN, 5},
        {B("EHLO client.example\r\n"), UNKNOWN, 21},
        {B("CONNECT {\"verbose\":false}\r\n"), UNKNOWN, 27}, /* NATS */
        {B("CONNECT\naccept-version:1.2\n"), UNKNOWN, 8},    /* STOMP */
        {B("get key\r\n"), UNKNOWN, 9},                      /* memcached */
        {B("NICK a\r\n"), UNKNOWN, 8},
        {B("INVITE sip:a@b.example SIP/2.0\r\n"), UNKNOWN, 32},
        {B("HTTP/1.1 200 OK\r\n"), UNKNOWN, 7},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        check(&table[i]);
}

/* D04: by the form of the question's header, whatever the port. */
static void test_questions(void **state UNUSED)
{
    static const struct row table[] = {
        {B("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example"), DNS, 14},
        {B("\0\x1d\x12\x34\1\x20\0\1\0\0\0\0\0\1\7example"), DNS, 14}, /* AD, EDNS */
        {B("\x12\0\x12\x34\0\0\0\1\0\0\0\0\0\1"), DNS, 14},            /* padded */
        {B("\0\x1d\x12\x34\x28\0\0\1\0\2\0\3\0\1"), DNS, 14},          /* UPDATE */
        {B("GE\x12\x34\1\0\0\1\0\0\0\0\0\0"), DNS, 14},
        {B("\0\x0b\x12\x34\1\0\0\1\0\0\0\0\0\0"), UNKNOWN, 2},   /* too short */
        {B("\0\x1d\x12\x34\x81\0\0\1\0\0\0\0\0\0"), UNKNOWN, 5}, /* an answer */
        {B("\0\x1d\x12\x34\x11\0\0\1\0\0\0\0\0\0"), UNKNOWN, 5}, /* STATUS */
        {B("\0\x1d\x12\x34\1\0\0\0\0\0\0\0\0\0"), UNKNOWN, 8},   /* no question */
        {B("\0\x1d\x12\x34\1\0\0\2\0\0\0\0\0\0"), UNKNOWN, 8},
        {B("\0\x1d\x12\x34\1\0\0\1\1\0\0\0\0\0"), UNKNOWN, 9},
        {B("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\1\0"), UNKNOWN, 13},
        {B("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0"), NONE, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        check(&table[i]);
}

/* Whatever a lenient server would serve is HTTP, for the strict parser to refuse. */
static void test_requests(void **state UNUSED)
{
    static const struct row table[] = {
        {B("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP1, 5},
        {B("DELETE /x HTTP/1.0\r\n"), HTTP1, 8},
        {B("GET "), NONE, 0},
        {B("GET http://a.example/ HTTP/1.1\r\n"), HTTP1, 32},
        {B("OPTIONS * HTTP/1.1\r\n"), HTTP1, 20},
        {B("CONNECT a.example:443 HTTP/1.1\r\n"), HTTP1, 32},
        {B("BREW /pot HTTP/1.1\r\n"), HTTP1, 20},
        {B("M-SEARCH * HTTP/1.1\r\n"), HTTP1, 21},
        {B("PRI * HTTP/2.0\r\n\r\nXX"), HTTP1, 19},
        {B("PRI / HTTP/1.1\r\n"), HTTP1, 16},
        {B("get /x HTTP/1.1\n"), HTTP1, 16},
        {B("get /x http/1.1\n"), HTTP1, 16},
        {B("GET /x\r\n"), HTTP1, 5},
        {B("GET\t/admin HTTP/1.1\r\n"), HTTP1, 5},
        {B("GET  /admin HTTP/1.1\r\n"), HTTP1, 6},
        {B("GET \r/admin HTTP/1.1\r\n"), HTTP1, 6},
        {B("BREW\v/admin\fHTTP/1.1 \r\n"), HTTP1, 23},
        {B("\r\nGET /x HTTP/1.1\r\n"), HTTP1, 7},
        {B("\n\n\r\r\nGET /x HTTP/1.1\r\n"), HTTP1, 10},
        {B("GET \xc3\xbc HTTP/1.1\r\n"), HTTP1, 17},
        {B("\r\n"), NONE, 0},
        {B("GET \0/ HTTP/1.1\r\n"), UNKNOWN, 7},
        {B("GET x\x7f"), UNKNOWN, 6},
        {B("G\xc3T / HTTP/1.1\r\n"), UNKNOWN, 7},
        {B(" GET / HTTP/1.1\r\n"), UNKNOWN, 7},
        {B("SET a b\r\n"), UNKNOWN, 9},
        {B("BREW /pot HTTP/1.1 x\r\n"), UNKNOWN, 22},
        {B("BREW /pot XHTTP/1.1\r\n"), UNKNOWN, 21},
        {B("BREW HTTP\r\n"), UNKNOWN, 11},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        check(&table[i]);
}

static void test_long_lines(void **state UNUSED)
{
    static const struct {
        const char *start;
        char fill;
        enum first_bytes is;
        size_t at;
    } table[] = {
        {"", 'x', UNKNOWN, 65},      {"", '\n', UNKNOWN, 8192},      {"GET ", ' ', UNKNOWN, 8192},
        {"GET a", 'x', HTTP1, 8192}, {"BREW /", 'x', UNKNOWN, 8192}, {"GET /", 'x', HTTP1, 5},
    };
    static char data[8300];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        memset(data, table[i].fill, sizeof(data));
        memcpy(data, table[i].start, strlen(table[i].start));
        size_t at = table[i].at;
        assert_int_equal(first_bytes_classify(data, at - 1), NONE);
        assert_int_equal(first_bytes_classify(data, at), table[i].is);
        assert_int_equal(first_bytes_classify(data, sizeof(data)), table[i].is);
    }
}

static void test_names(void **state UNUSED)
{
    static const char *const names[] = {"none", "tls", "http",    "h2c",
                                        "ssh",  "dns", "unknown", "unknown"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(first_bytes_name((enum first_bytes)i), names[i]);
    assert_int_equal(first_bytes_classify(NULL, 0), NONE);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("T13", test_protocols), REPORT("D04", test_questions), REPORT("H03", test_requests),
        REPORT("-", test_long_lines),  REPORT("-", test_names),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
