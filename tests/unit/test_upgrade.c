/* SPDX-License-Identifier: MIT
 * Conversations that turn into TLS, and that do not: what of the client's bytes passes, and where a
 * ClientHello is seen, with each of the client's turns in one piece and in every two. */
#include <stdlib.h>
#include <string.h>

#include "base/attrib.h"
#include "session/upgrade.h"
#include "unit/report.h"

#define TURNS 8

struct turn {
    bool server;
    const char *data;
    size_t len;
};
#define C(text)                                                                                    \
    {                                                                                              \
        false, text, sizeof(text) - 1                                                              \
    }
#define S(text)                                                                                    \
    {                                                                                              \
        true, text, sizeof(text) - 1                                                               \
    }
#define HELLO "\x16\x03\x01\0\x40\1\0\0\x3c\x03\x03"

/* As the session does it: what may go goes, the rest stands before what comes next. */
struct talk {
    struct upgrade u;
    char held[512];
    size_t n_held, passed;
    enum upgrade_step step; /* of the newest bytes; once not PASS, it stays */
};

static void step(struct talk *t)
{
    size_t n = 1;
    while (t->step == UPGRADE_PASS && n > 0 && t->n_held > 0) {
        /* On the heap and of exact size, so that the sanitizer sees a byte too many. */
        char *copy = malloc(t->n_held);
        assert_non_null(copy);
        memcpy(copy, t->held, t->n_held);
        t->step = upgrade_client(&t->u, copy, t->n_held, &n);
        free(copy);
        assert_true(n <= t->n_held);
        if (t->step != UPGRADE_PASS)
            break;
        t->passed += n;
        t->n_held -= n;
        memmove(t->held, t->held + n, t->n_held);
    }
}

static void client(struct talk *t, const char *data, size_t len)
{
    assert_true(t->n_held + len <= sizeof(t->held));
    memcpy(t->held + t->n_held, data, len);
    t->n_held += len;
    step(t);
}

static void server(struct talk *t, const char *data, size_t len)
{
    upgrade_server(&t->u, data, len);
    step(t);
}

struct row {
    const char *name;
    struct turn turns[TURNS];
    enum upgrade_step end;
    size_t passed; /* of the client's, at the end */
};

