/* SPDX-License-Identifier: MIT
 * Verdicts of a policy, a line each: the policy, what happens, what is said to it. `|` stands for
 * the end of a line. */
#include "unit/rules_help.h"

static void test_hosts(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"github.com", "tls host=github.com", "allow 1"},
        {"GitHub.COM", "tls host=github.com", "allow 1"},
        {"github.com", "tls host=api.github.com", "deny"},
        {"github.com", "tls host=notgithub.com", "deny"},
        {"github.com", "tls host=github.com.evil.org", "deny"},
        {"github.com", "tls host=com", "deny"},
        {"db", "tls host=db", "allow 1"},
        {"*.github.com", "tls host=api.github.com", "allow 1"},
        {"*.github.com", "tls host=a.b.c.github.com", "allow 1"},
        {"*.github.com", "tls host=github.com", "deny"},
        {"*.github.com", "tls host=xgithub.com", "deny"},
        {"derp*.tailscale.com", "tls host=derp1.tailscale.com", "allow 1"},
        {"derp*.tailscale.com", "tls host=derp.tailscale.com", "allow 1"},
        {"derp*.tailscale.com", "tls host=derp1.x.tailscale.com", "deny"},
        {"derp*.tailscale.com", "tls host=a.derp1.tailscale.com", "deny"},
        {"derp*.tailscale.com", "tls host=tailscale.com", "deny"},
        {"DERP*.tailscale.com", "tls host=derp1.tailscale.com", "allow 1"},
        {"d*rp.x.org", "tls host=drp.x.org", "allow 1"},
        {"d*rp.x.org", "tls host=d.rp.x.org", "deny"},
        {"us-west-*.aws.com", "tls host=us-west-2.aws.com", "allow 1"},
        {"*.derp*.example.com", "tls host=a.derp1.example.com", "allow 1"},
        {"*.derp*.example.com", "tls host=a.b.derp1.example.com", "allow 1"},
        {"*.derp*.example.com", "tls host=derp1.example.com", "deny"},
        {"b\xc3\xbc"
         "cher.de",
         "tls host=xn--bcher-kva.de", "allow 1"},
        {"_mongodb._tcp.x.net", "tls host=_mongodb._tcp.x.net", "allow 1"},
        {"github.com", "tls host=github.com :8443", "deny"},
        {"github.com:8443", "tls host=github.com :8443", "allow 1"},
        {"github.com:80|443", "tls host=github.com :80", "allow 1"},
        {"github.com:1024-65535", "tls host=github.com :1023", "deny"},
        {"github.com:1024-65535", "tls host=github.com :1024", "allow 1"},
        {"github.com:1024-65535", "tls host=github.com :65535", "allow 1"},
        {"github.com:*", "tls host=github.com :1", "allow 1"},
        {"registry:5000", "tls host=registry :5000", "allow 1"},
        {"dns:53", "tls host=dns :53", "allow 1"},
        {"dns:internal.corp", "tls host=internal.corp", "deny"},
        {"", "tls host=github.com", "deny"},
    };
    ASK(table);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"8.8.8.8", "tcp 8.8.8.8:443", "allow 1 by-address"},
        {"8.8.8.8", "tcp 8.8.8.9:443", "deny"},
        {"8.8.8.8", "tcp 8.8.8.8:53", "deny"},
        {"8.8.8.8:53/udp", "udp 8.8.8.8:53", "allow 1 by-address"},
        {"8.8.8.8:53/udp", "tcp 8.8.8.8:53", "deny"},
        {"8.8.8.8:53", "udp 8.8.8.8:53", "deny"},
        {"10.0.0.0/8", "tcp 10.255.1.2:443", "allow 1 by-address"},
        {"10.0.0.0/8", "tcp 11.0.0.0:443", "deny"},
        {"10.1.2.3/8", "tcp 10.255.1.2:443", "allow 1 by-address"},
        {"0.0.0.0/0", "tcp 1.2.3.4:443", "allow 1 by-address"},
        {"1.2.3.4/32", "tcp 1.2.3.4:443", "allow 1 by-address"},
        {"1.2.3.4/32", "tcp 1.2.3.5:443", "deny"},
        {"8.8.8.8", "tls host=dns.google 8.8.8.8:443", "allow 1 by-address"},
        {"8.8.8.8", "req url=https://dns.google/x 8.8.8.8:443", "allow 1 websocket by-address"},
        {"8.8.8.8", "tls host=dns.google", "deny"},
        {"169.254.169.254:80", "tcp 169.254.169.254:80", "allow 1 by-address"},
        {"127.0.0.1:80", "tcp 127.0.0.1:80", "allow 1 by-address"},
        {"0.0.0.0/0:*", "icmp 8.8.8.8:0", "deny"},
        {"deny 8.8.8.8", "icmp 8.8.8.8:0", "deny"},
    };
    ASK(table);
}

