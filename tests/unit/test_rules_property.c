/* SPDX-License-Identifier: MIT
 * What must hold for every policy and event: made at random from parts, with a fixed seed. */
#include <sys/mman.h>
#include <unistd.h>

#include "unit/rules_help.h"

static const char *const allows[] = {
    "x.org",
    "*.org",
    "a*.x.org",
    "x.org:22",
    "x.org passthrough",
    "x.org insecure",
    "x.org private",
    "https://x.org/a",
    "https://x.org/a/* insecure",
    "https://*.org/*",
    "POST https://x.org/a",
    "1.2.3.4",
    "10.0.0.0/8:*",
    "1.2.3.0/24:53/udp",
    "dns:x.org",
    "https://1.2.3.4/a",
    "x.org exe=/bin/a",
    "*.org arg=--x",
    "http://x.org/",
    "a1.x.org:80|443",
    "https://x.org/a private",
    "0.0.0.0/0:53/udp",
    "x.org:8443 user=0",
};

static const char *const vetoes[] = {
    "deny x.org",
    "deny *.x.org",
    "deny 1.2.3.4",
    "deny 10.0.0.0/8:22",
    "deny x.org exe=/bin/a",
    "deny https://x.org/a",
    "deny https://x.org/*",
    "deny dns:x.org",
    "deny x.org:22 expected",
    "deny https://1.2.3.4/*",
    "deny *.org arg=--x",
};

static const char *const events[] = {
    "tls host=x.org 1.2.3.4:443",
    "tls host=a1.x.org 1.2.3.4:443",
    "tls host=x.org 10.0.0.1:443",
    "tls 1.2.3.4:443 seen=x.org",
    "tls 1.2.3.4:443",
    "tls host=x.org nobody",
    "tls host=x.org exe=/bin/a arg=--x",
    "tcp 1.2.3.4:22 seen=x.org",
    "tcp 10.1.1.1:22",
    "tcp 1.2.3.4:443 seen=x.org unknown",
    "tcp 1.2.3.4:8443 seen=x.org unknown uid=0",
    "udp 1.2.3.4:53",
    "udp 10.0.0.1:22 seen=x.org",
    "req url=https://x.org/a 1.2.3.4:443",
    "req url=https://x.org/a method=POST",
    "req url=https://x.org/../a",
    "req url=http://x.org/",
    "req url=https://1.2.3.4/a 1.2.3.4:443 seen=x.org",
    "req url=https://a1.x.org/b nobody",
    "dns host=x.org 1.2.3.4:53",
    "dns host=a1.x.org self",
    "dns host=x.org 9.9.9.9:53 nobody",
    "dnstcp host=x.org 1.2.3.4:53",
    "icmp 1.2.3.4:0",
};

static uint32_t seed = 20261122;

static size_t pick(size_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static struct verdict judge(const char *text, const char *event)
{
    struct policy *p = parse_text(text, NULL);
    struct asked asked;
    if (!p)
        fail_msg("'%s' is refused", text);
    asked_init(&asked, event);
    struct verdict v = policy_match(p, &asked.event);
    v.file = v.rule = v.zone = NULL; /* they went with the policy */
    policy_unref(p);
    return v;
}

static void make(char *text, size_t size)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = pick(5); i > 0; i--)
        len += (size_t)snprintf(text + len, size - len, "%s\n", allows[pick(ARRAY_SIZE(allows))]);
    for (size_t i = pick(3); i > 0; i--)
        len += (size_t)snprintf(text + len, size - len, "%s\n", vetoes[pick(ARRAY_SIZE(vetoes))]);
}

/* deny < inspect < allow */
static int rank(struct verdict v)
{
    return v.action == VERDICT_ALLOW ? 2 : v.action == VERDICT_INSPECT ? 1 : 0;
}

static void test_added_rules(void **state)
{
    (void)state;
    char text[512], more[1024];
    for (int i = 0; i < 6000; i++) {
        const char *event = events[pick(ARRAY_SIZE(events))];
        bool veto = pick(2) == 0;
        const char *line =
            veto ? vetoes[pick(ARRAY_SIZE(vetoes))] : allows[pick(ARRAY_SIZE(allows))];
        make(text, sizeof(text));
        bool front = pick(2) == 0;
        snprintf(more, sizeof(more), "%s\n%s", front ? line : text, front ? text : line);
        struct verdict before = judge(text, event), after = judge(more, event);
        if (veto ? rank(after) > rank(before) : rank(after) < rank(before)) {
            /* A URL rule may close a port to bytes that are no protocol we know: section 7. */
            bool unknown = strstr(event, "unknown") != NULL && strstr(line, "://") != NULL;
            if (!unknown || veto)
                fail_msg("'%s' and '%s' at '%s'", text, line, event);
        }
    }
}