static const struct row rows[] = {
    {"SMTP",
     {S("220 mx ESMTP\r\n"), C("EHLO a\r\n"), S("250-mx\r\n250 STARTTLS\r\n"), C("STARTTLS\r\n"),
      S("220 go\r\n"), C(HELLO)},
     UPGRADE_TLS,
     18},
    {"SMTP, pipelined",
     {S("220 mx\r\n"), C("EHLO a\r\nSTARTTLS\r\n"), S("250 mx\r\n220 go\r\n"), C(HELLO)},
     UPGRADE_TLS,
     18},
    {"SMTP, plain",
     {S("220 mx\r\n"), C("EHLO a\r\n"), S("250 mx\r\n"), C("MAIL FROM:<a@b>\r\n")},
     UPGRADE_PASS,
     25},
    {"SMTP, the hello behind the command",
     {S("220 mx\r\n"), C("STARTTLS\r\n" HELLO)},
     UPGRADE_BAD,
     0},
    {"SMTP, the hello before the answer",
     {S("220 mx\r\n"), C("STARTTLS\r\n"), C(HELLO)},
     UPGRADE_BAD,
     10},
    {"SMTP, behind what the server forgets",
     {S("220 mx\r\n"), C("STARTTLS\r\n"), S("220 go\r\n"), C("NOOP"), C(HELLO)},
     UPGRADE_BAD,
     14},
    {"SMTP, in one piece with it",
     {S("220 mx\r\n"), C("STARTTLS\r\n"), S("220 go\r\n"), C("NOOP" HELLO)},
     UPGRADE_BAD,
     10},
    {"SMTP, all of it before the greeting",
     {C("EHLO a\r\nSTARTTLS\r\n" HELLO), S("220 mx\r\n")},
     UPGRADE_BAD,
     18},
    {"SMTP, commands before the greeting",
     {C("EHLO a\r\n"), S("220 mx\r\n250 mx\r\n"), C("STARTTLS\r\n"), S("220 go\r\n"), C(HELLO)},
     UPGRADE_TLS,
     18},
    {"SMTP, half a hello before the greeting",
     {C("STARTTLS\r\n\x16"), S("220 mx\r\n220 go\r\n"), C("\x03\x01\0\x40")},
     UPGRADE_BAD,
     11},
    {"greeting in pieces",
     {S("2"), S("2"), S("0 mx\r\n"), C("STARTTLS\r\n"), S("2"), C(HELLO)},
     UPGRADE_TLS,
     10},
    {"FTP", {S("220 (ftpd)\r\n"), C("AUTH TLS\r\n"), S("234 go\r\n"), C(HELLO)}, UPGRADE_TLS, 10},
    {"POP3", {S("+OK pop\r\n"), C("STLS\r\n"), S("+OK go\r\n"), C(HELLO)}, UPGRADE_TLS, 6},
    {"IMAP", {S("* OK imap\r\n"), C("a STARTTLS\r\n"), S("a OK\r\n"), C(HELLO)}, UPGRADE_TLS, 12},
    {"IMAP, authenticated", {S("* PREAUTH imap\r\n"), C("a STARTTLS\r\n" HELLO)}, UPGRADE_BAD, 0},
    {"ManageSieve",
     {S("\"IMPLEMENTATION\" \"x\"\r\nOK\r\n"), C("STARTTLS\r\n"), S("OK\r\n"), C(HELLO)},
     UPGRADE_TLS,
     10},
    {"XMPP",
     {C("<stream:stream>"), S("<?xml version='1.0'?><stream:stream>"), C("<starttls/>"),
      S("<proceed/>"), C(HELLO)},
     UPGRADE_TLS,
     26},
    {"Redis",
     {C("*1\r\n$4\r\nPING\r\n"), S("+PONG\r\n"), C("SET x \x16\x03\x01\r\n")},
     UPGRADE_OVER,
     14},
    {"Redis, OK", {C("SET x 1\r\n"), S("+OK\r\n"), C("\x16\x03")}, UPGRADE_OVER, 9},
    {"HTTP", {C("GET / HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n"), C(HELLO)}, UPGRADE_OVER, 18},
    {"SSH", {S("SSH-2.0-x\r\n"), C("SSH-2.0-y\r\n")}, UPGRADE_OVER, 0},
    {"the server ends without a word", {C("abc"), S(""), C("def")}, UPGRADE_OVER, 3},
    {"binary that looks like TLS waits",
     {C("ab\x16\x03"
        "cd")},
     UPGRADE_PASS,
     2},
    {"and goes on",
     {C("ab\x16\x03"
        "cd"),
      S("xyz")},
     UPGRADE_OVER,
     2},
    {"MySQL",
     {S("\x4a\0\0\0\x0a"
        "8.0"),
      C("\x20\0\0\1\x05\xae\xff\0"
        "123456789012345678901234"
        "5678" HELLO)},
     UPGRADE_TLS,
     36},
    {"MySQL, a longer packet",
     {S("\x4a\0\0\0\x0a"
        "8.0"),
      C("\x04\0\0\1\0\x08\0\0" HELLO)},
     UPGRADE_TLS,
     8},
    {"MySQL, TLS announced and not begun",
     {S("\x4a\0\0\0\x0a"
        "8.0"),
      C("\x04\0\0\1\0\x08\0\0"), C("\x03\0\0\2abc")},
     UPGRADE_BAD,
     8},
    {"MySQL, plain",
     {S("\x4a\0\0\0\x0a"
        "8.0"),
      C("\x20\0\0\1\x05\xa6\xff\0"
        "1234")},
     UPGRADE_OVER,
     6},
    {"MySQL, before the greeting",
     {C("\x04\0\0\1\0\x08\0\0" HELLO), S("\x4a\0\0\0\x0a"
                                         "8.0")},
     UPGRADE_BAD,
     8},
    {"PostgreSQL", {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("S"), C(HELLO)}, UPGRADE_TLS, 8},
    {"PostgreSQL, GSSENC first",
     {C("\0\0\0\x08\x04\xd2\x16\x30"), S("N"), C("\0\0\0\x08\x04\xd2\x16\x2f"), S("S"), C(HELLO)},
     UPGRADE_TLS,
     16},
    {"PostgreSQL, refused",
     {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N"), C("\0\0\0\x29\0\3\0\0user")},
     UPGRADE_OVER,
     8},
    {"PostgreSQL, plain",
     {C("\0\0\0\x29\0\3\0\0user\0"), S("R\0\0\0\x08"), C("p\0\0\0")},
     UPGRADE_OVER,
     13},
    {"PostgreSQL, the hello before the answer",
     {C("\0\0\0\x08\x04\xd2\x16\x2f"), C(HELLO)},
     UPGRADE_BAD,
     8},
    {"PostgreSQL, cancel",
     {C("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"), S("xyz"), C("y")},
     UPGRADE_OVER,
     16},
    {"LDAP",
     {C("\x30\x1d\x02\1\1\x77\x18\x80\x16"
        "1.3.6.1.4.1.1466.20037"),
      S("\x30\x0c\x02\1\1\x78\7\x0a\1\0\4\0\4\0"), C(HELLO)},
     UPGRADE_TLS,
     31},
    {"LDAP, long lengths",
     {C("\x30\x84\0\0\0\5\x02\1\1\x42\0"), S("\x30\5"), C("\x30\5\2\1\2\x16\3"), S("\x30\5"),
      C(HELLO)},
     UPGRADE_TLS,
     18},
    {"LDAP, the hello behind the request",
     {C("\x30\5\x02\1\1\x77\0" HELLO), S("\x30\5")},
     UPGRADE_BAD,
     7},
    {"LDAP, the hello before the answer",
     {C("\x30\5\x02\1\1\x42\0"), S("\x30\5"), C("\x30\5\x02\1\1\x77\0"), C(HELLO)},
     UPGRADE_BAD,
     14},
    {"no LDAP after all",
     {C("0 is a line\r\n"), S("0 is an answer\r\n"), C("x")},
     UPGRADE_OVER,
     13},
    {"BER that is not LDAP's", {C("\x30\x80\x02\1\1"), S("\x30\x80"), C("x")}, UPGRADE_OVER, 5},
};

/* The client's turn number `which` in two pieces. Returns false where it is not that long. */
static bool run(const struct row *r, size_t which, size_t cut)
{
    struct talk t = {0};
    bool there = which == 0;
    size_t n = 0;
    for (size_t i = 0; i < TURNS && r->turns[i].data; i++) {
        const struct turn *u = &r->turns[i];
        if (u->server) {
            server(&t, u->data, u->len);
        } else if (++n == which && cut < u->len) {
            there = true;
            client(&t, u->data, cut);
            client(&t, u->data + cut, u->len - cut);
        } else {
            client(&t, u->data, u->len);
        }
    }
    if (t.step != r->end || (which == 0 && t.passed != r->passed))
        fail_msg("%s, turn %zu cut at %zu: step %d, %zu passed", r->name, which, cut, (int)t.step,
                 t.passed);
    return there;
}

static void test_conversations_in_every_cut(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        run(&rows[i], 0, 0);
        for (size_t which = 1; which <= TURNS; which++)
            for (size_t cut = 1; run(&rows[i], which, cut); cut++)
                ;
    }
}

