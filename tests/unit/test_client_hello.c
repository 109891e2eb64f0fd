/* SPDX-License-Identifier: MIT
 * The ClientHello reader against hellos of real clients in every cut, and against hand-made ones
 * that two readers could understand in two ways. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attrib.h"
#include "base/buffer.h"
#include "tls/client_hello.h"
#include "unit/client_hellos.h"
#include "unit/report.h"

struct bytes {
    const char *data;
    size_t len;
};
#define B(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* Memory that ends where the process may not read on. */
struct guarded {
    uint8_t *start;
    size_t size, page;
};

static struct guarded guarded_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guarded g = {NULL, (size + page - 1) / page * page, page};
    g.start = mmap(NULL, g.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.start != MAP_FAILED);
    assert_int_equal(mprotect(g.start + g.size, page, PROT_NONE), 0);
    return g;
}

static void guarded_free(struct guarded *g)
{
    munmap(g->start, g->size + g->page);
}

static const void *guarded_put(const struct guarded *g, const void *data, size_t len)
{
    assert_true(len <= g->size);
    if (len > 0)
        memcpy(g->start + g->size - len, data, len);
    return g->start + g->size - len;
}

static void add_number(struct buffer *b, size_t value, unsigned bytes)
{
    while (bytes-- > 0)
        buffer_add_char(b, (char)(value >> 8 * bytes));
}

static void add_hex(struct buffer *b, const char *hex)
{
    for (unsigned byte; *hex; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        buffer_add_char(b, (char)byte);
    }
}

static void add_extension(struct buffer *b, unsigned type, struct bytes body)
{
    add_number(b, type, 2);
    add_number(b, body.len, 2);
    buffer_add(b, body.data, body.len);
}

static void add_sni(struct buffer *b, struct bytes name)
{
    add_number(b, 0, 2);
    add_number(b, name.len + 5, 2);
    add_number(b, name.len + 3, 2);
    add_number(b, 0, 1);
    add_number(b, name.len, 2);
    buffer_add(b, name.data, name.len);
}

/* A handshake message around extensions. */
static void add_message(struct buffer *b, const struct buffer *extensions)
{
    static const char random[32] = "the quick brown fox jumps over ";
    add_number(b, 1, 1);
    add_number(b, 2 + 32 + 1 + 32 + 2 + 4 + 2 + 2 + extensions->len, 3);
    add_number(b, 0x0303, 2);
    buffer_add(b, random, sizeof(random));
    add_number(b, sizeof(random), 1);
    buffer_add(b, random, sizeof(random));
    buffer_add(b, "\0\4\x13\x01\x13\x02", 6);
    buffer_add(b, "\1\0", 2);
    add_number(b, extensions->len, 2);
    buffer_add(b, extensions->data, extensions->len);
}

/* The message in records of at most `first` and then `rest` bytes. */
static void add_records(struct buffer *b, const char *message, size_t len, size_t first,
                        size_t rest)
{
    for (size_t at = 0, n = first; at < len; at += n, n = rest) {
        n = MIN(n, len - at);
        buffer_add(b, "\x16\x03\x01", 3);
        add_number(b, n, 2);
        buffer_add(b, message + at, n);
    }
}

static void add_hello(struct buffer *b, const struct buffer *extensions)
{
    CLEANUP_BUFFER struct buffer message = {0};
    add_message(&message, extensions);
    add_records(b, message.data, message.len, 16384, 16384);
    assert_false(buffer_failed(b) || buffer_failed(&message));
}

static const struct real {
    const char *name, *hex, *sni, *alpn;
    unsigned legacy, max;
} reals[] = {
    {"tls12", hello_openssl_tls12, "tls12.example.org", "http/1.1", 0x0303, 0x0303},
    {"tls13", hello_openssl_tls13, "example.org", "", 0x0303, 0x0304},
    {"no sni", hello_openssl_nosni, "", "", 0x0303, 0x0304},
    {"curl", hello_curl, "api.github.com", "h2,http/1.1", 0x0303, 0x0304},
    {"node", hello_node, "registry.npmjs.org", "h2,http/1.1", 0x0303, 0x0304},
    {"java", hello_java, "java.example.org", "", 0x0303, 0x0304},
    {"alpn", hello_openssl_alpn, "alpn.example.org", NULL, 0x0303, 0x0304},
};

