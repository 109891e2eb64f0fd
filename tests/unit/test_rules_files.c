/* SPDX-License-Identifier: MIT
 * Whole files: bytes that are no text, includes, headers over many lines, --lenient, placeholders,
 * the start context, limits. */
#include <errno.h>

#include "rules/rule.h"
#include "unit/rules_help.h"

/* Files that includes find: name and text. */
static const struct {
    const char *name;
    bool preset;
    const char *text;
} library[] = {
    {"npm", true, "registry.npmjs.org\ndeny evil.npmjs.org"},
    {"ctx", false, "[exe=/a]\na.org"},
    {"bad", false, "a.org\ngithub.*\n"},
    {"loop", false, "include loop"},
    {"ping", false, "include pong"},
    {"pong", false, "b.org\ninclude ping"},
    {"deep", false, "include @npm exe=/b"},
    {"bomb", false, "include fuse\ninclude fuse"},
};

static int load(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source)
{
    (void)context;
    assert_non_null(from);
    if (strcmp(what, "secret") == 0)
        return -EPERM;
    for (size_t i = 0; i < ARRAY_SIZE(library); i++) {
        if (strcmp(what, library[i].name) != 0 || preset != library[i].preset)
            continue;
        *source = (struct policy_source){library[i].name, library[i].text, strlen(library[i].text)};
        return 0;
    }
    return -ENOENT;
}

struct file_case {
    const char *policy, *said, *event, *want; /* event NULL: refused */
    struct policy_options options;
};

static void run(const struct file_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[1024], got[128];
        struct said said = {.errors_only = !c[i].options.lenient};
        struct policy_options options = c[i].options;
        options.load = load;
        options.diagnose = said_add;
        options.diagnose_context = &said;
        snprintf(text, sizeof(text), "%s", c[i].policy);
        lines_split(text);
        struct policy *p = parse_text(text, &options);
        if (strcmp(said.text, c[i].said) != 0)
            fail_msg("'%s': want '%s', got '%s'", c[i].policy, c[i].said, said.text);
        if ((p != NULL) != (c[i].event != NULL))
            fail_msg("'%s' is %s", c[i].policy, p ? "accepted" : "refused");
        if (p) {
            struct asked asked;
            asked_init(&asked, c[i].event);
            struct verdict v = policy_match(p, &asked.event);
            verdict_text(&v, got, sizeof(got));
            if (strcmp(got, c[i].want) != 0)
                fail_msg("'%s' asked '%s': want '%s', got '%s'", c[i].policy, c[i].event, c[i].want,
                         got);
        }
        policy_unref(p);
    }
}

#define RUN(table) run(table, ARRAY_SIZE(table))

static void test_includes(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {"include @npm", "", "tls host=registry.npmjs.org", "allow 1", {0}},
        {"*.npmjs.org | include @npm", "", "tls host=evil.npmjs.org", "deny veto 2", {0}},
        {"include @npm exe=/b", "", "tls host=registry.npmjs.org exe=/b", "allow 1", {0}},
        {"include @npm exe=/b", "", "tls host=registry.npmjs.org exe=/c", "deny", {0}},
        {"include deep exe=/b", "", "tls host=registry.npmjs.org exe=/b", "allow 1", {0}},
        {"include deep exe=/c", "", "tls host=registry.npmjs.org exe=/b", "deny", {0}},
        {"include ctx exe=/b", "", "tls host=a.org exe=/a", "deny", {0}},
        {"[exe=/z] | include @npm", "", "tls host=registry.npmjs.org exe=/c", "allow 1", {0}},
        {"[exe=/z] | include ctx | b.org", "", "tls host=b.org exe=/a", "deny", {0}},
        {"[exe=/z] | include ctx | b.org", "", "tls host=b.org exe=/z", "allow 3", {0}},
        {"include @nope",
         "t:1:9: error: cannot include '@nope': there is no such preset; egress-filter presets "
         "lists those there are\n",
         NULL,
         NULL,
         {0}},
        {"include npm",
         "t:1:9: error: cannot include 'npm': there is no such file; write its path relative to "
         "this file\n",
         NULL,
         NULL,
         {0}},
        {"include secret",
         "t:1:9: error: cannot include 'secret': an inline policy may include presets only; write "
         "@PRESET\n",
         NULL,
         NULL,
         {0}},
        {"include bad | x.",
         "bad:2:8: error: a wildcard needs a fixed label behind it; write each name out, such as "
         "github.com\n"
         "t:2:2: error: a name takes no trailing dot; write 'x'\n",
         NULL,
         NULL,
         {0}},
        {"include loop",
         "loop:1:9: error: 'loop' includes itself, by way of this line; take one of the includes "
         "out\n",
         NULL,
         NULL,
         {0}},
        {"include ping",
         "pong:2:9: error: 'ping' includes itself, by way of this line; take one of the includes "
         "out\n",
         NULL,
         NULL,
         {0}},
    };
    RUN(table);
}

