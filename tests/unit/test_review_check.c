/* SPDX-License-Identifier: MIT
 * `check` as its author calls it: what it prints of files, of what they include and of workflows,
 * what it exits with, and each rule as JSON. */
#include <sys/stat.h>

#include "review/check.h"
#include "unit/review_run.h"

struct row {
    const char *words;
    int code;
    const char *out, *err; /* out NULL: whatever this machine has; err: of each line, what stands
                              before the sentence */
};

/* Cuts the sentences off: they are the parser's, and have tests of their own. */
static void cut_sentences(struct buffer *b)
{
    static const char *const kinds[] = {": error: ", ": warning: "};
    char *to = b->data;
    for (char *line = b->data; *line;) {
        char *end = strchrnul(line, '\n'), *cut = end;
        bool ours = strncmp(line, "egress-filter: ", 15) == 0; /* of no line of a policy */
        for (size_t i = 0; i < ARRAY_SIZE(kinds) && !ours; i++) {
            char *at = strstr(line, kinds[i]);
            if (at && at < cut)
                cut = at + strlen(kinds[i]) - 2;
        }
        memmove(to, line, (size_t)(cut - line));
        to += cut - line;
        line = *end ? end + 1 : end;
        *to++ = '\n';
    }
    *to = '\0';
    b->len = (size_t)(to - b->data);
}

static void check_rows(const struct row *rows, size_t n)
{
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    for (size_t i = 0; i < n; i++) {
        int code = review_run(check_main, rows[i].words, "github.*\n", &out, &err);
        cut_sentences(&err);
        if (code != rows[i].code || (rows[i].out && strcmp(out.data, rows[i].out) != 0) ||
            strcmp(err.data, rows[i].err) != 0)
            fail_msg("%s: %d, '%s', '%s'", rows[i].words, code, out.data, err.data);
    }
}