static void check_real(const struct real *r, const struct client_hello *h)
{
    assert_string_equal(h->sni, r->sni);
    assert_int_equal(h->has_sni, r->sni[0] != '\0');
    assert_false(h->sni_invalid || h->ech);
    if (r->alpn)
        assert_string_equal(h->alpn, r->alpn);
    assert_int_equal(h->legacy_version, r->legacy);
    assert_int_equal(h->max_version, r->max);
}

static void test_real_hellos_at_every_truncation(void **state UNUSED)
{
    struct guarded g = guarded_new(4096);
    for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        struct client_hello h;
        const char *why;
        add_hex(&b, reals[i].hex);
        for (size_t n = 0; n < b.len; n++) {
            assert_int_equal(client_hello_parse(guarded_put(&g, b.data, n), n, &h, &why),
                             CLIENT_HELLO_INCOMPLETE);
            assert_null(why);
        }
        assert_int_equal(client_hello_parse(guarded_put(&g, b.data, b.len), b.len, &h, NULL),
                         CLIENT_HELLO_OK);
        assert_int_equal(h.consumed, b.len);
        check_real(&reals[i], &h);
        /* What follows, early data say, plays no part. */
        size_t len = b.len;
        buffer_add(&b, "\x17\x03\x03\0\1x", 6);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, NULL), CLIENT_HELLO_OK);
        assert_int_equal(h.consumed, len);
    }
    guarded_free(&g);
}

static void check_cut(const struct real *r, const struct buffer *whole, size_t first, size_t rest,
                      const struct guarded *g)
{
    CLEANUP_BUFFER struct buffer b = {0};
    struct client_hello h;
    add_records(&b, whole->data + 5, whole->len - 5, first, rest);
    assert_int_equal(client_hello_parse(guarded_put(g, b.data, b.len), b.len, &h, NULL),
                     CLIENT_HELLO_OK);
    assert_int_equal(h.consumed, b.len);
    check_real(r, &h);
    assert_int_equal(client_hello_parse(guarded_put(g, b.data, b.len - 1), b.len - 1, &h, NULL),
                     CLIENT_HELLO_INCOMPLETE);
}

static void test_real_hellos_in_every_record_cut(void **state UNUSED)
{
    struct guarded g = guarded_new(16384);
    for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
        CLEANUP_BUFFER struct buffer whole = {0};
        add_hex(&whole, reals[i].hex);
        for (size_t cut = 1; cut < whole.len - 5; cut++)
            check_cut(&reals[i], &whole, cut, 16384, &g);
        for (size_t n = 1; n < 16; n++)
            check_cut(&reals[i], &whole, n, n, &g);
    }
    guarded_free(&g);
}

static void test_server_names(void **state UNUSED)
{
    static const char a300[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaa.org";
    static const struct {
        struct bytes name;
        const char *sni; /* NULL: invalid */
    } table[] = {
        {B("example.org"), "example.org"},
        {B("Example.ORG"), "example.org"},
        {B("example.org."), "example.org"},
        {B("localhost"), "localhost"},
        {B("a_b.example.org"), "a_b.example.org"},
        {B("xn--bcher-kva.example"), "xn--bcher-kva.example"},
        {B("example.org.."), NULL},
        {B("."), NULL},
        {B(".example.org"), NULL},
        {B("a..example.org"), NULL},
        {B("192.0.2.1"), NULL},
        {B("192.0.2.1."), NULL},
        {B("127.1"), NULL},
        {B("0x7f000001"), NULL},
        {B("::1"), NULL},
        {B("[::1]"), NULL},
        {B("2001:db8::1"), NULL},
        {B("example.org\0"), NULL},
        {B("example.org\0.evil.example"), NULL},
        {B("\0"), NULL},
        {B("example.org "), NULL},
        {B("example.org\n"), NULL},
        {B("exa mple.org"), NULL},
        {B("exa,mple.org"), NULL},
        {B("example.org:443"), NULL},
        {B("example.org/"), NULL},
        {B("*.example.org"), NULL},
        {B("-a.example.org"), NULL},
        {B("b\xc3\xbc"
           "cher.example"),
         NULL},
        {B("example\xe3\x80\x82org"), NULL},
        {B("example.org\xff"), NULL},
        {{a300, 300}, NULL},
        {{a300, 254}, NULL},
    };
    assert_true(sizeof(a300) > 300);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        CLEANUP_BUFFER struct buffer extensions = {0}, b = {0};
        struct client_hello h;
        add_sni(&extensions, table[i].name);
        add_hello(&b, &extensions);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, NULL), CLIENT_HELLO_OK);
        assert_true(h.has_sni);
        if (h.sni_invalid != !table[i].sni)
            fail_msg("'%s': invalid is %d", table[i].name.data, h.sni_invalid);
        assert_string_equal(h.sni, table[i].sni ? table[i].sni : "");
    }
}