static void test_raw_tcp(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org:22", "tcp 1.2.3.4:22 seen=x.org", "allow 1"},
        {"x.org:22", "tcp 1.2.3.4:22 seen=y.org seen=x.org", "allow 1"},
        {"x.org:22", "tcp 1.2.3.4:22 seen=y.org", "deny"},
        {"x.org:22", "tcp 1.2.3.4:22", "deny"},
        {"x.org:22", "tcp 1.2.3.4:22 host=x.org", "allow 1"},
        {"x.org:22", "tcp 1.2.3.4:22 host=y.org seen=x.org", "deny"},
        {"x.org:22", "tcp 1.2.3.4:22 seen=x.org unknown", "allow 1"},
        {"x.org", "tcp 1.2.3.4:443 seen=x.org", "allow 1"},
        {"x.org", "tcp 1.2.3.4:443 seen=x.org unknown", "deny"},
        {"x.org:80", "tcp 1.2.3.4:80 seen=x.org unknown", "deny"},
        {"x.org:80", "tcp 1.2.3.4:80 host=x.org unknown", "deny"},
        {"1.2.3.4", "tcp 1.2.3.4:443 unknown", "allow 1 by-address"},
        {"x.org:8443 | https://y.org:8443/a", "tcp 1.2.3.4:8443 seen=x.org unknown", "deny"},
        {"x.org:8443 | https://y.org:8444/a", "tcp 1.2.3.4:8443 seen=x.org unknown", "allow 1"},
        {"https://x.org/*", "tcp 1.2.3.4:443 seen=x.org", "deny"},
        {"x.org:53/udp", "udp 1.2.3.4:53 seen=x.org", "deny"},
        {"x.org:22 passthrough", "tcp 1.2.3.4:22 seen=x.org", "allow 1 passthrough"},
    };
    ASK(table);
}