static void test_form_does_not_matter(void **state)
{
    (void)state;
    char text[512], other[4096];
    for (int i = 0; i < 3000; i++) {
        const char *event = events[pick(ARRAY_SIZE(events))];
        size_t n = 0;
        other[0] = '\0';
        make(text, sizeof(text));
        for (const char *line = text; *line; line = strchr(line, '\n') + 1)
            n += (size_t)snprintf(other + n, sizeof(other) - n, "\t %.*s  # c\r\n",
                                  (int)strcspn(line, "\n"), line);
        for (char *c = other; *c; c++)
            if (strncmp(c, "x.org", 5) == 0)
                *c = 'X';
        struct verdict a = judge(text, event), b = judge(other, event);
        assert_memory_equal(&a, &b, sizeof(a));
        snprintf(other, sizeof(other), "# c\n\n%s", text);
        b = judge(other, event);
        assert_int_equal(a.action, b.action);
        assert_int_equal(a.line ? a.line + 2 : 0, b.line);
    }
}

/* Bad lines, and the sections that bad headers close, are as if they were not there. */
static void make_lenient(char *text, char *without, size_t size)
{
    static const char *const bad[] = {
        "github.*",    "x.org:0",   "nosuch=1 x.org",     "x.org exe=",
        "fe80::1",     "/a",        "https://x.org",      "x.org/udp",
        "x.org *.org", "GET x.org", "1.2.3.4 passthrough"};
    static const char *const good_headers[] = {"[]", "[exe=/bin/a]", "[:22|443]", "[POST]"};
    static const char *const bad_headers[] = {"[foo=1]", "[exe=/bin/a", "[:443 :80]", "[expected]"};
    size_t len = 0, len_without = 0;
    bool closed = false;
    for (size_t i = pick(8) + 1; i > 0; i--) {
        size_t kind = pick(8);
        const char *line = allows[pick(ARRAY_SIZE(allows))];
        if (kind == 0)
            line = bad_headers[pick(ARRAY_SIZE(bad_headers))];
        else if (kind == 1)
            line = good_headers[pick(ARRAY_SIZE(good_headers))];
        else if (kind == 2)
            line = bad[pick(ARRAY_SIZE(bad))];
        else if (kind == 3 && !closed)
            line = vetoes[pick(ARRAY_SIZE(vetoes))];
        closed = kind == 0 || (kind != 1 && closed);
        len += (size_t)snprintf(text + len, size - len, "%s\n", line);
        len_without += (size_t)snprintf(without + len_without, size - len_without, "%s\n",
                                        closed || kind == 2 ? "" : line);
    }
}

static void test_lenient_allows_less(void **state)
{
    (void)state;
    char text[1024], without[1024];
    const struct policy_options lenient = {.lenient = true};
    for (int i = 0; i < 6000; i++) {
        struct asked asked;
        const char *event = events[pick(ARRAY_SIZE(events))];
        make_lenient(text, without, sizeof(text));
        struct policy *p = parse_text(text, &lenient);
        if (!p)
            fail_msg("'%s' is refused", text);
        asked_init(&asked, event);
        struct verdict a = policy_match(p, &asked.event), b = judge(without, event);
        if (a.action != b.action || a.line != b.line)
            fail_msg("'%s' at '%s'", text, event);
        policy_unref(p);
    }
}

/* Judging must not depend on how many rules about other things stand around. */
static void test_rules_about_others(void **state)
{
    (void)state;
    static char other[64 * 1024];
    char text[512];
    for (int i = 0; i < 60; i++) {
        size_t n = 0;
        make(text, sizeof(text));
        for (int k = 0; k < 400; k++)
            n += (size_t)snprintf(other + n, sizeof(other) - n, "h%d.example%d.net\n172.16.%d.1\n",
                                  k, k % 7, k % 200);
        snprintf(other + n, sizeof(other) - n, "%s", text);
        for (size_t k = 0; k < ARRAY_SIZE(events); k++) {
            struct verdict a = judge(text, events[k]), b = judge(other, events[k]);
            assert_int_equal(a.action, b.action);
            assert_int_equal(a.line ? a.line + 800 : 0, b.line);
        }
    }
}

/* Every beginning of a text, right in front of a page that cannot be read. */
static void test_truncations(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbf# policy\r\n[GET|POST https://api.github.com/v1 exe=\"/usr/bin/gh x\"]\n"
        "/repos/*/%7Ba%7d  insecure arg[1]=`a *`\ndeny POST /x\n[:80|443-450/udp cgroup=@docker]\n"
        "*.derp*.x.org pod=a/b\nb\xc3\xbc"
        "cher.de user=0\n10.0.0.0/8:53/udp\ndns:*.corp\n"
        "include @npm exe=/a\nhttps://{owner}.x.org:8443/{repo}/../a private websocket";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t len = 0; len < sizeof(text); len++) {
        for (int lenient = 0; lenient < 2; lenient++) {
            struct said said = {0};
            const struct policy_options options = {.lenient = lenient,
                                                   .owner = "me",
                                                   .repo = "it",
                                                   .diagnose = said_add,
                                                   .diagnose_context = &said};
            memcpy(map + page - len, text, len);
            struct policy *p = parse_bytes(map + page - len, len, &options);
            assert_int_equal(p == NULL, said.errors > 0);
            policy_unref(p);
        }
    }
    munmap(map, 2 * page);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_added_rules),          REPORT("-", test_lenient_allows_less),
        REPORT("-", test_form_does_not_matter), REPORT("-", test_rules_about_others),
        REPORT("-", test_truncations),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