/* Extensions as they stand, and what is said of them. */
static const struct {
    struct bytes extensions;
    const char *why; /* NULL: fine */
    bool invalid, ech;
    unsigned max;
} oddities[] = {
    {B(""), NULL, 0, 0, 0x0303},
    /* Server names: two in one list, another type, nothing in it, lengths that lie, two lists. */
    {B("\0\0\0\x0a\0\x08\0\0\1a\0\0\1b"), NULL, 1, 0, 0x0303},
    {B("\0\0\0\x0a\0\x08\0\0\1a\0\0\1a"), NULL, 1, 0, 0x0303},
    {B("\0\0\0\x0a\0\x08\0\0\1a\1\0\1b"), NULL, 1, 0, 0x0303},
    {B("\0\0\0\6\0\4\1\0\1a"), NULL, 1, 0, 0x0303},
    {B("\0\0\0\0"), "server-name", 0, 0, 0},
    {B("\0\0\0\2\0\0"), "server-name", 0, 0, 0},
    {B("\0\0\0\5\0\3\0\0\0"), "server-name", 0, 0, 0},
    {B("\0\0\0\6\0\4\0\0\2a"), "server-name", 0, 0, 0},
    {B("\0\0\0\6\0\3\0\0\1a"), "server-name", 0, 0, 0},
    {B("\0\0\0\6\0\5\0\0\1a"), "server-name", 0, 0, 0},
    {B("\0\0\0\7\0\4\0\0\1ab"), "server-name", 0, 0, 0},
    {B("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1a"), "duplicate-extension", 0, 0, 0},
    {B("\0\0\0\6\0\4\0\0\1a\x0a\x0a\0\0\0\0\0\6\0\4\0\0\1b"), "duplicate-extension", 0, 0, 0},
    {B("\x0a\x0a\0\0\x0a\x0a\0\0"), "duplicate-extension", 0, 0, 0},
    /* GREASE of two kinds, first and last. */
    {B("\x0a\x0a\0\0\0\0\0\6\0\4\0\0\1a\x1a\x1a\0\1\0"), NULL, 0, 0, 0x0303},
    /* Versions. */
    {B("\0\x2b\0\5\4\x03\x04\x03\x03"), NULL, 0, 0, 0x0304},
    {B("\0\x2b\0\5\4\x03\x01\x03\x03"), NULL, 0, 0, 0x0303},
    {B("\0\x2b\0\7\6\xfa\xfa\x03\x04\x03\x03"), NULL, 0, 0, 0x0304},
    {B("\0\x2b\0\7\6\x7f\x1c\x03\x02\xfe\xfd"), NULL, 0, 0, 0x0302},
    {B("\0\x2b\0\3\2\x1a\x1a"), NULL, 0, 0, 0},
    {B("\0\x2b\0\1\0"), "supported-versions", 0, 0, 0},
    {B("\0\x2b\0\0"), "supported-versions", 0, 0, 0},
    {B("\0\x2b\0\4\3\x03\x04\x03"), "supported-versions", 0, 0, 0},
    {B("\0\x2b\0\4\2\x03\x04\x03"), "supported-versions", 0, 0, 0},
    /* ECH, and what came before it. */
    {B("\xfe\x0d\0\1\0"), NULL, 0, 1, 0x0303},
    {B("\xfe\x0d\0\0"), NULL, 0, 1, 0x0303},
    {B("\xff\xce\0\2\x13\x01"), NULL, 0, 1, 0x0303},
    /* A pre-shared key is last or it is nothing. */
    {B("\0\x2d\0\2\1\1\0\x29\0\1x"), NULL, 0, 0, 0x0303},
    {B("\0\x29\0\1x\0\x2d\0\2\1\1"), "psk-not-last", 0, 0, 0},
    /* Protocols. */
    {B("\0\x10\0\2\0\0"), "alpn", 0, 0, 0},
    {B("\0\x10\0\3\0\1\0"), "alpn", 0, 0, 0},
    {B("\0\x10\0\4\0\2\2h"), "alpn", 0, 0, 0},
    {B("\0\x10\0\6\0\3\2h2x"), "alpn", 0, 0, 0},
    /* Lengths of the extensions themselves. */
    {B("\0"), "extensions", 0, 0, 0},
    {B("\0\0"), "extensions", 0, 0, 0},
    {B("\x12\x34\0"), "extensions", 0, 0, 0},
    {B("\x12\x34\0\2x"), "extensions", 0, 0, 0},
    {B("\x12\x34\xff\xff"), "extensions", 0, 0, 0},
};