static void test_tls(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org passthrough", "tls host=x.org", "allow 1 passthrough"},
        {"x.org insecure", "tls host=x.org", "allow 1 insecure"},
        {"https://x.org/a", "tls host=x.org", "inspect 1"},
        {"https://x.org/a", "tls host=y.org", "deny"},
        {"https://x.org/a", "tls host=x.org :8443", "deny"},
        {"https://x.org:8443/a", "tls host=x.org :8443", "inspect 1"},
        {"http://x.org:443/a", "tls host=x.org", "deny"},
        {"POST https://x.org/a", "tls host=x.org", "inspect 1"},
        {"[https://x.org] | /a", "tls host=x.org", "inspect 2"},
        {"https://*.x.org/a", "tls host=q.x.org", "inspect 1"},
        {"https://x.org/a exe=/bin/sh", "tls host=x.org exe=/bin/sh", "inspect 1"},
        {"https://x.org/a exe=/bin/sh", "tls host=x.org exe=/bin/ls", "deny"},
        {"https://x.org/a | x.org", "tls host=x.org", "allow 2"},
        {"https://x.org/a insecure", "tls host=x.org", "inspect 1 insecure"},
        {"x.org | https://x.org/a insecure", "tls host=x.org", "allow 2 insecure"},
        {"x.org | x.org insecure", "tls host=x.org", "allow 2 insecure"},
        {"x.org insecure | x.org passthrough", "tls host=x.org", "allow 2 passthrough"},
        {"x.org | *.org passthrough", "tls host=x.org", "allow 2 passthrough"},
        {"x.org", "tls 1.2.3.4:443 seen=x.org", "allow 1"},
        {"x.org", "tls 1.2.3.4:443", "deny"},
        {"x.org passthrough", "tls 1.2.3.4:443 seen=x.org", "allow 1 passthrough"},
        {"1.2.3.4", "tls 1.2.3.4:443", "allow 1 by-address"},
        {"1.2.3.4 insecure", "tls 1.2.3.4:443", "allow 1 insecure by-address"},
        {"https://1.2.3.4/a", "tls 1.2.3.4:443", "inspect 1 by-address"},
        {"https://1.2.3.4/a", "tls host=x.org 1.2.3.4:443", "deny"},
        {"https://x.org/a", "tls 1.2.3.4:443 seen=x.org", "inspect 1"},
        {"https://x.org/a", "tls 1.2.3.4:443 seen=y.org", "deny"},
        {"x.org", "tls host=x.org 9.9.9.9:443", "allow 1"},
        {"x.org | 9.9.9.9", "tls host=x.org 9.9.9.9:443", "allow 1 by-address"},
        {"9.9.9.9 | x.org", "tls host=x.org 9.9.9.9:443", "allow 1 by-address"},
        {"x.org", "tls host=y.org 1.2.3.4:443 seen=x.org", "deny"},
    };
    ASK(table);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"https://x.org/a", "req url=https://x.org/a", "allow 1"},
        {"https://x.org/a", "req url=https://x.org/a method=HEAD", "allow 1"},
        {"https://x.org/a", "req url=https://x.org/a method=POST", "deny"},
        {"https://x.org/a", "req url=https://x.org/a method=get", "deny"},
        {"post https://x.org/a", "req url=https://x.org/a method=POST", "allow 1"},
        {"GET|POST https://x.org/a", "req url=https://x.org/a method=POST", "allow 1"},
        {"GET|POST https://x.org/a", "req url=https://x.org/a method=PUT", "deny"},
        {"* https://x.org/a", "req url=https://x.org/a method=BREW", "allow 1"},
        {"OPTIONS|PATCH|DELETE|PUT https://x.org/a", "req url=https://x.org/a method=PATCH",
         "allow 1"},
        {"https://x.org/a", "req url=http://x.org/a", "deny"},
        {"http://x.org/a", "req url=http://x.org/a", "allow 1"},
        {"http://x.org/a", "req url=http://x.org:8080/a", "deny"},
        {"http://x.org:8080/a", "req url=http://x.org:8080/a", "allow 1"},
        {"HTTPS://X.org/a", "req url=https://x.org/a", "allow 1"},
        {"https://x.org/a", "req url=https://x.org/A", "deny"},
        {"x.org", "req url=https://x.org/anything method=POST", "allow 1 websocket"},
        {"x.org:80", "req url=http://x.org/anything", "allow 1 websocket"},
        {"x.org", "req url=http://x.org/anything", "deny"},
        {"https://x.org/a websocket", "req url=https://x.org/a", "allow 1 websocket"},
        {"https://x.org/a | https://x.org/* websocket", "req url=https://x.org/a",
         "allow 1 websocket"},
        {"https://1.2.3.4/a", "req url=https://1.2.3.4/a 1.2.3.4:443", "allow 1 by-address"},
        {"https://1.2.3.4/a", "req url=https://1.2.3.4/a", "allow 1 by-address"},
        {"https://1.2.3.4/a", "req url=https://1.2.3.4/a 5.6.7.8:443", "deny"},
        {"https://1.2.3.4/a", "req url=https://x.org/a 1.2.3.4:443", "deny"},
        {"https://x.org/a", "req url=https://1.2.3.4/a 1.2.3.4:443 seen=x.org", "deny"},
        {"x.org", "req url=https://1.2.3.4/a 1.2.3.4:443 seen=x.org", "deny"},
        {"1.2.3.4", "req url=https://1.2.3.4/a 1.2.3.4:443 seen=x.org",
         "allow 1 websocket by-address"},
        {"http://169.254.169.254/latest/*", "req url=http://169.254.169.254/latest/meta",
         "allow 1 by-address"},
        {"[https://api.github.com/v1] | /repos/*", "req url=https://api.github.com/v1/repos/x",
         "allow 2"},
        {"[https://api.github.com/v1] | /repos/*", "req url=https://api.github.com/repos/x",
         "deny"},
        {"[https://api.github.com/v1/] | /", "req url=https://api.github.com/v1", "allow 2"},
        {"[POST https://x.org] | /a", "req url=https://x.org/a method=POST", "allow 2"},
        {"[POST https://x.org] | /a", "req url=https://x.org/a", "deny"},
        {"[POST https://x.org] | GET /a", "req url=https://x.org/a", "allow 2"},
        {"[POST https://x.org] | [] | https://x.org/a", "req url=https://x.org/a", "allow 3"},
        {"[:8443] | https://x.org/a", "req url=https://x.org/a", "allow 2"},
        {"https://x.org/a insecure", "req url=https://x.org/a", "allow 1 insecure"},
    };
    ASK(table);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *path;
        bool want;
    } table[] = {
        {"/", "/", true},
        {"/", "/a", false},
        {"/*", "/", true},
        {"/*", "/a/b/c", true},
        {"/a", "/a", true},
        {"/a", "/a/", true},
        {"/a/", "/a", true},
        {"/a", "/a/b", false},
        {"/a", "/ab", false},
        {"/a/*", "/a", true},
        {"/a/*", "/a/", true},
        {"/a/*", "/a/b", true},
        {"/a/*", "/a/b/c/d", true},
        {"/a/*", "/ab", false},
        {"/a/*/", "/a/b/c", true},
        {"/a/*/c", "/a/b/c", true},
        {"/a/*/c", "/a/c", false},
        {"/a/*/c", "/a/b/b/c", false},
        {"/*/c", "/b/c", true},
        {"/*/*", "/b", true},
        {"/*/*", "/", false},
        {"/v*.zip", "/v1.zip", true},
        {"/v*.zip", "/v.zip", true},
        {"/v*.zip", "/v1/a.zip", false},
        {"/foo*", "/foo", true},
        {"/foo*", "/foobar", true},
        {"/foo*", "/foo/bar", false},
        {"/foo*/x", "/foobar/x", true},
        {"/a*b*c", "/aXbYc", true},
        {"/a*b*c", "/aXcYb", false},
        {"/a", "/a?q=1", true},
        {"/a", "/%61", true},
        {"/%61", "/a", true},
        {"/a~b", "/a%7Eb", true},
        {"/@types%2Fnode", "/@types%2fnode", true},
        {"/@types%2Fnode", "/@types/node", false},
        {"/@types/node", "/@types%2Fnode", false},
        {"/@types/*", "/@types/x%2Fy", true},
        {"/a%20b", "/a%20b", true},
        {"/a%2a", "/a%2A", true},
        {"/a%2a", "/ab", false},
        {"/a;b=c", "/a;b=c", true},
        {"/a!$&'()+,:@", "/a!$&'()+,:@", true},
        {"/a/b", "/a/./b", true},
        {"/a/b", "/a/%2e/b", true},
        {"/b", "/a/../b", true},
        {"/b", "/a/%2e%2E/b", true},
        {"/a/b", "/a//b", true},
        {"/a//b", "/a/b", true},
        {"/a/./b", "/a/b", true},
        {"/x/../a", "/a", true},
        {"/a/b", "//a///b//", true},
        {"/*", "/..", false},
        {"/*", "/../a", false},
        {"/*", "/a/../../b", false},
        {"/*", "/a/%2e%2e/%2e%2e/b", false},
        {"/*", "/a//../b", false},
        {"/*", "/a//b/../../c", false},
        {"/a/c", "/a//b/../c", true},
        {"/*", "/a/../b//../c", false},
        {"/a/c", "//a/b/../c", true},
        {"/*", "/a%", false},
        {"/*", "/a%4", false},
        {"/*", "/a%zz", false},
        {"/*", "/a%00", false},
        {"/*", "/a%1f", false},
        {"/*", "/a%7F", false},
        {"/*", "/a%0d%0a", false},
        {"/*", "/a/..%2fb", false},
        {"/*", "/a/..%2Fb", false},
        {"/*", "/a/b%2f..", false},
        {"/*", "/a/b%2F..%2Fc", false},
        {"/*", "/a/.%2fb", false},
        {"/*", "/a/..%5cb", false},
        {"/*", "/a/..\\b", false},
        {"/*", "/a/%2e%2e%2fb", false},
        {"/*", "/a/%2e%2e\\b", false},
        {"/*", "/a%2f..b", true},
        {"/*", "/a/...", true},
        {"/*", "/a/..b", true},
        {"/*", "/a%2fb", true},
        {"/*", "/a\\b", true},
        {"/a%5Cb", "/a\\b", true},
        {"/a%C3%A9", "/a\xc3\xa9", true},
        {"/a%7Bb%7D", "/a{b}", true},
        {"/*", "/a#b", false},
        {"/*", "*", false},
        {"/*", "", false},
        {"/*", "a", false},
        {"/*", "/a\x01", false},
        {"/*", "/a\x7f", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        for (int deny = 0; deny < 2; deny++) {
            char text[256];
            snprintf(text, sizeof(text), "%shttps://x.org%s", deny ? "x.org\ndeny " : "",
                     table[i].rule);
            struct policy *p = parse_text(text, NULL);
            assert_non_null(p);
            struct event e = {.stage = EVENT_REQUEST,
                              .dst_port = 443,
                              .host = "x.org",
                              .method = "GET",
                              .https = true,
                              .path = table[i].path};
            bool allowed = policy_match(p, &e).action == VERDICT_ALLOW;
            /* What has no normal form is vetoed by every path of its host. */
            bool odd = strcmp(table[i].rule, "/*") == 0 && !table[i].want;
            if (deny ? allowed != (!table[i].want && !odd) : allowed != table[i].want)
                fail_msg("%s and %s", text, table[i].path);
            policy_unref(p);
        }
    }
}

