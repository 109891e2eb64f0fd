/* SPDX-License-Identifier: MIT
 * A HelloRetryRequest told from every other answer, and the second ClientHello read and compared as
 * strictly as the first: real flights of a TLS library in every cut, then hand-made oddities. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrib.h"
#include "base/buffer.h"
#include "tls/second_hello.h"
#include "tls/server_hello.h"
#include "unit/hello_retry.h"
#include "unit/report.h"

struct bytes {
    const char *data;
    size_t len;
};
#define B(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void add_hex(struct buffer *b, const char *hex)
{
    for (unsigned byte; *hex; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        buffer_add_char(b, (char)byte);
    }
}

/* Fed from copies of exact size, cut once at `cut` and then every `step` bytes. */
static enum server_hello_result feed(const void *data, size_t len, size_t cut, size_t step)
{
    struct server_hello s = {0};
    for (size_t at = 0, n = cut; at < len; at += n, n = step) {
        n = MIN(n ? n : step, len - at);
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, (const char *)data + at, n);
        enum server_hello_result before = s.result;
        enum server_hello_result now = server_hello_feed(&s, copy, n);
        free(copy);
        assert_int_equal(now, s.result);
        if (before != SERVER_HELLO_INCOMPLETE)
            assert_int_equal(now, before);
    }
    return s.result;
}

/* decided: with so many bytes, and not before. */
static void check_answer(const void *data, size_t len, enum server_hello_result is, size_t decided)
{
    for (size_t n = 0; n <= len; n++) {
        enum server_hello_result expected = n < decided ? SERVER_HELLO_INCOMPLETE : is;
        assert_int_equal(feed(data, n, n, 1), expected);
        assert_int_equal(feed(data, n, 1, 1), expected);
    }
    for (size_t cut = 1; cut < len; cut++)
        assert_int_equal(feed(data, len, cut, len), is);
}