static void test_extension_oddities(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(oddities); i++) {
        CLEANUP_BUFFER struct buffer extensions = {0}, b = {0};
        struct client_hello h;
        const char *why;
        buffer_add(&extensions, oddities[i].extensions.data, oddities[i].extensions.len);
        add_hello(&b, &extensions);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, &why),
                         oddities[i].why ? CLIENT_HELLO_BAD : CLIENT_HELLO_OK);
        if (oddities[i].why)
            assert_string_equal(why, oddities[i].why);
        else
            assert_null(why);
        assert_int_equal(h.sni_invalid, oddities[i].invalid);
        assert_int_equal(h.ech, oddities[i].ech);
        assert_int_equal(h.max_version, oddities[i].max);
        if (oddities[i].why || oddities[i].invalid)
            assert_string_equal(h.sni, "");
    }
}

static void test_alpn_is_written_without_ambiguity(void **state UNUSED)
{
    static const struct {
        struct bytes body;
        const char *alpn;
    } table[] = {
        {B("\0\x0c\2h2\x08http/1.1"), "h2,http/1.1"},
        {B("\0\4\3a,b"), "a\\x2cb"},
        {B("\0\4\3a\\b"), "a\\x5cb"},
        {B("\0\4\3\0 \xff"), "\\x00\\x20\\xff"},
        {B("\0\6\2\x3a\x3a\2h2"), "::,h2"},
        {B("\0\2\1\x7f"), "\\x7f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        CLEANUP_BUFFER struct buffer extensions = {0}, b = {0};
        struct client_hello h;
        add_extension(&extensions, 16, table[i].body);
        add_hello(&b, &extensions);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, NULL), CLIENT_HELLO_OK);
        assert_string_equal(h.alpn, table[i].alpn);
    }
}

/* Lists that do not fit are cut between names, and still checked to their end. */
static void test_alpn_of_every_length(void **state UNUSED)
{
    for (size_t n = 1; n < 256; n++) {
        CLEANUP_BUFFER struct buffer list = {0}, extensions = {0}, b = {0};
        struct client_hello h;
        add_number(&list, 2 * n + 5, 2);
        for (unsigned twice = 0; twice < 2; twice++) {
            add_number(&list, n, 1);
            for (size_t i = 0; i < n; i++)
                buffer_add_char(&list, n % 2 ? 'p' : '\1');
        }
        buffer_add(&list, "\2h2", 3);
        add_extension(&extensions, 16, (struct bytes){list.data, list.len});
        add_hello(&b, &extensions);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, NULL), CLIENT_HELLO_OK);
        assert_true(strlen(h.alpn) < sizeof(h.alpn));
        size_t len = strlen(h.alpn);
        assert_true(len >= 3);
        const char *end = h.alpn + len;
        assert_true(strcmp(end - 2, "h2") == 0 || strcmp(end - 3, "...") == 0);
    }
    CLEANUP_BUFFER struct buffer b = {0};
    struct client_hello h;
    add_hex(&b, hello_openssl_alpn);
    assert_int_equal(client_hello_parse(b.data, b.len, &h, NULL), CLIENT_HELLO_OK);
    assert_memory_equal(h.alpn, "proto000,proto001,", 18);
    assert_string_equal(h.alpn + strlen(h.alpn) - 4, ",...");
}