static void test_private(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org", "tls host=x.org 10.0.0.1:443", "deny private 1"},
        {"x.org private", "tls host=x.org 10.0.0.1:443", "allow 1 private-ok"},
        {"x.org", "tls host=x.org 127.0.0.1:443", "deny private 1"},
        {"x.org", "tls host=x.org 169.254.1.1:443", "deny private 1"},
        {"x.org private", "tls host=x.org 169.254.169.254:443", "deny private 1"},
        {"x.org private", "tls host=x.org 168.63.129.16:443", "deny private 1"},
        {"x.org", "tls host=x.org 168.63.129.16:443", "deny private 1"},
        {"x.org | 10.0.0.0/8", "tls host=x.org 10.0.0.1:443", "allow 2 by-address"},
        {"x.org | x.org private", "tls host=x.org 10.0.0.1:443", "allow 2 private-ok"},
        {"x.org | x.org private", "tls host=x.org 1.2.3.4:443", "allow 1 private-ok"},
        {"https://x.org/a", "tls host=x.org 10.0.0.1:443", "deny private 1"},
        {"https://x.org/a private", "tls host=x.org 10.0.0.1:443", "inspect 1 private-ok"},
        {"https://x.org/a private", "req url=https://x.org/a 10.0.0.1:443", "allow 1 private-ok"},
        {"https://x.org/a", "req url=https://x.org/a 192.168.1.1:443", "deny private 1"},
        {"[private] | x.org", "tls host=x.org 172.16.0.1:443", "allow 2 private-ok"},
        {"x.org:22", "tcp 10.0.0.1:22 seen=x.org", "deny private 1"},
        {"x.org:22 private", "tcp 10.0.0.1:22 seen=x.org", "allow 1 private-ok"},
        {"x.org:22 private", "tcp 169.254.169.254:22 seen=x.org", "deny private 1"},
        {"x.org | 10.0.0.53:53/udp", "dns host=x.org 10.0.0.53:53", "allow 1"},
        {"y.org", "tls host=x.org 10.0.0.1:443", "deny"},
        {"x.org exe=/bin/ls", "tls host=x.org 10.0.0.1:443 exe=/bin/sh", "deny"},
        {"deny x.org | x.org", "tls host=x.org 10.0.0.1:443", "deny veto 1"},
    };
    ASK(table);
}

