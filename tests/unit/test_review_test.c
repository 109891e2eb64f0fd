/* SPDX-License-Identifier: MIT
 * `test` as its author calls it: TAP, what is said of failures, annotations, and exit statuses. */
#include "review/test.h"
#include "unit/review_run.h"

struct row {
    const char *policy, *words; /* the policy is in t.rules; words NULL: test t.rules */
    int code;
    const char *out, *err;
};

static void run_rows(const struct row *rows, size_t n)
{
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    for (size_t i = 0; i < n; i++) {
        review_write("t.rules", rows[i].policy);
        int code = review_run(test_main, rows[i].words ? rows[i].words : "test t.rules",
                              rows[i].policy, &out, &err);
        if (code != rows[i].code || strcmp(out.data, rows[i].out) != 0 ||
            strcmp(err.data, rows[i].err) != 0)
            fail_msg("%zu '%s': %d\n%s\n%s", i, rows[i].policy, code, out.data, err.data);
    }
}

#define TAP "TAP version 13\n"
#define NO_TEST                                                                                    \
    "egress-filter: error: there is no test to run; write some, such as `#? allow "                \
    "https://github.com/ exe=/usr/bin/git`\n"

static void results(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a.org\n#? allow tls a.org\n  #?deny tls b.org # because\n", NULL, TEST_GOOD,
         TAP "ok 1 - t.rules:2 allow tls a.org\nok 2 - t.rules:3 deny tls b.org\n1..2\n", ""},
        {"#? allow tls a.org\n", NULL, TEST_FAILED,
         TAP "not ok 1 - t.rules:1 allow tls a.org\n# wanted allow, got deny: no rule allows it\n"
             "1..1\n",
         ""},
        {"*.org\ndeny a.org # evil\n#? allow tls a.org", NULL, TEST_FAILED,
         TAP "not ok 1 - t.rules:3 allow tls a.org\n"
             "# wanted allow, got deny by t.rules:2 `deny a.org`\n1..1\n",
         ""},
        {"*.org exe=/a\n#? deny tls a.org exe=/a\n#? allow tls a.org\n", NULL, TEST_FAILED,
         TAP "not ok 1 - t.rules:2 deny tls a.org exe=/a\n"
             "# wanted deny, got allow by t.rules:1 `*.org exe=/a`\n"
             "not ok 2 - t.rules:3 allow tls a.org\n# wanted allow, got deny: it depends on a fact "
             "of the process that the test does not tell\n1..2\n",
         ""},
        {"https://a.org/x\n#? inspect tls a.org\n#? allow https://a.org/x\n"
         "#? deny POST https://a.org/x\n",
         NULL, TEST_GOOD,
         TAP "ok 1 - t.rules:2 inspect tls a.org\nok 2 - t.rules:3 allow https://a.org/x\n"
             "ok 3 - t.rules:4 deny POST https://a.org/x\n1..3\n",
         ""},
        {"a.org\n#? allow tls a.org at 10.0.0.1\n#? allow dns a.org at 192.0.2.1", NULL,
         TEST_FAILED,
         TAP "not ok 1 - t.rules:2 allow tls a.org at 10.0.0.1\n# wanted allow, got deny: the rule "
             "would need `private`, or the address one of its own; see t.rules:1 `a.org`\n"
             "not ok 2 - t.rules:3 allow dns a.org at 192.0.2.1\n# wanted allow, got deny: the "
             "name is allowed, the resolver is not\n1..2\n",
         ""},
        {"https://a.org/{owner}/{repo}/*\n#? allow https://a.org/{owner}/{repo}/x\n",
         "test --repo me/it t.rules", TEST_GOOD,
         TAP "ok 1 - t.rules:2 allow https://a.org/{owner}/{repo}/x\n1..1\n", ""},
        {"/x\n#? allow https://a.org/x\n", "test --context [https://a.org] -", TEST_GOOD,
         TAP "ok 1 - <stdin>:2 allow https://a.org/x\n1..1\n", ""},
        {"a.org arg=\"#\"\n#? allow tls a.org arg=\"#\\\"\n#? allow tls a.org arg=#\n", NULL,
         TEST_FAILED,
         TAP "not ok 1 - t.rules:2 allow tls a.org arg=\"\\#\\\\\"\n# wanted allow, got deny: no "
             "rule allows it\nok 2 - t.rules:3 allow tls a.org arg=\\#\n1..2\n",
         ""},
    };
    run_rows(rows, ARRAY_SIZE(rows));
}

#define COMMENT                                                                                    \
    "this is a comment and would not be asked; write a test on a line of its own, beginning with " \
    "#?\n"