static void test_bodies(void **state UNUSED)
{
    /* Offsets into a hello of add_hello: 5 record, 4 header, then as named. */
    enum { VERSION = 9, SESSION = 43, SUITES = 76, COMPRESSION = 82, EXTENSIONS = 84 };
    static const struct {
        size_t at;
        int value;
        const char *why;
    } table[] = {
        {VERSION, 2, "version"},
        {VERSION, 0xfe, "version"},
        {VERSION + 1, 4, NULL},
        {VERSION + 1, 0, NULL},
        {SESSION, 33, "session-id"},
        {SESSION, 255, "session-id"},
        {SESSION, 31, "cipher-suites"},
        {SUITES + 1, 0, "cipher-suites"},
        {SUITES + 1, 3, "cipher-suites"},
        {SUITES, 255, "cipher-suites"},
        {COMPRESSION, 0, "compression"},
        {COMPRESSION, 255, "compression"},
        {COMPRESSION + 1, 1, "compression"},
        {EXTENSIONS, 1, "extensions"},
        {EXTENSIONS + 1, 0, "extensions"},
        {EXTENSIONS + 1, 9, "extensions"},
        {EXTENSIONS + 1, 11, "extensions"},
    };
    CLEANUP_BUFFER struct buffer extensions = {0}, b = {0};
    add_sni(&extensions, (struct bytes)B("a"));
    add_hello(&b, &extensions);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct client_hello h;
        const char *why;
        char old = b.data[table[i].at];
        b.data[table[i].at] = (char)table[i].value;
        enum client_hello_result result = client_hello_parse(b.data, b.len, &h, &why);
        assert_int_equal(result, table[i].why ? CLIENT_HELLO_BAD : CLIENT_HELLO_OK);
        if (table[i].why)
            assert_string_equal(why, table[i].why);
        else
            assert_true(h.max_version <= 0x0303); /* nothing newer without supported_versions */
        b.data[table[i].at] = old;
    }
}

static void test_records(void **state UNUSED)
{
    static const struct {
        struct bytes data;
        const char *why; /* NULL: incomplete */
    } table[] = {
        {B(""), NULL},
        {B("\x16"), NULL},
        {B("\x16\x03"), NULL},
        {B("\x16\x03\x01\0"), NULL},
        {B("\x16\x03\x01\0\1\1"), NULL},
        {B("\x16\x03\xff\0\1\1"), NULL},
        {B("\x15\x03\x01\0\2\2\x28"), "not-handshake"},
        {B("\x17\x03\x03\0\1x"), "not-handshake"},
        {B("\x80\x2e\1\3\1"), "not-handshake"}, /* SSLv2 */
        {B("GET / HTTP/1.1\r\n\r\n"), "not-handshake"},
        {B("\x16\x02"), "record-version"},
        {B("\x16\xfe\xfd\0\1\1"), "record-version"}, /* DTLS */
        {B("\x16\x03\x01\0\0"), "record-length"},
        {B("\x16\x03\x01\x40\x01"), "record-length"},
        {B("\x16\x03\x01\xff\xff"), "record-length"},
        {B("\x16\x03\x01\0\1\0"), "not-client-hello"},
        {B("\x16\x03\x01\0\1\2"), "not-client-hello"},
        {B("\x16\x03\x01\0\4\1\0\0\x28"), "too-short"},
        {B("\x16\x03\x01\0\4\1\0\0\0"), "too-short"},
        {B("\x16\x03\x01\0\4\1\0\xff\xfd"), "too-long"},
        {B("\x16\x03\x01\0\4\1\xff\xff\xff"), "too-long"},
        {B("\x16\x03\x01\0\4\1\0\xff\xfc"), NULL},
        {B("\x16\x03\x01\0\x2e\1\0\0\x29"), "trailing-bytes"},
        {B("\x16\x03\x01\0\4\1\0\0\x29\x16\x03\x01\0\x2a"), "trailing-bytes"},
        {B("\x16\x03\x01\0\4\1\0\0\x29\x14\x03\x01\0\1\1"), "not-handshake"},
        {B("\x16\x03\x01\0\1\1\x15\x03\x01\0\2\2\x28"), "not-handshake"},
    };
    struct guarded g = guarded_new(64);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct bytes d = table[i].data;
        struct client_hello h;
        const char *why, *before = NULL;
        /* Once bad, bad for the same reason whatever follows. */
        for (size_t n = 0; n <= d.len; n++) {
            enum client_hello_result r =
                client_hello_parse(guarded_put(&g, d.data, n), n, &h, &why);
            assert_int_equal(r, why ? CLIENT_HELLO_BAD : CLIENT_HELLO_INCOMPLETE);
            if (before)
                assert_ptr_equal(why, before);
            before = why;
        }
        if (table[i].why)
            assert_string_equal(before, table[i].why);
        else
            assert_null(before);
    }
    guarded_free(&g);
}