static void test_vetoes(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"*.org | deny x.org", "tls host=x.org", "deny veto 2"},
        {"*.org | deny x.org", "tls host=y.org", "allow 1"},
        {"*.org | deny *.x.org", "tls host=a.x.org", "deny veto 2"},
        {"x.org passthrough | deny x.org", "tls host=x.org", "deny veto 2"},
        {"x.org insecure | deny x.org", "tls host=x.org", "deny veto 2"},
        {"x.org:* | deny x.org", "tls host=x.org :8443", "deny veto 2"},
        {"x.org:* | deny x.org:22", "tls host=x.org :8443", "allow 1"},
        {"x.org:* | deny x.org:22", "tcp 1.2.3.4:22 seen=x.org", "deny veto 2"},
        {"x.org | deny x.org expected", "tls host=x.org", "deny veto 2 expected"},
        {"deny x.org expected | deny x.org", "tls host=x.org", "deny veto 1 expected"},
        {"x.org | deny x.org exe=/bin/curl", "tls host=x.org exe=/bin/curl", "deny veto 2"},
        {"x.org | deny x.org exe=/bin/curl", "tls host=x.org exe=/bin/sh", "allow 1"},
        {"x.org | deny x.org exe=/bin/curl", "tls host=x.org", "deny veto 2 unattributed"},
        {"x.org | deny x.org exe=/bin/curl", "tls host=x.org nobody", "deny veto 2 unattributed"},
        {"x.org | deny x.org exe=/bin/curl user=0", "tls host=x.org uid=1", "allow 1"},
        {"x.org | deny x.org exe=/bin/curl user=0", "tls host=x.org uid=0",
         "deny veto 2 unattributed"},
        {"8.8.8.8:53/udp | deny 8.8.8.8", "udp 8.8.8.8:53", "deny veto 2"},
        {"8.8.8.8:53/udp | deny 8.8.8.8:53", "udp 8.8.8.8:53", "deny veto 2"},
        {"8.8.8.8:53/udp | deny 8.8.8.8/tcp", "udp 8.8.8.8:53", "allow 1 by-address"},
        {"8.8.8.8:53/udp | deny 8.8.8.8:54/udp", "udp 8.8.8.8:53", "allow 1 by-address"},
        {"10.0.0.0/8 | deny 10.1.0.0/16", "tcp 10.1.2.3:443", "deny veto 2"},
        {"10.0.0.0/8 | deny 10.1.0.0/16", "tcp 10.2.2.3:443", "allow 1 by-address"},
        {"x.org | deny 10.0.0.0/8", "tls host=x.org", "allow 1"},
        {"0.0.0.0/0:* | deny x.org", "tcp 1.2.3.4:22 seen=y.org seen=x.org", "deny veto 2"},
        {"0.0.0.0/0:* | deny x.org", "tcp 1.2.3.4:22 seen=y.org", "allow 1 by-address"},
        {"0.0.0.0/0:* | deny x.org", "tls 1.2.3.4:443 seen=x.org", "deny veto 2"},
        {"0.0.0.0/0:* | deny x.org", "tls host=y.org 1.2.3.4:443 seen=x.org", "allow 1 by-address"},
        {"0.0.0.0/0:* | deny x.org", "req url=https://1.2.3.4/a 1.2.3.4:443 seen=x.org",
         "deny veto 2"},
        {"0.0.0.0/0:*/udp | deny x.org", "udp 1.2.3.4:443 seen=x.org", "deny veto 2"},
        {"x.org | deny dns:x.org", "tls host=x.org", "allow 1"},
        {"x.org | deny https://x.org/evil/*", "tls host=x.org", "inspect 2"},
        {"x.org passthrough | deny https://x.org/evil/*", "tls host=x.org", "inspect 2"},
        {"x.org insecure | deny https://x.org/evil/*", "tls host=x.org", "inspect 2 insecure"},
        {"x.org private | deny https://x.org/evil/*", "tls host=x.org", "inspect 2 private-ok"},
        {"x.org passthrough | deny https://x.org:8443/*", "tls host=x.org", "allow 1 passthrough"},
        {"x.org passthrough | deny http://x.org/*", "tls host=x.org", "allow 1 passthrough"},
        {"x.org passthrough | deny https://y.org/*", "tls host=x.org", "allow 1 passthrough"},
        {"x.org | deny https://x.org/* exe=/bin/ls", "tls host=x.org exe=/bin/sh", "allow 1"},
        {"x.org | deny https://x.org/* exe=/bin/ls", "tls host=x.org", "inspect 2 unattributed"},
        {"deny https://x.org/*", "tls host=x.org", "deny"},
        {"https://x.org/a | deny https://x.org/b", "tls host=x.org", "inspect 1"},
        {"1.2.3.4 | deny https://x.org/b", "tls 1.2.3.4:443 seen=x.org", "inspect 2 by-address"},
        {"1.2.3.4 | deny https://1.2.3.4/b", "tls 1.2.3.4:443", "inspect 2 by-address"},
        {"1.2.3.4 | deny https://1.2.3.4/b", "tls host=x.org 1.2.3.4:443", "allow 1 by-address"},
        {"x.org | deny https://x.org/evil/*", "req url=https://x.org/evil/a", "deny veto 2"},
        {"x.org | deny https://x.org/evil/*", "req url=https://x.org/evil/a method=BREW",
         "deny veto 2"},
        {"x.org | deny https://x.org/evil/*", "req url=https://x.org/good", "allow 1 websocket"},
        {"x.org | deny POST https://x.org/evil/*", "req url=https://x.org/evil/a",
         "allow 1 websocket"},
        {"x.org | deny POST https://x.org/evil/*", "req url=https://x.org/evil/a method=POST",
         "deny veto 2"},
        {"x.org | deny https://x.org/evil/*", "req url=https://x.org/a/../../b", "deny veto 2"},
        {"x.org:80 | deny https://x.org/*", "req url=http://x.org/a", "allow 1 websocket"},
        {"[https://x.org exe=/bin/ls] | deny /a | [] | x.org",
         "req url=https://x.org/a exe=/bin/ls", "deny veto 2"},
        {"[https://x.org exe=/bin/ls] | deny /a | [] | x.org",
         "req url=https://x.org/a exe=/bin/sh", "allow 4 websocket"},
        {"[:22 passthrough] | deny x.org | [] | x.org", "tls host=x.org", "deny veto 2"},
        {"[POST] | deny https://x.org/a | [] | x.org", "req url=https://x.org/a", "deny veto 2"},
    };
    ASK(table);
}

