/* SPDX-License-Identifier: MIT
 * Every warning of POLICY-LANGUAGE.md section 8, and every hint for what newcomers write: each with
 * a policy that it is for and with one next to it that it is not. */
#include "unit/plain_lint.h"
#include "unit/rules_help.h"

struct row {
    const char *policy;
    const char *says; /* in some warning; NULL: nothing at all is said */
};

static void check_rows(const struct row *rows, size_t n, bool errors)
{
    for (size_t i = 0; i < n; i++) {
        char text[512];
        struct said said = {0};
        const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
        snprintf(text, sizeof(text), "%s", rows[i].policy);
        lines_split(text);
        struct policy *p = parse_text(text, &options);
        if ((p == NULL) != (errors && rows[i].says) || (said.len > 0) != (rows[i].says != NULL) ||
            (rows[i].says && !strstr(said.text, rows[i].says)))
            fail_msg("'%s': '%s'", rows[i].policy, said.text);
        policy_unref(p);
    }
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* unreachable, or a duplicate */
        {"x.org | x.org", "2:1: warning: the rule stands already at t:1"},
        {"x.org | x.org:80", NULL},
        {"x.org | x.org exe=/a", "2:1: warning: the rule at t:1 covers this one"},
        {"x.org exe=/a | x.org exe=/b", NULL},
        {"10.0.0.0/8 | 10.1.2.3", "2:1: warning: the rule at t:1 covers this one"},
        {"10.0.0.0/8 | 11.1.2.3", NULL},
        {"deny *.x.org | deny a.x.org", "2:1: warning: the rule at t:1 covers this one"},
        {"deny *.x.org exe=/a | deny a.x.org", NULL},
        /* a passthrough rule whose host also has URL rules */
        {"x.org passthrough | https://x.org/a", "2:1: warning: t:1 passes the TLS of this host"},
        {"x.org passthrough | https://y.org/a", NULL},
        {"x.org passthrough | https://x.org:8443/a", NULL},
        /* an insecure that covers more than its line says */
        {"https://x.org/a insecure", "1:1: warning: insecure is judged before the path is known"},
        {"https://x.org/* insecure", NULL},
        {"x.org insecure", NULL},
        /* *.x.org without x.org */
        {"*.x.org", "1:1: warning: *.x.org does not match x.org itself"},
        {"*.x.org | x.org", NULL},
        {"*.x.org | dns:x.org", NULL},
        {"a*.x.org", NULL},
        /* a veto that covers an allow entirely */
        {"deny *.org | x.org", "2:1: warning: the veto at t:1 covers this rule entirely"},
        {"deny *.org exe=/a | x.org", NULL},
        {"deny x.org:22 | x.org", NULL},
        /* a URL veto that has a host opened */
        {"x.org passthrough | deny https://x.org/a", "2:1: warning: this veto makes the filter"},
        {"x.org | deny https://y.org/a", NULL},
        {"x.org | deny http://x.org/a", NULL},
        /* an address rule that lets a vetoed name in */
        {"10.0.0.0/8 | deny y.org", "1:1: warning: a connection by address without a name"},
        {"10.0.0.0/8 | deny y.org:22", NULL},
        {"10.0.0.0/8:53/udp | deny y.org", NULL},
        /* a host rule with /udp */
        {"x.org:53/udp", "1:1: warning: a name opens no UDP, only its lookup"},
        {"1.2.3.4:53/udp", NULL},
        {"deny x.org:53/udp", NULL},
        /* a wildcard under a public suffix */
        {"*.co.uk | co.uk", "1:1: warning: anyone can register a name under co.uk"},
        {"*.bbc.co.uk | bbc.co.uk", NULL},
        {"deny *.co.uk", NULL},
        /* an expression in a workflow's policy */
        {"x.org exe=${{ inputs.a }}", "1:11: warning: what GitHub puts in place of ${{ }}"},
        {"x.org arg=$a", NULL},
    };
    check_rows(rows, ARRAY_SIZE(rows), false);
}

static void test_wishes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* a header's selector that narrows a veto: once a header */
        {"[exe=/a] | deny x.org", "2:6: warning: the header's selectors narrow this veto"},
        {"[exe=/a] | deny x.org user=0", NULL},
        {"[exe=/a] | [] | deny x.org", NULL},
        {"deny x.org | [exe=/a] | y.org", NULL},
        {"[:80] | deny x.org", NULL},
        /* a comma in a value */
        {"x.org exe=/a,/b", "1:13: warning: a comma does not make a list"},
        {"x.org user=a,b", "1:13: warning: a comma does not make a list"},
        {"x.org exe=\"/a,/b\"", NULL},
        {"x.org arg=a,b", NULL},
        /* loopback */
        {"localhost", "1:1: warning: what a program sends to its own loopback is not judged"},
        {"http://a.localhost:3000/x", "1:1: warning: what a program sends to its own loopback"},
        {"127.0.0.1:5432", "1:1: warning: what a program sends to its own loopback"},
        {"http://127.0.0.1:80/", "1:1: warning: what a program sends to its own loopback"},
        {"127.0.0.53:53/udp", NULL},
        {"notlocalhost", NULL},
        {"localhost.example.org", NULL},
        {"dns:localhost", NULL},
        {"deny localhost", NULL},
        {"0.0.0.0/0", NULL},
    };
    check_rows(rows, ARRAY_SIZE(rows), false);
    struct said said = {0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    policy_unref(parse_text("[exe=/a]\ndeny x.org\ndeny y.org\n[exe=/b]\ndeny z.org", &options));
    assert_int_equal(said.warnings, 2);
}