static void test_a_client_that_never_hears_is_watched_to_a_bound(void **state UNUSED)
{
    static char chunk[4096];
    struct upgrade u = {0};
    enum upgrade_step s = UPGRADE_PASS;
    size_t n, passed = 0;
    memset(chunk, 'x', sizeof(chunk));
    while (s == UPGRADE_PASS && passed < 1u << 20) {
        s = upgrade_client(&u, chunk, sizeof(chunk), &n);
        passed += n;
    }
    assert_int_equal(s, UPGRADE_OVER);
    assert_true(passed > UPGRADE_UNANSWERED_MAX &&
                passed <= UPGRADE_UNANSWERED_MAX + sizeof(chunk));
    assert_false(upgrade_was_hidden(&u));
    upgrade_server(&u, "220 mx\r\n", 8);
    assert_true(upgrade_was_hidden(&u));
}

static void test_what_was_hidden(void **state UNUSED)
{
    static const struct {
        const char *greeting;
        size_t len;
        bool hidden;
    } table[] = {{"220 x", 5, true},         {"+OK x", 5, true},    {"\x4a\0\0\0\x0a", 5, true},
                 {"HTTP/1.1 ", 9, false},    {"+OK\r\n", 5, false}, {"SSH-2.0", 7, false},
                 {"\x16\x03\x03", 3, false}, {"", 0, false}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct upgrade u = {0};
        upgrade_server(&u, table[i].greeting, table[i].len);
        assert_int_equal(upgrade_was_hidden(&u), table[i].hidden);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("T13", test_conversations_in_every_cut),
        REPORT("T13", test_a_client_that_never_hears_is_watched_to_a_bound),
        REPORT("T13", test_what_was_hidden),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