static void test_dns(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org | 8.8.8.8:53/udp", "dns host=x.org 8.8.8.8:53", "allow 1"},
        {"x.org | 8.8.8.8:53/udp", "dnstcp host=x.org 8.8.8.8:53", "allow 1"},
        {"x.org | 8.8.8.8:53", "dnstcp host=x.org 8.8.8.8:53", "allow 1"},
        {"x.org | 8.8.8.8:53", "dns host=x.org 8.8.8.8:53", "deny"},
        {"x.org | 8.8.8.8:53/udp", "dns host=x.org 9.9.9.9:53", "deny"},
        {"x.org | 8.8.8.8:53/udp", "dns host=x.org 8.8.8.8:5353", "deny"},
        {"x.org | 8.8.8.8:53/udp", "dns host=y.org 8.8.8.8:53", "deny"},
        {"8.8.8.8:53/udp", "dns host=x.org 8.8.8.8:53", "deny"},
        {"x.org", "dns host=x.org 8.8.8.8:53", "deny"},
        {"x.org", "dns host=x.org 127.0.0.1:53 self", "allow 1"},
        {"x.org", "dns host=y.org 127.0.0.1:53 self", "deny"},
        {"x.org:22", "dns host=x.org self", "allow 1"},
        {"x.org:22/udp", "dns host=x.org self", "allow 1"},
        {"*.org", "dns host=a.x.org self", "allow 1"},
        {"https://x.org:8443/a", "dns host=x.org self", "allow 1"},
        {"POST https://x.org/a", "dns host=x.org self", "allow 1"},
        {"[https://x.org] | /a", "dns host=x.org self", "allow 2"},
        {"dns:x.org", "dns host=x.org self", "allow 1"},
        {"dns:*.org", "dns host=x.org self", "allow 1"},
        {"dns:*.org", "dns host=org self", "deny"},
        {"dns:x.org", "dns host=a.x.org self", "deny"},
        {"x.org passthrough", "dns host=x.org self", "allow 1"},
        {"10.0.0.0/8:53/udp | x.org", "dns host=x.org 10.0.0.53:53", "allow 2"},
        {"x.org exe=/bin/ls", "dns host=x.org self exe=/bin/ls", "allow 1"},
        {"x.org exe=/bin/ls", "dns host=x.org self exe=/bin/sh", "deny"},
        {"x.org exe=/bin/ls", "dns host=x.org self nobody", "deny unattributed"},
        {"x.org | 8.8.8.8:53/udp exe=/bin/ls", "dns host=x.org 8.8.8.8:53 nobody",
         "deny unattributed"},
        {"y.org | 8.8.8.8:53/udp exe=/bin/ls", "dns host=x.org 8.8.8.8:53 nobody", "deny"},
        {"*.org | deny x.org", "dns host=x.org self", "deny veto 2"},
        {"*.org | deny dns:x.org", "dns host=x.org self", "deny veto 2"},
        {"*.org | deny dns:*.x.org", "dns host=a.x.org self", "deny veto 2"},
        {"*.org | deny x.org:22", "dns host=x.org self", "allow 1"},
        {"*.org | deny x.org:*", "dns host=x.org self", "deny veto 2"},
        {"*.org | deny https://x.org/*", "dns host=x.org self", "allow 1"},
        {"*.org | 8.8.8.8:53/udp | deny 8.8.8.8", "dns host=x.org 8.8.8.8:53", "deny veto 3"},
        {"*.org | 8.8.8.8:53/udp | deny 8.8.8.8:443", "dns host=x.org 8.8.8.8:53", "allow 1"},
        {"*.org | 8.8.8.8:53/udp | deny 8.0.0.0/8", "dns host=x.org 8.8.8.8:53", "deny veto 3"},
        {"*.org | deny 8.8.8.8", "dns host=x.org 8.8.8.8:53 self", "allow 1"},
        {"*.org | deny x.org exe=/bin/ls", "dns host=x.org self nobody",
         "deny veto 2 unattributed"},
        {"x.org", "dns self", "deny"},
    };
    ASK(table);
}