static void test_real_answers_in_every_cut(void **state UNUSED)
{
    static const struct {
        const char *hex;
        enum server_hello_result is;
        size_t decided;
    } table[] = {
        {retry_server, SERVER_HELLO_RETRY, 5 + SERVER_HELLO_READ},
        {answer_tls13, SERVER_HELLO_FINAL, 5 + 7},
        {answer_tls12, SERVER_HELLO_FINAL, 5 + 7},
        {answer_refused, SERVER_HELLO_INCOMPLETE, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        add_hex(&b, table[i].hex);
        check_answer(b.data, b.len, table[i].is, table[i].decided);
    }
}

/* The message of the real one, in records of `size` bytes with what is given in front. */
static void cut_records(struct buffer *out, const struct buffer *flight, struct bytes front,
                        size_t size)
{
    size_t len = (size_t)(uint8_t)flight->data[3] << 8 | (uint8_t)flight->data[4];
    buffer_add(out, front.data, front.len);
    for (size_t at = 0; at < len; at += size) {
        size_t n = MIN(size, len - at);
        const char header[] = {0x16, 3, 3, (char)(n >> 8), (char)n};
        buffer_add(out, header, sizeof(header));
        buffer_add(out, flight->data + 5 + at, n);
    }
}

static void test_a_retry_in_every_record_cut(void **state UNUSED)
{
    static const struct bytes nothing = B(""), warning = B("\x15\x03\x03\0\2\1\x70");
    CLEANUP_BUFFER struct buffer flight = {0};
    add_hex(&flight, retry_server);
    for (size_t size = 1; size <= 88; size++) {
        CLEANUP_BUFFER struct buffer plain = {0}, warned = {0};
        cut_records(&plain, &flight, nothing, size);
        cut_records(&warned, &flight, warning, size);
        for (size_t step = 1; step < 12; step++) {
            assert_int_equal(feed(plain.data, plain.len, step, step), SERVER_HELLO_RETRY);
            assert_int_equal(feed(warned.data, warned.len, step, step), SERVER_HELLO_RETRY);
        }
    }
}

static void test_a_random_that_is_nearly_the_one(void **state UNUSED)
{
    CLEANUP_BUFFER struct buffer flight = {0};
    add_hex(&flight, retry_server);
    for (size_t at = 5 + 4; at < 5 + SERVER_HELLO_READ; at++) {
        flight.data[at] ^= 1;
        assert_int_equal(feed(flight.data, flight.len, flight.len, 1), SERVER_HELLO_FINAL);
        flight.data[at] ^= 1;
    }
    assert_int_equal(feed(flight.data, flight.len, flight.len, 1), SERVER_HELLO_RETRY);
}

static void test_answers_of_other_servers(void **state UNUSED)
{
    static const struct {
        struct bytes data;
        enum server_hello_result is;
        size_t decided;
    } table[] = {
        {B("HTTP/1.1 400 Bad Request\r\n"), SERVER_HELLO_OTHER, 1},
        {B("220 mail.example\r\n"), SERVER_HELLO_OTHER, 1},
        {B("\x14\x03\x03\0\1\1"), SERVER_HELLO_OTHER, 1},
        {B("\x17\x03\x03\0\1x"), SERVER_HELLO_OTHER, 1},
        {B("\x16\xfe\xfd"), SERVER_HELLO_OTHER, 2},
        {B("\x16\x03\x03\0\0"), SERVER_HELLO_OTHER, 5},
        {B("\x16\x03\x03\x40\1"), SERVER_HELLO_OTHER, 5},
        {B("\x16\x03\x03\0\4\0\0\0\0"), SERVER_HELLO_OTHER, 6}, /* HelloRequest */
        {B("\x16\x03\x03\0\4\2\1\0\0"), SERVER_HELLO_OTHER, 7}, /* over 64 KiB */
        {B("\x15\x03\x03\0\3\1\x70\0"), SERVER_HELLO_OTHER, 5},
        {B("\x15\x03\x01\0\2\2\x28"), SERVER_HELLO_INCOMPLETE, 0},
        {B("\x16\x03\x01\0\x31\2\0\0\x2d\3\1"), SERVER_HELLO_FINAL, 11}, /* TLS 1.0 */
        {B("\x15\3\3\0\2\1\x70\x15\3\3\0\2\1\x70\x15\3\3\0\2\1\x70\x15\3\3\0\2\1\x70\x15\3\3\0\2"),
         SERVER_HELLO_OTHER, 33},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        check_answer(table[i].data.data, table[i].data.len, table[i].is, table[i].decided);
}

static enum client_hello_result second(const struct buffer *b, size_t n, struct client_hello *h,
                                       size_t *at, const char **why)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n)
        memcpy(copy, b->data, n);
    enum client_hello_result r = second_hello_parse(copy, n, h, at, why);
    free(copy);
    return r;
}

/* Every cut of it, behind what is given. */
static void check_second(const char *hex, struct bytes front, size_t skipped)
{
    CLEANUP_BUFFER struct buffer b = {0};
    struct client_hello h;
    const char *why;
    size_t at;
    buffer_add(&b, front.data, front.len);
    add_hex(&b, hex);
    for (size_t n = 0; n < b.len; n++) {
        assert_int_equal(second(&b, n, &h, &at, &why), CLIENT_HELLO_INCOMPLETE);
        assert_null(why);
        assert_true(at <= n && at <= front.len + skipped);
        assert_string_equal(h.sni, "");
    }
    assert_int_equal(second(&b, b.len, &h, &at, NULL), CLIENT_HELLO_OK);
    assert_int_equal(at, front.len + skipped);
    assert_int_equal(at + h.consumed, b.len);
    assert_string_equal(h.sni, "a.example");
}

static void test_a_second_hello_in_every_cut(void **state UNUSED)
{
    static const struct bytes fronts[] = {
        B(""), B("\x14\x03\x03\0\1\1"), B("\x17\x03\x03\0\x05hello\x17\x03\x03\0\1!"),
        B("\x14\x03\x03\0\1\1\x17\x03\x03\0\x05hello"), B("\x15\x03\x03\0\2\1\x5a")};
    for (size_t i = 0; i < ARRAY_SIZE(fronts); i++) {
        check_second(retry_client_second, fronts[i], 6);
        check_second(retry_client_plain, fronts[i], 0);
    }
}