static void test_large_hellos(void **state UNUSED)
{
    static const struct {
        size_t filler, record;
        enum client_hello_result result;
        const char *why;
    } table[] = {
        {1216, 16384, CLIENT_HELLO_OK, NULL}, /* a post-quantum key share: over one segment */
        {1216, 1, CLIENT_HELLO_OK, NULL},
        {61440, 16384, CLIENT_HELLO_OK, NULL},
        {61440, 100, CLIENT_HELLO_OK, NULL},
        {61440, 1, CLIENT_HELLO_BAD, "record-count"},
        {65429, 16384, CLIENT_HELLO_OK, NULL}, /* the last that fits */
        {65430, 16384, CLIENT_HELLO_BAD, "too-long"},
    };
    static const char filler[UINT16_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        CLEANUP_BUFFER struct buffer extensions = {0}, message = {0}, b = {0};
        struct client_hello h;
        const char *why;
        add_extension(&extensions, 0x1a1a, (struct bytes)B(""));
        add_extension(&extensions, 51, (struct bytes){filler, table[i].filler});
        add_sni(&extensions, (struct bytes)B("a.example"));
        add_message(&message, &extensions);
        add_records(&b, message.data, message.len, table[i].record, table[i].record);
        assert_int_equal(client_hello_parse(b.data, b.len, &h, &why), table[i].result);
        if (table[i].why) {
            assert_string_equal(why, table[i].why);
            continue;
        }
        assert_string_equal(h.sni, "a.example");
        assert_int_equal(h.consumed, b.len);
        assert_int_equal(client_hello_parse(b.data, b.len - 1, &h, &why), CLIENT_HELLO_INCOMPLETE);
    }
}

static void test_alerts(void **state UNUSED)
{
    static const struct {
        enum tls_alert alert;
        const char *record;
    } table[] = {
        {TLS_ALERT_HANDSHAKE_FAILURE, "\x15\x03\x03\0\2\2\x28"},
        {TLS_ALERT_ACCESS_DENIED, "\x15\x03\x03\0\2\2\x31"},
        {TLS_ALERT_DECODE_ERROR, "\x15\x03\x03\0\2\2\x32"},
        {TLS_ALERT_UNRECOGNIZED_NAME, "\x15\x03\x03\0\2\2\x70"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint8_t out[TLS_ALERT_LEN];
        tls_alert_write(table[i].alert, out);
        assert_memory_equal(out, table[i].record, sizeof(out));
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("T03", test_real_hellos_at_every_truncation),
        REPORT("T03", test_real_hellos_in_every_record_cut),
        REPORT("T02", test_server_names),
        REPORT("T02", test_extension_oddities),
        REPORT("-", test_alpn_is_written_without_ambiguity),
        REPORT("-", test_alpn_of_every_length),
        REPORT("R09", test_bodies),
        REPORT("R09", test_records),
        REPORT("T03", test_large_hellos),
        REPORT("-", test_alerts),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