/* Which wildcard an allowed look-up is counted under; none, where a rule names it exactly. */
static void test_zones(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *event, *zone;
    } cases[] = {
        {"x.org", "dns host=x.org self", NULL},
        {"*.x.org", "dns host=a.x.org self", "x.org"},
        {"*.x.org\na.x.org", "dns host=a.x.org self", NULL},
        {"a.x.org\n*.x.org", "dns host=a.x.org self", NULL},
        {"*.x.org\ndns:a.x.org", "dns host=a.x.org self", NULL},
        {"*.x.org\nhttps://a.x.org/b", "dns host=a.x.org self", NULL},
        {"https://*.x.org/b", "dns host=a.x.org self", "x.org"},
        {"[https://*.x.org]\n/b", "dns host=a.x.org self", "x.org"},
        {"dns:*.x.org", "dns host=a.x.org self", "x.org"},
        {"*.org\n*.x.org", "dns host=a.x.org self", "x.org"},
        {"*.x.org\n*.org", "dns host=a.x.org self", "x.org"},
        {"*.x.org\n*.org", "dns host=a.y.org self", "org"},
        {"a*.x.org", "dns host=ab.x.org self", "x.org"},
        {"*.derp*.x.org", "dns host=a.derp1.x.org self", "x.org"},
        /* An exact rule that is not about this process does not count. */
        {"*.x.org\na.x.org exe=/bin/ls", "dns host=a.x.org self exe=/bin/sh", "x.org"},
        {"*.x.org\na.x.org exe=/bin/ls", "dns host=a.x.org self nobody", "x.org"},
        {"*.x.org\na.x.org exe=/bin/ls", "dns host=a.x.org self exe=/bin/ls", NULL},
        {"*.x.org\n8.8.8.8:53/udp", "dns host=a.x.org 8.8.8.8:53", "x.org"},
        {"*.x.org\ndeny a.x.org", "dns host=a.x.org self", NULL},
        {"*.x.org", "dns host=y.org self", NULL},
        {"*.x.org", "tls host=a.x.org", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy *p = parse_text(cases[i].policy, NULL);
        struct asked asked;
        assert_non_null(p);
        asked_init(&asked, cases[i].event);
        struct verdict v = policy_match(p, &asked.event);
        if (!v.zone != !cases[i].zone || (v.zone && strcmp(v.zone, cases[i].zone) != 0))
            fail_msg("'%s' at '%s': %s", cases[i].policy, cases[i].event, v.zone ? v.zone : "none");
        policy_unref(p);
    }
}