static void test_hints(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"allow x.org", "1:1: error: 'allow' is left away, a rule allows; write x.org\n"},
        {"Permit:  x.org:80",
         "1:1: error: 'Permit:' is left away, a rule allows; write x.org:80\n"},
        {"block x.org # no", "1:1: error: 'block' is no word of this language; write deny x.org\n"},
        {"drop x.org", "1:1: error: 'drop' is no word of this language; write deny x.org\n"},
        {"deny: x.org", "1:1: error: deny stands without a colon; write deny x.org\n"},
        {"!x.org", "1:1: error: a veto begins with a word; write deny x.org\n"},
        {"! x.org", "1:1: error: a veto begins with a word; write deny "},
        {"x.org 443", "1:7: error: a port stands right behind its target; write TARGET:443\n"},
        {"x.org :80|443", "1:7: error: a port stands right behind its target; write TARGET:80|443"},
        {"x.org:53 udp", "1:10: error: the protocol stands right behind the port; write "
                         "TARGET:PORT/udp\n"},
        {"x.org:80,443", "1:9: error: ports are joined with |, not with a comma; write such as "
                         ":80|443\n"},
        {"[:80,443]", "1:5: error: ports are joined with |, not with a comma"},
        {"x.org,y.org", "1:6: error: names are not listed; write one rule a line\n"},
        {"allow", NULL}, /* a host may be called so */
        {"block exe=/a", NULL},
        {"drop:80 private", NULL},
        {"x.org:80|443", NULL},
    };
    check_rows(rows, ARRAY_SIZE(rows), true);
}

/* What was meant as a veto is never skipped; what was meant as a rule is. */
static void test_lenient_hints(void **state)
{
    (void)state;
    static const char *const vetoes[] = {"block x.org", "!x.org", "deny: x.org", "REJECT x.org"};
    const struct policy_options lenient = {.lenient = true};
    for (size_t i = 0; i < ARRAY_SIZE(vetoes); i++)
        assert_null(parse_text(vetoes[i], &lenient));
    struct policy *p = parse_text("allow x.org\ny.org 443", &lenient);
    assert_non_null(p);
    assert_int_equal(policy_rule_count(p), 0);
    policy_unref(p);
}

static uint32_t seed = 7;

static size_t pick(size_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

#define PICK(list) (list)[pick(ARRAY_SIZE(list))]

/* Rules about so little that many cover each other, and many are about one name. */
static void write_rule(struct buffer *out)
{
    static const char *const hosts[] = {"x.org",      "a.x.org",   "ab.x.org", "c.ab.x.org",
                                        "*.x.org",    "*.org",     "a*.x.org", "*b.x.org",
                                        "*.a*.x.org", "*.a.x.org", "x.net"};
    static const char *const blocks[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0"};
    static const char *const ports[] = {"", "", "", ":80", ":443|80", ":1-1000", ":*", ":443|443"};
    static const char *const paths[] = {"/*",  "/a",     "/a/*",   "/a/b",   "/*/b", "/a*",
                                        "/b*", "/*/c/*", "/x/c/y", "/a/*/c", "/",    "/*/*"};
    static const char *const who[] = {"",
                                      "",
                                      " exe=/a",
                                      " user=0",
                                      " exe=/a user=0",
                                      " arg=a arg=b",
                                      " arg=b arg=a",
                                      " arg=a arg=a",
                                      " exe=/b"};
    static const char *const keywords[] = {"", "", " passthrough", " insecure", " private"};
    static const char *const methods[] = {"", "", "POST ", "* "};
    bool veto = pick(4) == 0;
    const char *host = PICK(hosts);
    buffer_add_string(out, veto ? "deny " : "");
    switch (pick(5)) {
    case 0:
        buffer_printf(out, "dns:%s", host);
        break;
    case 1:
        buffer_printf(out, "%s%s", PICK(blocks), PICK(ports));
        break;
    case 2:
        buffer_printf(out, "%s%s%s", host, PICK(ports), veto ? "" : PICK(keywords));
        break;
    default:
        buffer_printf(out, "%s%s://%s%s", PICK(methods), pick(3) ? "https" : "http",
                      pick(8) ? host : "10.1.2.3", PICK(paths));
    }
    buffer_printf(out, "%s\n", PICK(who));
}

static void read_warning(void *context, const struct diagnostic *d)
{
    plain_lint_read(d, context);
}

/* Whether few or many rules are about one name, no warning is lost and none made up. */
static void test_plain(void **state)
{
    (void)state;
    size_t warnings = 0;
    for (int i = 0; i < 400; i++) {
        CLEANUP_BUFFER struct buffer text = {0}, given = {0}, plain = {0};
        const struct policy_options options = {.diagnose = read_warning,
                                               .diagnose_context = &given};
        for (size_t n = 2 + pick(i % 8 ? 40 : 300); n > 0; n--)
            write_rule(&text);
        struct policy *p = parse_text(text.data, &options);
        if (!p)
            fail_msg("refused: %s", text.data);
        buffer_add_string(&given, "");
        buffer_add_string(&plain, "");
        plain_lint(p, &plain);
        if (strcmp(given.data, plain.data) != 0) {
            printf("%s--- given\n%s--- plain\n%s", text.data, given.data, plain.data);
            fail_msg("other warnings than of the plain way");
        }
        for (const char *c = plain.data; *c; c++)
            warnings += *c == '\n';
        policy_unref(p);
    }
    printf("  %zu warnings\n", warnings);
    assert_true(warnings > 2000);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_warnings), REPORT("-", test_wishes),        REPORT("-", test_plain),
        REPORT("-", test_hints),    REPORT("-", test_lenient_hints),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
