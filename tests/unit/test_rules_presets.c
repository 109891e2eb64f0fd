/* SPDX-License-Identifier: MIT
 * The shipped rule sets: each is read without a word, says where its names come from, holds tests
 * for both sides, and stands beside the others; and the one that is made from resolv.conf. */
#include "rules/presets.h"
#include "rules/rule.h"
#include "unit/rules_help.h"

static int load(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source)
{
    (void)context, (void)from;
    return preset ? preset_find(what, source) : -1;
}

static void test_each_is_clean(void **state)
{
    (void)state;
    assert_true(preset_count() >= 15);
    for (size_t i = 0; i < preset_count(); i++) {
        struct policy_source source;
        struct said said = {0};
        const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
        assert_int_equal(preset_find(preset_name(i), &source), 0);
        struct policy *p = policy_parse(&source, 1, &options);
        if (!p || said.errors + said.warnings)
            fail_msg("@%s: %s", preset_name(i), said.text);
        assert_true(policy_rule_count(p) > 0);
        for (size_t k = 0; k < policy_rule_count(p); k++) {
            assert_int_equal(policy_rule(p, k)->file[0], '@');
            assert_string_equal(policy_rule(p, k)->file + 1, preset_name(i));
        }
        policy_unref(p);
        if (!strstr(source.data, "\n# From: ") || !strstr(source.data, "\n#? allow ") ||
            !strstr(source.data, "\n#? deny "))
            fail_msg("@%s does not say where it is from, or has no tests", preset_name(i));
    }
}

static void test_names_of_the_page(void **state)
{
    (void)state;
    static const char *const names[] = {"github-actions", "host-basics", "npm",    "pypi",
                                        "cargo",          "go",          "maven",  "rubygems",
                                        "docker-hub",     "ghcr",        "debian", "ubuntu",
                                        "github",         "anthropic",   "openai"};
    struct policy_source source;
    assert_int_equal(preset_count(), ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(preset_find(names[i], &source), 0);
    assert_int_equal(preset_find("@npm", &source), -2);
    assert_int_equal(preset_find("", &source), -2);
}

static void test_all_together(void **state)
{
    (void)state;
    char text[1024] = "";
    struct said said = {0};
    const struct policy_options options = {
        .load = load, .diagnose = said_add, .diagnose_context = &said};
    for (size_t i = 0; i < preset_count(); i++)
        sprintf(text + strlen(text), "include @%s\n", preset_name(i));
    strcat(text, "deny *.ngrok.io\n");
    struct policy *p = parse_text(text, &options);
    if (!p || said.errors + said.warnings)
        fail_msg("%s", said.text);
    policy_unref(p);
    /* What the reader wrote is still looked at, from his side. */
    p = parse_text("registry.npmjs.org\ninclude @npm", &options);
    assert_non_null(p);
    assert_int_equal(said.warnings, 1);
    policy_unref(p);
    p = parse_text("include @nosuch", &options);
    assert_null(p);
    assert_non_null(strstr(said.text, "t:1:9: error: cannot include '@nosuch': there is no such "
                                      "preset; egress-filter presets lists those there are\n"));
}

static void test_selectors_narrow_it(void **state)
{
    (void)state;
    const struct policy_options options = {.load = load};
    struct asked asked;
    struct policy *p = parse_text("include @npm exe=/usr/bin/node", &options);
    assert_non_null(p);
    asked_init(&asked, "tls host=registry.npmjs.org exe=/usr/bin/node");
    struct verdict v = policy_match(p, &asked.event);
    assert_int_equal(v.action, VERDICT_ALLOW);
    assert_string_equal(v.file, "@npm");
    asked_init(&asked, "tls host=registry.npmjs.org exe=/usr/bin/curl");
    assert_int_equal(policy_match(p, &asked.event).action, VERDICT_DENY);
    policy_unref(p);
}

static void test_resolvers(void **state)
{
    (void)state;
    static const char head[] = "# The resolvers in this machine's /etc/resolv.conf.\n\n";
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {"nameserver 192.0.2.1\n", "192.0.2.1:53/udp\n"},
        {"# x\n \tnameserver\t192.0.2.1 # y\r\nnameserver 192.0.2.2\r\n",
         "192.0.2.1:53/udp\n192.0.2.2:53/udp\n"},
        {"nameserver 192.0.2.1\nnameserver 192.0.2.1", "192.0.2.1:53/udp\n"},
        {"nameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver\nnameservers 192.0.2.1\n"
         "search nameserver 192.0.2.1\nnameserver 192.0.2.256\nnameserver 192.0.2.9x\n",
         ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_BUFFER struct buffer out = {0};
        /* Every truncation too, from memory that ends where the text does. */
        for (size_t len = strlen(rows[i].text) + 1; len-- > 0;) {
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].text, len);
            char *exact = realloc(copy, len ? len : 1);
            buffer_clear(&out);
            preset_read_resolv_conf(exact, len, &out);
            free(exact);
            if (len == strlen(rows[i].text)) {
                assert_memory_equal(out.data, head, strlen(head));
                assert_string_equal(out.data + strlen(head), rows[i].want);
            }
            struct policy *p = parse_text(out.data, NULL);
            assert_non_null(p);
            policy_unref(p);
        }
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_each_is_clean), REPORT("-", test_names_of_the_page),
        REPORT("-", test_all_together),  REPORT("-", test_selectors_narrow_it),
        REPORT("-", test_resolvers),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