static void what_cannot_be_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a.org\n", NULL, TEST_BAD, TAP "# t.rules holds no tests\n1..0\n", NO_TEST},
        {"a.org\n#? allow a.org\n#? allow tls a.org", NULL, TEST_BAD,
         TAP "not ok 1 - t.rules:2 allow a.org\nok 2 - t.rules:3 allow tls a.org\n1..2\n",
         "t.rules:2:10: error: 'a.org' is no event; write one such as tls HOST, tcp ADDRESS:PORT, "
         "udp ADDRESS:PORT, dns NAME, or a URL\n"},
        /* What looks like a test and would not be asked */
        {"a.org #? deny tls a.org\n# ? allow tls b.org\n[:22] # ?deny tls c.org\n#? allow tls "
         "a.org\n"
         "b.org # ? yes\n# allow? deny!\nc.org arg=\"#? deny\" # why #? deny\n",
         NULL, TEST_BAD,
         TAP
         "not ok 1 - t.rules:1 \\#? deny tls a.org\nnot ok 2 - t.rules:2 \\# ? allow tls b.org\n"
         "not ok 3 - t.rules:3 \\# ?deny tls c.org\nok 4 - t.rules:4 allow tls a.org\n1..4\n",
         "t.rules:1:7: error: " COMMENT "t.rules:2:1: error: " COMMENT
         "t.rules:3:7: error: " COMMENT},
        {"#? yes tls a.org\n", NULL, TEST_BAD, TAP "not ok 1 - t.rules:1 yes tls a.org\n1..1\n",
         "t.rules:1:4: error: a test begins with its verdict; write #? allow, #? deny or "
         "#? inspect, then an event\n"},
        {"#? allow tls a.org\ngithub.*\n", NULL, TEST_BAD, TAP "1..0\n",
         "t.rules:2:8: error: a wildcard needs a fixed label behind it; write each name out, such "
         "as github.com\n"},
        {"https://a.org/{owner}\n#? allow tls a.org\n", NULL, TEST_BAD, TAP "1..0\n",
         "egress-filter: error: 't.rules' uses {owner} or {repo}, and neither --repo OWNER/REPO "
         "nor "
         "GITHUB_REPOSITORY says what they are\n"},
        {"", "test nosuch", TEST_BAD, TAP "1..0\n",
         "egress-filter: error: cannot read 'nosuch': No such file or directory\n"},
        {"", "test @nosuch", TEST_BAD, TAP "1..0\n",
         "egress-filter: error: cannot read '@nosuch': there is no such preset\n"},
        {"", "test --repo me t.rules", TEST_BAD, "",
         "egress-filter: error: cannot read --repo 'me': it is OWNER/REPO\n"},
    };
    run_rows(rows, ARRAY_SIZE(rows));
}

static void annotations(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a.org\n#? deny tls a.org\n#? allow tls b.org arg=100%\n", "test t.rules", TEST_FAILED,
         TAP "not ok 1 - t.rules:2 deny tls a.org\n# wanted deny, got allow by t.rules:1 `a.org`\n"
             "::error file=t.rules,line=2,col=4::wanted deny, got allow by t.rules:1 `a.org`\n"
             "not ok 2 - t.rules:3 allow tls b.org arg=100%\n# wanted allow, got deny: no rule "
             "allows it\n::error file=t.rules,line=3,col=4::wanted allow, got deny: no rule allows "
             "it\n1..2\n",
         ""},
        {"#? allow tls 100%:x\n", "test ./t.rules", TEST_BAD,
         TAP "::error file=./t.rules,line=1,col=19::'x' is no port; write a number from 1 to "
             "65535\nnot ok 1 - ./t.rules:1 allow tls 100%:x\n1..1\n",
         "./t.rules:1:19: error: 'x' is no port; write a number from 1 to 65535\n"},
    };
    setenv("GITHUB_ACTIONS", "true", 1);
    run_rows(rows, ARRAY_SIZE(rows));
    review_write("a,b:c%.rules", "#? deny tls a.org:1%\n");
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(test_main, "test a,b:c%.rules", "", &out, &err), TEST_BAD);
    assert_non_null(
        strstr(out.data, "\n::error file=a%2Cb%3Ac%25.rules,line=1,col=19::'1%25' is "));
    unsetenv("GITHUB_ACTIONS");
}

static void workflows(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    review_write("ci.yml", "jobs:\n  a:\n    steps:\n      - uses: o/egress-filter@v1\n"
                           "        with:\n          policy: |\n            a.org\n"
                           "            #? allow tls a.org\n            #? allow tls b.org\n"
                           "            #? deny a.org\n");
    assert_int_equal(review_run(test_main, "test ci.yml", "", &out, &err), TEST_BAD);
    assert_string_equal(out.data,
                        TAP "ok 1 - ci.yml:8 allow tls a.org\nnot ok 2 - ci.yml:9 allow tls b.org\n"
                            "# wanted allow, got deny: no rule allows it\n"
                            "not ok 3 - ci.yml:10 deny a.org\n1..3\n");
    assert_non_null(strstr(err.data, "ci.yml:10:21: error: 'a.org' is no event"));
}

static void presets(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    static const char *const names[] = {"github-actions", "host-basics", "npm",    "pypi",
                                        "cargo",          "go",          "maven",  "rubygems",
                                        "docker-hub",     "ghcr",        "debian", "ubuntu",
                                        "github",         "anthropic",   "openai"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char words[64];
        snprintf(words, sizeof(words), "test @%s", names[i]);
        int code = review_run(test_main, words, "", &out, &err);
        if (code != TEST_GOOD || err.len)
            fail_msg("@%s: %d\n%s%s", names[i], code, out.data, err.data);
    }
}

static void command_line(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(test_main, "test", "", &out, &err), TEST_BAD);
    assert_non_null(strstr(err.data, "test needs a file"));
    assert_int_equal(review_run(test_main, "test --nosuch x", "", &out, &err), TEST_BAD);
    assert_int_equal(review_run(test_main, "test --help", "", &out, &err), TEST_GOOD);
    size_t lines = 0;
    for (const char *c = out.data; *c; c++)
        lines += *c == '\n';
    assert_true(lines <= 24); /* a screen */
}

static void clean_up(void **state)
{
    (void)state;
    static const char *const names[] = {"t.rules", "ci.yml", "a,b:c%.rules"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(chdir("/") == 0 ? rmdir(review_directory) : -1, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", results),     REPORT("-", what_cannot_be_read),
        REPORT("-", annotations), REPORT("-", workflows),
        REPORT("-", presets),     REPORT("-", command_line),
        REPORT("-", clean_up),
    };
    unsetenv("GITHUB_ACTIONS");
    return review_enter(NULL) < 0 || unit_run(tests, ARRAY_SIZE(tests));
}