static void test_lenient(void **state)
{
    (void)state;
    static const char wildcard[] = "t:1:8: warning: a wildcard needs a fixed label behind it; "
                                   "write each name out, such as github.com (skipped)\n";
    static const struct file_case table[] = {
        {"github.* | x.org", wildcard, "tls host=x.org", "allow 2", {.lenient = true}},
        {"deny github.* | x.org",
         "t:1:13: error: a wildcard needs a fixed label behind it; write each name out, such as "
         "github.com\n",
         NULL,
         NULL,
         {.lenient = true}},
        {"Deny x.org | x.org",
         "t:1:1: error: 'Deny' is written in small letters; write deny\n",
         NULL,
         NULL,
         {.lenient = true}},
        {"include npm",
         "t:1:9: error: cannot include 'npm': there is no such file; write its path relative to "
         "this file\n",
         NULL,
         NULL,
         {.lenient = true}},
        {"[foo=1] | x.org | [] | y.org",
         "t:1:2: warning: 'foo' is no selector; write one of exe, arg, arg[N], parent, sha256, "
         "user, cgroup, container, image, pod, mntns, netns, step, action (skipped)\n",
         "tls host=x.org",
         "deny",
         {.lenient = true}},
        {"[foo=1] | x.org | [] | y.org",
         "t:1:2: warning: 'foo' is no selector; write one of exe, arg, arg[N], parent, sha256, "
         "user, cgroup, container, image, pod, mntns, netns, step, action (skipped)\n",
         "tls host=y.org",
         "allow 4",
         {.lenient = true}},
        {"[foo=1] | x.org | deny y.org",
         "t:1:2: error: 'foo' is no selector; write one of exe, arg, arg[N], parent, sha256, "
         "user, cgroup, container, image, pod, mntns, netns, step, action\n",
         NULL,
         NULL,
         {.lenient = true}},
        {"[foo=1] | x.org | [] | deny y.org | y.org:*",
         "t:1:2: warning: 'foo' is no selector; write one of exe, arg, arg[N], parent, sha256, "
         "user, cgroup, container, image, pod, mntns, netns, step, action (skipped)\n"
         "t:5:1: warning: the veto at t:4 covers this rule entirely; take one of them away\n",
         "tls host=y.org",
         "deny veto 4",
         {.lenient = true}},
        {"x.org exe=\"/a | y.org",
         "t:1:11: warning: the quote is not closed; write \" at its end (skipped)\n",
         "tls host=y.org",
         "allow 2",
         {.lenient = true}},
    };
    RUN(table);
}

static void test_placeholders(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {"https://github.com/{owner}/{repo}/*",
         "",
         "req url=https://github.com/me/it/x",
         "allow 1",
         {.owner = "me", .repo = "it"}},
        {"https://github.com/{owner}/{repo}/*",
         "",
         "req url=https://github.com/me/other/x",
         "deny",
         {.owner = "me", .repo = "it"}},
        {"{owner}.github.io", "", "tls host=me.github.io", "allow 1", {.owner = "Me"}},
        {"[https://x.org/{owner}] | /a",
         "",
         "req url=https://x.org/me/a",
         "allow 2",
         {.owner = "me"}},
        {"x.org exe=/home/{owner}/a",
         "",
         "tls host=x.org exe=/home/me/a",
         "allow 1",
         {.owner = "me"}},
        {"x.org | https://github.com/{owner}/", "", "tls host=x.org", "deny", {0}},
        {"{owner}.x.org foo",
         "t:1:15: error: 'foo' is no keyword and no selector; write one of "
         "passthrough, insecure, private, websocket, expected, or NAME=VALUE, "
         "and one rule a line\n",
         NULL,
         NULL,
         {.owner = "a-very-long-name"}},
        {"https://x.org/{owner}",
         "t:1:15: error: the value of {owner} is no name of an owner or "
         "repository; give one of letters, digits, '.', '_' and '-'\n",
         NULL,
         NULL,
         {.owner = ".."}},
        {"https://x.org/{repo}",
         "t:1:15: error: the value of {repo} is no name of an owner or "
         "repository; give one of letters, digits, '.', '_' and '-'\n",
         NULL,
         NULL,
         {.repo = "a b"}},
        {"https://x.org/{repo}",
         "t:1:15: error: the value of {repo} is no name of an owner or "
         "repository; give one of letters, digits, '.', '_' and '-'\n",
         NULL,
         NULL,
         {.repo = ""}},
        {"https://x.org/{repo}",
         "t:1:15: error: the value of {repo} is no name of an owner or "
         "repository; give one of letters, digits, '.', '_' and '-'\n",
         NULL,
         NULL,
         {.repo = "a/*"}},
    };
    RUN(table);
    struct policy *p = parse_text("https://x.org/{repo}", NULL);
    assert_non_null(p);
    assert_true(policy_is_open(p));
    assert_string_equal(policy_rule(p, 0)->target, "https://x.org/{repo}");
    policy_unref(p);
}