static void test_what_is_no_second_hello(void **state UNUSED)
{
    static const struct {
        struct bytes data;
        const char *why;
    } table[] = {
        {B("\x14\x03\x03\0\2\1\1"), "change-cipher-spec"},
        {B("\x14\x03\x03\0\1\2"), "change-cipher-spec"},
        {B("\x14\x02\x03\0\1\1"), "record-version"},
        {B("\x15\x03\x03\0\3\1\0\0"), "alert"},
        {B("\x17\x03\x03\0\0"), "record-length"},
        {B("\x17\x03\x03\x41\1"), "record-length"},
        {B("GET / HTTP/1.1"), "not-handshake"},
        {B("\x14\x03\x03\0\1\1\x18\x03\x03"), "not-handshake"},
        {B("\x16\x03\x03\0\1\x0b"), "not-client-hello"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const char *why = NULL;
        struct client_hello h;
        size_t at;
        assert_int_equal(second_hello_parse(table[i].data.data, table[i].data.len, &h, &at, &why),
                         CLIENT_HELLO_BAD);
        assert_string_equal(why, table[i].why);
    }
}

static void test_early_data_has_a_bound(void **state UNUSED)
{
    static char record[5 + 16384] = "\x17\x03\x03\x40";
    CLEANUP_BUFFER struct buffer b = {0}, small = {0};
    struct client_hello h;
    const char *why;
    size_t at;
    buffer_add(&b, record, sizeof(record));
    assert_int_equal(second(&b, b.len, &h, &at, &why), CLIENT_HELLO_INCOMPLETE);
    assert_int_equal(at, b.len);
    buffer_add(&b, record, sizeof(record));
    assert_int_equal(second(&b, b.len, &h, &at, &why), CLIENT_HELLO_BAD);
    assert_string_equal(why, "early-data");
    for (size_t i = 0; i < 65; i++)
        buffer_add(&small, "\x17\x03\x03\0\1x", 6);
    assert_int_equal(second(&small, small.len - 6, &h, &at, &why), CLIENT_HELLO_INCOMPLETE);
    assert_int_equal(second(&small, small.len, &h, &at, &why), CLIENT_HELLO_BAD);
    assert_string_equal(why, "early-data");
}

static char *find(struct buffer *b, const char *what, size_t len)
{
    char *at = memmem(b->data, b->len, what, len);
    assert_non_null(at);
    return at;
}

static bool same(const struct buffer *a, const struct buffer *b, size_t skipped)
{
    return client_hello_same(a->data, a->len, b->data + skipped, b->len - skipped);
}

static void test_two_hellos_say_the_same(void **state UNUSED)
{
    CLEANUP_BUFFER struct buffer a = {0}, b = {0}, plain = {0};
    add_hex(&a, retry_client_first);
    add_hex(&b, retry_client_second);
    add_hex(&plain, retry_client_plain); /* the same name, and no ALPN */
    assert_true(same(&a, &b, 6));
    assert_true(same(&a, &a, 0));
    assert_false(same(&a, &plain, 0));
    assert_false(same(&plain, &a, 0));
    assert_false(same(&a, &b, 5));
    assert_false(client_hello_same(a.data, a.len - 1, b.data + 6, b.len - 6));
    /* Every byte of the two extensions counts, and of the others none. */
    char *sni = find(&b, "\0\0\0\x0e\0\x0c\0\0\x09", 9), *alpn = find(&b, "\0\x10\0\x0e", 4);
    for (char *at = sni + 9; at < sni + 18; at++) {
        *at ^= 1;
        assert_false(same(&a, &b, 6));
        *at ^= 1;
    }
    for (char *at = alpn + 7; at < alpn + 9; at++) {
        *at ^= 1;
        assert_false(same(&a, &b, 6));
        *at ^= 1;
    }
    alpn[1] = 0x55; /* another extension: there is no ALPN any more */
    assert_false(same(&a, &b, 6));
    alpn[1] = 0x10;
    b.data[b.len - 1] ^= 1; /* of the key share */
    assert_true(same(&a, &b, 6));
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("T04", test_real_answers_in_every_cut),
        REPORT("T04", test_a_retry_in_every_record_cut),
        REPORT("T04", test_a_random_that_is_nearly_the_one),
        REPORT("-", test_answers_of_other_servers),
        REPORT("T04", test_a_second_hello_in_every_cut),
        REPORT("T04", test_what_is_no_second_hello),
        REPORT("T04", test_early_data_has_a_bound),
        REPORT("T04", test_two_hellos_say_the_same),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
