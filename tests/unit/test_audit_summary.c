/* SPDX-License-Identifier: MIT
 * The summary: what it counts, which line it proposes for what, and that it cannot be used to
 * write to somebody's terminal or to fill memory. */
#include "unit/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/summary.h"

static const struct process node = {.exe = "/usr/bin/node", .known = FACT_EXE};

static void add(struct summary *s, struct record r)
{
    summary_add(s, &r, &node);
}

static char *print(const struct summary *s, unsigned width, bool colour)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    summary_print(s, f, width, colour);
    assert_int_equal(fclose(f), 0);
    return text;
}

static char *print_json(const struct summary *s)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    summary_json(s, "egress.jsonl", "7:00ff", f);
    assert_int_equal(fclose(f), 0);
    return text;
}

#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define DENIED  .policy = RECORD_POLICY_DENY, .outcome = RECORD_DENIED
#define ALLOWED .policy = RECORD_POLICY_ALLOW, .outcome = RECORD_ALLOWED
#define TCP     .type = RECORD_TCP, .proto = T("tcp"), .has_dst = true, .dst_ip = 0x01020304
#define UDP     .type = RECORD_UDP, .proto = T("udp"), .has_dst = true, .dst_ip = 0x08080808

/* One denial, one line of a policy, or the word why there is none. */
static void test_summary_rules(void **state)
{
    (void)state;
    static const struct {
        struct record r;
        const char *line;
    } cases[] = {
        {{DENIED, TCP, .dst_port = 443, .host = T("a.example")},
         "\n    a.example exe=/usr/bin/node  # seen once\n"},
        {{DENIED, TCP, .dst_port = 22, .host = T("A.Example."), .count = 2},
         "\n    a.example:22 exe=/usr/bin/node\n"},
        {{DENIED, TCP, .dst_port = 22}, "\n    1.2.3.4:22 exe=/usr/bin/node  # seen once\n"},
        {{DENIED, TCP, .dst_port = 443}, "\n    1.2.3.4 exe="},
        {{DENIED, TCP, .dst_port = 80, .host = T("1.2.3.4")}, "\n    1.2.3.4:80 exe="},
        {{DENIED, UDP, .dst_port = 123}, "\n    8.8.8.8:123/udp exe="},
        {{DENIED, UDP, .dst_port = 443}, "\n    8.8.8.8:443/udp exe="},
        {{DENIED, UDP, .dst_port = 443, .host = T("a.example")}, "\n    8.8.8.8:443/udp exe="},
        {{DENIED, UDP, .dst_port = 443, .reason = T("unsupported")},
         "# 8.8.8.8:443/udp, by /usr/bin/node, once: a rule allows it"},
        {{DENIED, .event = RECORD_QUERY, .type = RECORD_DNS, .proto = T("udp"), .dst_port = 53,
          .name = T("b.example"), .qtype = T("A")},
         "\n    b.example exe=/usr/bin/node  # seen once, only looked up\n"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a.b"), .reason = T("private-address")},
         "\n    a.b private exe=/usr/bin/node  # seen once, careful: a private address\n"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a.b"), .reason = T("veto"), .line = 7,
          .file = T("x.rules"), .rule = T("deny a.b")},
         "# a.b, by /usr/bin/node, once: x.rules:7 denies it, `deny a.b`; no line overrules"},
        {{DENIED, TCP, .dst_port = 443, .reason = T("unattributed")}, "once: whose it was"},
        {{DENIED, TCP, .dst_port = 443, .reason = T("new-word")}, "see the log"},
        {{DENIED, .type = RECORD_IPV6, .dst_ip6 = T("2001:db8::1"), .dst_port = 443},
         "# 2001:db8::1 port 443, by /usr/bin/node, once: IPv6 is closed"},
        {{DENIED, .type = RECORD_ICMP, .has_dst = true, .proto = T("1")}, "once: no rule"},
        {{DENIED, .type = RECORD_SOCKET}, "# (socket), by /usr/bin/node, once: no rule"},
        {{DENIED, TCP, .dst_port = 443, .host = T("*")}, "once: a rule cannot hold"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a b\n*.c")}, "# a b\\x0a*.c, by"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a.example\0x")}, "x00x, by"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a_b.c_d")}, "once: a rule cannot"},
        {{DENIED, TCP, .dst_port = 443, .host = T("a..b")}, "once: a rule cannot"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct summary *s = summary_new();
        assert_non_null(s);
        add(s, cases[i].r);
        char *text = print(s, 0, false);
        if (!strstr(text, cases[i].line))
            print_error("%s", text);
        assert_non_null(strstr(text, cases[i].line));
        free(text);
        summary_free(s);
    }
}

static void test_summary_counts(void **state)
{
    (void)state;
    struct summary *s = summary_new();
    const struct record records[] = {
        {ALLOWED, TCP, .dst_port = 443, .host = T("good.example"), .count = 4, .file = T("x.rules"),
         .line = 1, .rule = T("good.example")},
        {.event = RECORD_QUERY, ALLOWED, .type = RECORD_DNS, .name = T("good.example")},
        {.event = RECORD_QUERY, ALLOWED, .type = RECORD_DNS, .name = T("only.example")},
        {DENIED, TCP, .dst_port = 443, .host = T("bad.example"), .count = 2,
         .reason = T("no-rule")},
        {DENIED, TCP, .dst_port = 443, .host = T("bad.example"), .reason = T("no-rule")},
        {DENIED, TCP, .dst_port = 443, .host = T("tracker.example"), .expected = true,
         .reason = T("veto"), .file = T("x.rules"), .line = 2, .rule = T("deny *.example")},
        {.policy = RECORD_POLICY_ALLOW, .outcome = RECORD_FAILED, TCP, .host = T("x.example")},
        {.event = RECORD_CLOSE,
         .outcome = RECORD_FAILED,
         TCP,
         .dst_port = 443,
         .host = T("good.example")},
        {.event = RECORD_CLOSE, ALLOWED, TCP, .host = T("good.example")},
        {.event = RECORD_START},
        {.event = RECORD_STOP, .denied = 9},
    };
    for (size_t i = 0; i < ARRAY_SIZE(records); i++)
        add(s, records[i]);
    struct summary_totals t = summary_totals(s);
    assert_int_equal(t.allowed, 4);
    assert_int_equal(t.denied, 3);
    assert_int_equal(t.expected, 1);
    assert_int_equal(t.failed, 2);
    char *text = print(s, 0, false);
    assert_string_equal(
        text, "4 allowed, 3 denied, 1 denied as expected, 2 failed\n"
              "\n"
              "  ALLOWED   DENIED   FAILED  DESTINATION       DECIDED BY\n"
              "/usr/bin/node\n"
              "        0        3        0  bad.example       no-rule\n"
              "        0        1        0  tracker.example   veto x.rules:2 deny *.example\n"
              "        4        0        1  good.example      x.rules:1 good.example\n"
              "        0        0        1  x.example\n"
              "\n"
              "Denied; what would allow it, as lines of a policy:\n"
              "\n"
              "    bad.example exe=/usr/bin/node\n");
    free(text);
    summary_free(s);
    summary_free(NULL);
}

static void test_summary_audit_mode(void **state)
{
    (void)state;
    struct summary *s = summary_new();
    add(s, (struct record){TCP, .policy = RECORD_POLICY_DENY, .outcome = RECORD_ALLOWED});
    assert_int_equal(summary_totals(s).denied, 1);
    char *text = print(s, 0, false);
    assert_non_null(strstr(text, "it was let through: audit mode"));
    free(text);
    summary_free(s);
}

/* Hostile names and paths: nothing but printable ASCII comes out, and lines fit the terminal. */
static void test_summary_terminal(void **state)
{
    (void)state;
    struct summary *s = summary_new();
    char exe[2000], host[300];
    memset(exe, 0x1b, sizeof(exe) - 1);
    exe[sizeof(exe) - 1] = '\0';
    for (size_t i = 0; i < sizeof(host); i++)
        host[i] = (char)i;
    const struct process p = {.exe = exe};
    struct record r = {DENIED, TCP, .host = {host, sizeof(host)}, .reason = T("no-rule")};
    summary_add(s, &r, &p);
    add(s, (struct record){ALLOWED, TCP, .host = T("short.example")});
    for (unsigned width = 0; width < 200; width += 20) {
        char *text = print(s, width, false);
        for (const char *at = text; *at; at++)
            assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
        char *row = strstr(text, "DESTINATION");
        for (int line = 0; line < 3 && width >= 60; line++) {
            assert_true(strcspn(row, "\n") <= width);
            row += strcspn(row, "\n") + 1;
        }
        free(text);
    }
    char *colour = print(s, 80, true);
    assert_non_null(strstr(colour, "\033[31m"));
    free(colour);
    summary_free(s);
}

static void test_summary_json(void **state)
{
    (void)state;
    struct summary *s = summary_new();
    add(s, (struct record){DENIED, TCP, .dst_port = 22, .host = T("a.example"), .count = 2});
    add(s, (struct record){DENIED, .type = RECORD_IPV6, .dst_ip6 = T("\xff")});
    char *text = print_json(s);
    assert_string_equal(
        text, "{\"allowed\":0,\"denied\":3,\"expected\":0,\"failed\":0,\"log\":\"egress.jsonl\","
              "\"head\":\"7:00ff\",\"rows\":["
              "{\"destination\":\"a.example\",\"port\":22,\"proto\":\"tcp\","
              "\"program\":\"/usr/bin/node\",\"allowed\":0,\"denied\":2,\"expected\":0,"
              "\"failed\":0,\"reason\":\"\",\"suggest\":\"a.example:22 exe=/usr/bin/node\"},"
              "{\"destination\":\"\xef\xbf\xbd\",\"destination_raw\":\"/w==\","
              "\"program\":\"/usr/bin/node\",\"allowed\":0,\"denied\":1,\"expected\":0,"
              "\"failed\":0,\"reason\":\"\",\"why\":\"IPv6 is closed; no rule opens it\"}]}\n");
    free(text);
    summary_free(s);
}

static void test_summary_bounded(void **state)
{
    (void)state;
    struct summary *s = summary_new();
    char host[32];
    for (unsigned i = 0; i < 30000; i++) {
        snprintf(host, sizeof(host), "h%u.example", i % 15000);
        add(s, (struct record){DENIED, TCP, .host = text_of(host)});
    }
    assert_int_equal(summary_totals(s).denied, 30000);
    char *text = print_json(s);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    json_t *rows = json_object_get(json, "rows");
    assert_int_equal(json_array_size(rows), 10001);
    json_t *first = json_array_get(rows, 0);
    assert_non_null(strstr(json_string_value(json_object_get(first, "destination")), ".example"));
    json_t *last = json_array_get(rows, 10000);
    assert_string_equal(json_string_value(json_object_get(last, "destination")), "others");
    assert_int_equal(json_integer_value(json_object_get(last, "denied")), 10000);
    json_decref(json);
    free(text);
    text = print(s, 80, false);
    assert_non_null(strstr(text, "and 9901 more; the log has them all\n"));
    free(text);
    summary_free(s);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_summary_rules),      REPORT("-", test_summary_counts),
        REPORT("-", test_summary_audit_mode), REPORT("-", test_summary_terminal),
        REPORT("-", test_summary_json),       REPORT("-", test_summary_bounded),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