static void test_context(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {"x.org", "", "tls host=x.org cgroup=/a", "allow 1", {.context = "[cgroup=@host]"}},
        {"x.org",
         "",
         "tls host=x.org cgroup=/docker/abcdef",
         "deny",
         {.context = "[cgroup=@host]"}},
        {"[exe=/a] | x.org",
         "",
         "tls host=x.org exe=/a cgroup=/docker/abcdef",
         "deny",
         {.context = "[cgroup=@host]"}},
        {"[cgroup=@docker] | x.org",
         "",
         "tls host=x.org cgroup=/docker/abcdef",
         "allow 2",
         {.context = "[cgroup=@host]"}},
        {"[exe=/a] | [] | x.org",
         "",
         "tls host=x.org cgroup=/docker/abcdef",
         "deny",
         {.context = "[cgroup=@host]"}},
        {"x.org cgroup=*",
         "",
         "tls host=x.org cgroup=/docker/abcdef",
         "allow 1",
         {.context = "[cgroup=@host]"}},
        {"include @npm",
         "",
         "tls host=registry.npmjs.org cgroup=/docker/abcdef",
         "deny",
         {.context = "[cgroup=@host]"}},
        {"x.org | deny x.org",
         "",
         "tls host=x.org cgroup=/docker/abcdef",
         "deny",
         {.context = "[cgroup=@host]"}},
        {"x.org", "", "tls host=x.org :8443", "allow 1", {.context = "[:8443]"}},
        {"x.org",
         "context:1:1: error: the start context is a header; write it in brackets, such "
         "as [cgroup=@host]\n",
         NULL,
         NULL,
         {.context = "cgroup=@host"}},
        {"x.org",
         "context:1:2: error: 'foo' cannot stand in a header; write methods, :PORTS, a "
         "base URL, a keyword or NAME=VALUE, and close with ]\n",
         NULL,
         NULL,
         {.context = "[foo]"}},
    };
    RUN(table);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *said;
        size_t rules;
    } table[] = {
#define BYTES(s) s, sizeof(s) - 1
        {BYTES("\xef\xbb\xbfx.org"), "", 1},
        {BYTES("x.org\r\ny.org\r\n"), "", 2},
        {BYTES("\t x.org \t\n\n  \n# c\n y.org#c"),
         "t:5:7: error: a name holds letters, digits, "
         "hyphens and underscores; write it as it stands "
         "in DNS\n",
         0},
        {BYTES("x.org\t# c"), "", 1},
        {BYTES("x.org exe=\"/a # b\" # c"), "", 1},
        /* IDNA leaves characters away that cannot be seen. */
        {BYTES("x.org\n\xef\xbb\xbfy.org"), "", 2},
        {BYTES("x\0.org"), "t:1:2: error: the line holds a NUL; write a text file\n", 0},
        {BYTES("x.org\n# \xff"),
         "t:2:3: error: the line is not UTF-8 here; write the file in "
         "UTF-8\n",
         0},
        {BYTES("# \xc0\x80"),
         "t:1:3: error: the line is not UTF-8 here; write the file in "
         "UTF-8\n",
         0},
        {BYTES("# \xed\xa0\x80"),
         "t:1:3: error: the line is not UTF-8 here; write the file in "
         "UTF-8\n",
         0},
        {BYTES("# \xf4\x90\x80\x80"),
         "t:1:3: error: the line is not UTF-8 here; write the file "
         "in UTF-8\n",
         0},
        {BYTES("# \xe2\x82"),
         "t:1:3: error: the line is not UTF-8 here; write the file in "
         "UTF-8\n",
         0},
        {BYTES("# \xe2\x82\xac \xf0\x9f\x98\x80"), "", 0},
        {BYTES("x.org \x01"),
         "t:1:7: error: the line holds a control character; write blanks or "
         "a tab\n",
         0},
        {BYTES("x.org\ry.org"),
         "t:1:6: error: the line holds a control character; write blanks or "
         "a tab\n",
         0},
        {BYTES("*.\ngithub.*\n\0"),
         "t:1:2: error: a name takes no trailing dot; write '*'\n"
         "t:2:8: error: a wildcard needs a fixed label behind it; write "
         "each name out, such as github.com\n"
         "t:3:1: error: the line holds a NUL; write a text file\n",
         0},
#undef BYTES
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct said said = {.errors_only = true};
        const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
        struct policy *p = parse_bytes(table[i].text, table[i].len, &options);
        assert_string_equal(said.text, table[i].said);
        assert_int_equal(p != NULL, table[i].said[0] == '\0');
        if (p)
            assert_int_equal(policy_rule_count(p), table[i].rules);
        policy_unref(p);
    }
}