static void test_order(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"*.org | x.org", "tls host=x.org", "allow 1"},
        {"x.org | *.org", "tls host=x.org", "allow 1"},
        {"x.org exe=/bin/ls | x.org", "tls host=x.org exe=/bin/sh", "allow 2"},
        {"x.org exe=/bin/ls | x.org", "tls host=x.org exe=/bin/ls", "allow 1"},
        {"https://x.org/a | https://x.org/*", "req url=https://x.org/a", "allow 1"},
        {"https://x.org/a | 1.2.3.4", "tls host=x.org 1.2.3.4:443", "allow 2 by-address"},
        {"x.org passthrough | deny x.org | x.org", "tls host=x.org", "deny veto 2"},
        {"https://x.org/a insecure | x.org passthrough", "tls host=x.org", "allow 2 passthrough"},
        {"https://x.org/a insecure | x.org passthrough | deny https://x.org/b", "tls host=x.org",
         "inspect 3 insecure"},
        {"# c | x.org # d | ", "tls host=x.org", "allow 2"},
    };
    ASK(table);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_hosts),   REPORT("-", test_addresses), REPORT("-", test_raw_tcp),
        REPORT("-", test_tls),     REPORT("-", test_requests),  REPORT("-", test_paths),
        REPORT("-", test_private), REPORT("-", test_vetoes),    REPORT("-", test_dns),
        REPORT("-", test_order),   REPORT("D06", test_zones),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