static void files(void **state)
{
    (void)state;
    review_write("good.rules", "a.org\nb.org:80\n");
    review_write("warned.rules", "a.org\na.org\n");
    review_write("bad.rules", "a.org\n\n  github.*\nb.org b.org\ndeny c..org\n");
    review_write("open.rules", "https://a.org/{owner}/{repo}/*\n");
    review_write("path.rules", "/x\n");
    static const struct row rows[] = {
        {"check good.rules", 0, "good.rules: 2 rules, 0 warnings\n", ""},
        {"check --strict good.rules", 0, "good.rules: 2 rules, 0 warnings\n", ""},
        {"check warned.rules", 0, "warned.rules: 2 rules, 1 warning\n",
         "warned.rules:2:1: warning\n"},
        {"check --strict warned.rules good.rules", 1,
         "warned.rules: 2 rules, 1 warning\ngood.rules: 2 rules, 0 warnings\n",
         "warned.rules:2:1: warning\n"},
        {"check bad.rules", 2, "bad.rules: 3 errors, 0 warnings\n",
         "bad.rules:3:10: error\nbad.rules:4:7: error\nbad.rules:5:8: error\n"},
        {"check --lenient bad.rules", 2, "bad.rules: 1 error, 2 warnings\n",
         "bad.rules:3:10: warning\nbad.rules:4:7: warning\nbad.rules:5:8: error\n"},
        {"check -", 2, "<stdin>: 1 error, 0 warnings\n", "<stdin>:1:8: error\n"},
        {"check open.rules", 0, "open.rules: 1 rule, 0 warnings\n", ""},
        {"check --repo me/it open.rules", 0, "open.rules: 1 rule, 0 warnings\n", ""},
        {"check --repo me open.rules", 2, "",
         "egress-filter: error: cannot read --repo 'me': it is OWNER/REPO\n"},
        {"check --repo me/.. open.rules", 2, "open.rules: 1 error, 0 warnings\n",
         "open.rules:1:23: error\n"},
        {"check path.rules", 2, "path.rules: 1 error, 0 warnings\n", "path.rules:1:1: error\n"},
        {"check --context [https://a.org] path.rules", 0, "path.rules: 1 rule, 0 warnings\n", ""},
        {"check --context a.org good.rules", 2, "good.rules: 1 error, 0 warnings\n",
         "context:1:1: error\n"},
        {"check .", 2, "", "egress-filter: error: cannot read '.': Is a directory\n"},
        {"check nosuch good.rules", 2, "good.rules: 2 rules, 0 warnings\n",
         "egress-filter: error: cannot read 'nosuch': No such file or directory\n"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void includes(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    review_write("sub/one.rules", "b.org\ninclude two.rules\n");
    review_write("sub/two.rules", "c.org\ngithub.*\n");
    review_write("top.rules", "include sub/one.rules\n");
    review_write("dots.rules", "include .//sub//.//one.rules\n");
    review_write("self.rules", "include ./self.rules\n");
    review_write("sub/back.rules", "include ../back.rules\n");
    review_write("back.rules", "include sub/../sub/back.rules\n");
    review_write("link.rules", "include linked.rules\n");
    assert_int_equal(symlink("link.rules", "linked.rules"), 0);
    review_write("twice.rules", "include good.rules\ninclude good.rules exe=/a\n");
    review_write("preset.rules", "include @nosuch\n");
    review_write("resolver.rules", "include @system-resolver\n");
    review_write("missing.rules", "include nosuch\n");
    static const struct row rows[] = {
        {"check top.rules", 2, "top.rules: 1 error, 0 warnings\n", "sub/two.rules:2:8: error\n"},
        {"check dots.rules", 2, "dots.rules: 1 error, 0 warnings\n", "sub/two.rules:2:8: error\n"},
        {"check self.rules", 2, "self.rules: 1 error, 0 warnings\n", "self.rules:1:9: error\n"},
        {"check back.rules", 2, "back.rules: 1 error, 0 warnings\n",
         "sub/../sub/back.rules:1:9: error\n"},
        {"check link.rules", 2, "link.rules: 1 error, 0 warnings\n", "link.rules:1:9: error\n"},
        {"check --strict preset.rules", 2, "preset.rules: 1 error, 0 warnings\n",
         "preset.rules:1:9: error\n"},
        {"check --strict resolver.rules", 0, NULL, ""},
        {"check missing.rules", 2, "missing.rules: 1 error, 0 warnings\n",
         "missing.rules:1:9: error\n"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(check_main, "check twice.rules", "", &out, &err), 0);
    assert_non_null(strstr(out.data, "twice.rules: 4 rules"));
}

static void workflows(void **state)
{
    (void)state;
    review_write("ci.yml", "jobs:\n  a:\n    steps:\n      - uses: o/egress-filter@v1\n"
                           "        with:\n          policy: |\n            a.org\n\n"
                           "            github.*\n            include good.rules\n"
                           "      - uses: ./\n        with:\n          policy: \"a.org\\nb..org\"\n"
                           "      - uses: ./\n");
    review_write("context.yaml",
                 "jobs: {a: {steps: [{uses: ./, with: {policy: /x, context: '[nothing]'}}]}}\n");
    review_write("base.yaml", "jobs: {a: {steps: [{uses: ./, with: {policy: /x, context: "
                              "'[https://a.org]'}}]}}\n");
    review_write("lenient.yaml", "jobs: {a: {steps: [{uses: ./, with: {policy: github.*, lenient: "
                                 "true}}]}}\n");
    review_write("other.yml", "jobs: {a: {steps: [{uses: o/x@v1, with: {policy: github.*}}]}}\n");
    review_write("broken.yml", "jobs: [\n");
    static const struct row rows[] = {
        {"check ci.yml", 2,
         "ci.yml:7: 2 errors, 0 warnings\nci.yml:13: 1 error, 0 warnings\n"
         "ci.yml:14: the step holds no policy\n",
         "ci.yml:9:20: error\nci.yml:10:21: error\nci.yml:13:29: error\n"},
        {"check context.yaml", 2, "context.yaml:1: 2 errors, 0 warnings\n",
         "context.yaml:1:61: error\ncontext.yaml:1:46: error\n"},
        {"check base.yaml", 0, "base.yaml:1: 1 rule, 0 warnings\n", ""},
        {"check lenient.yaml", 0, "lenient.yaml:1: 0 rules, 1 warning\n",
         "lenient.yaml:1:53: warning\n"},
        {"check other.yml", 0, "other.yml: no step uses egress-filter\n", ""},
        {"check broken.yml", 2, "", "broken.yml:2:1: error\n"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

#define BEGINS(line, action, type, target)                                                         \
    "{\"file\":\"dump.rules\",\"line\":" line ",\"action\":\"" action "\",\"type\":\"" type        \
    "\",\"target\":\"" target "\","
#define PLAIN "\"passthrough\":false,\"insecure\":false,"

static void dumps(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"a.org", BEGINS("1", "allow", "host", "a.org") "\"port\":[443],\"protocol\":\"tcp\","
                                                        "\"methods\":null,\"url_base\":null," PLAIN
                                                        "\"attrs\":{}}\n"},
        {"*.a.org:80|1024-65535 passthrough",
         BEGINS("1", "allow", "wildcard_host", "*.a.org") "\"port\":[80,[1024,65535]],"
                                                          "\"protocol\":\"tcp\",\"methods\":null,"
                                                          "\"url_base\":null,\"passthrough\":true,"
                                                          "\"insecure\":false,\"attrs\":{}}\n"},
        {"1.2.3.4:53/udp",
         BEGINS("1", "allow", "ip", "1.2.3.4") "\"port\":[53],\"protocol\":"
                                               "\"udp\",\"methods\":null,\"url_base\":null," PLAIN
                                               "\"attrs\":{}}\n"},
        {"deny 10.0.0.0/8 expected",
         BEGINS("1", "deny", "cidr", "10.0.0.0/8") "\"port\":\"*\",\"protocol\":\"*\",\"methods\":"
                                                   "null,\"url_base\":null," PLAIN
                                                   "\"expected\":true,\"attrs\":{}}\n"},
        {"dns:a.org",
         BEGINS("1", "allow", "dns_host",
                "dns:a.org") "\"port\":null,\"protocol\":"
                             "null,\"methods\":null,\"url_base\":null," PLAIN "\"attrs\":{}}\n"},
        {"dns:*.a.org",
         BEGINS("1", "allow", "dns_wildcard_host",
                "dns:*.a.org") "\"port\":null,"
                               "\"protocol\":null,\"methods\":null,\"url_base\":null," PLAIN
                               "\"attrs\":{}}\n"},
        {"POST|put https://a.org:8443/x private insecure websocket",
         BEGINS("1", "allow", "url",
                "https://a.org:8443/x") "\"port\":[8443],\"protocol\":\"tcp\","
                                        "\"methods\":[\"POST\",\"PUT\"],\"url_base\":null,"
                                        "\"passthrough\":false,\"insecure\":true,"
                                        "\"private\":true,\"websocket\":true,\"attrs\":{}}\n"},
        {"[https://a.org/v1 exe=/usr/bin/gh]\n* /x/*",
         BEGINS("2", "allow", "path",
                "/x/*") "\"port\":[443],\"protocol\":\"tcp\",\"methods\":"
                        "\"*\",\"url_base\":\"https://a.org/v1\"," PLAIN
                        "\"attrs\":{\"exe\":{\"value\":\"/usr/bin/gh\",\"literal\":false}}}\n"},
        {"a.org arg=x arg=\"y z\" arg[2]=`*` user=7",
         BEGINS("1", "allow", "host",
                "a.org") "\"port\":[443],\"protocol\":\"tcp\",\"methods\":"
                         "null,\"url_base\":null," PLAIN
                         "\"attrs\":{\"arg\":[{\"value\":\"x\",\"literal\":false},"
                         "{\"value\":\"y "
                         "z\",\"literal\":true}],\"arg[2]\":{\"value\":\"*\",\"literal\":false},"
                         "\"user\":{\"value\":\"7\",\"literal\":false}}}\n"},
        {"github.*", ""},
    };
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        review_write("dump.rules", rows[i].text);
        int code = review_run(check_main, "check --dump-rules dump.rules", "", &out, &err);
        if (code != (rows[i].want[0] ? 0 : 2) || strcmp(out.data, rows[i].want) != 0)
            fail_msg("%s: %d\nwant %s got %s %s", rows[i].text, code, rows[i].want, out.data,
                     err.data);
    }
}

/* Selectors of include lines are beside those of the rule; of one name there may be two then. */
static void dumped_includes(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    review_write("in.rules", "a.org exe=/b step=x\n");
    review_write("dump.rules", "include in.rules exe=/a\n");
    assert_int_equal(review_run(check_main, "check --dump-rules dump.rules", "", &out, &err), 0);
    assert_non_null(strstr(out.data, "{\"file\":\"in.rules\",\"line\":1,"));
    assert_non_null(strstr(out.data, "\"value\":\"/a\",\"literal\":false}"));
    assert_non_null(strstr(out.data, "\"value\":\"/b\",\"literal\":false}"));
    assert_non_null(strstr(out.data, "\"step\":{\"value\":\"x\",\"literal\":false}"));
    const char *exe = strstr(out.data, "\"exe\":[");
    assert_non_null(exe);
    assert_null(strstr(exe + 1, "\"exe\":"));
}

static void command_line(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(check_main, "check", "", &out, &err), 2);
    assert_non_null(strstr(err.data, "needs a file"));
    assert_int_equal(review_run(check_main, "check --nosuch x", "", &out, &err), 2);
    assert_non_null(strstr(err.data, "usage: "));
    assert_int_equal(review_run(check_main, "check --help", "", &out, &err), 0);
    assert_non_null(strstr(out.data, "--dump-rules"));
    size_t lines = 0;
    for (const char *c = out.data; *c; c++)
        lines += *c == '\n';
    assert_true(lines <= 24); /* a screen */
}

static void clean_up(void **state)
{
    (void)state;
    static const char *const names[] = {
        "good.rules",    "warned.rules",   "bad.rules",      "open.rules",   "path.rules",
        "sub/one.rules", "sub/two.rules",  "sub/back.rules", "top.rules",    "dots.rules",
        "self.rules",    "back.rules",     "link.rules",     "linked.rules", "twice.rules",
        "preset.rules",  "resolver.rules", "missing.rules",  "ci.yml",       "context.yaml",
        "base.yaml",     "lenient.yaml",   "other.yml",      "broken.yml",   "dump.rules",
        "in.rules",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(rmdir("sub"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(review_directory), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", files),    REPORT("-", includes),        REPORT("-", workflows),
        REPORT("-", dumps),    REPORT("-", dumped_includes), REPORT("-", command_line),
        REPORT("-", clean_up),
    };
    return review_enter(NULL) < 0 || unit_run(tests, ARRAY_SIZE(tests));
}