static void test_line_limit(void **state)
{
    (void)state;
    static char text[70000];
    memset(text, '#', sizeof(text));
    struct policy *p = parse_bytes(text, 65536, NULL);
    assert_non_null(p);
    policy_unref(p);
    struct said said = {0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    assert_null(parse_bytes(text, 65537, &options));
    assert_string_equal(said.text,
                        "t:1:65537: error: the line is longer than 64 KiB; write shorter ones\n");
}

static void test_rule_limit(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = malloc(100001 * 3 + 1);
    assert_non_null(text);
    for (size_t i = 0; i < 100001; i++, len += 2)
        memcpy(text + len, "a\n", 2);
    struct policy *p = parse_bytes(text, len - 2, NULL);
    assert_non_null(p);
    assert_int_equal(policy_rule_count(p), 100000);
    policy_unref(p);
    struct said said = {0};
    const struct policy_options options = {
        .diagnose = said_add, .diagnose_context = &said, .lenient = true};
    assert_null(parse_bytes(text, len, &options));
    assert_string_equal(said.text, "t:100001:1: error: the policy has more than 100000 rules; "
                                   "write fewer, with wildcards or address blocks\n");
    free(text);
}

/* What is no policy is not gone through to its end; lines that are only skipped are. */
static void test_error_limit(void **state)
{
    (void)state;
    char text[4 * 400 + 1];
    for (size_t i = 0; i < 400; i++)
        memcpy(text + 4 * i, "a.*\n", 4);
    struct said said = {0};
    struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    assert_null(parse_bytes(text, 4 * 20, &options));
    assert_int_equal(said.errors, 20);
    assert_null(strstr(said.text, "too many"));
    said = (struct said){0};
    assert_null(parse_bytes(text, sizeof(text) - 1, &options));
    assert_int_equal(said.errors, 21);
    assert_non_null(strstr(said.text, "t:21:1: error: there are too many errors, so reading stops "
                                      "here; mend those above, or name a policy file\n"));
    said = (struct said){0};
    options.lenient = true;
    struct policy *p = parse_bytes(text, sizeof(text) - 1, &options);
    assert_non_null(p);
    policy_unref(p);
    assert_int_equal(said.warnings, 400);
}

/* Each file includes the next by another name, for ever. */
static int load_deeper(void *context, const char *from, const char *what, bool preset,
                       struct policy_source *source)
{
    (void)preset, (void)from;
    static const char text[] = "include x\n";
    static const char *const names[] = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9",
                                        "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"};
    unsigned *count = context;
    assert_string_equal(what, "x");
    assert_true(*count < ARRAY_SIZE(names));
    *source = (struct policy_source){names[(*count)++], text, sizeof(text) - 1};
    return 0;
}

static void test_depth_limit(void **state)
{
    (void)state;
    unsigned count = 0;
    struct said said = {0};
    const struct policy_options options = {.load = load_deeper,
                                           .load_context = &count,
                                           .diagnose = said_add,
                                           .diagnose_context = &said};
    assert_null(parse_text("include x", &options));
    assert_int_equal(count, 16);
    assert_string_equal(said.text, "b5:1:9: error: includes are nested deeper than 16 levels; "
                                   "include from higher up\n");
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_includes),   REPORT("-", test_lenient),     REPORT("-", test_placeholders),
        REPORT("-", test_context),    REPORT("-", test_bytes),       REPORT("-", test_line_limit),
        REPORT("-", test_rule_limit), REPORT("-", test_error_limit), REPORT("-", test_depth_limit),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
