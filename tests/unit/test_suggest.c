/* SPDX-License-Identifier: MIT
 * Lines made of denials: which one for what; and what must hold for every one of them, whatever the
 * watched call their programs and whatever names they ask for: the policy parses without a word of
 * the parser, allows what it was made of, and nothing beside it. */
#include <stdlib.h>
#include <string.h>

#include "audit/suggest.h"
#include "unit/rules_help.h"

#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* One thing that was asked for, as a record has it and as a policy is asked. */
struct asking {
    enum event_stage stage;
    const char *host; /* NULL: by address */
    uint32_t ip;      /* 0: none; of a look-up: the resolver */
    uint16_t port;
    bool udp, unknown_bytes, let_through,
        service; /* service: a look-up that is not for an address */
    const char *method, *path;
    const char *exe; /* NULL: not known */
    const char *container;
    uint64_t process; /* 0: any */
};

struct noises {
    char host[32], exe[32];
};

static uint32_t seed = 20261123;

static size_t pick(size_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

#define PICK(list) list[pick(ARRAY_SIZE(list))]

static const char *const names[] = {
    "a.example",
    "b.example",
    "x.a.example",
    "www.a.example",
    "a.example.net",
    "r1.cdn.net",
    "r2.cdn.net",
    "db",
    "xn--bcher-kva.org",
    "a-b.c-d.org",
    "4.3.2.1.in-addr.arpa",
    "s3.eu-west-1.amazonaws.com",
    "z.org",
    "_sip._tcp.z.org",
    "deny",
    "include",
    "get",
    "POST",
    "private",
    "passthrough",
    "expected",
    "localhost",
    "www.localhost",
    "@npm",
    "*.a.example",
    "a.example\n*.net",
    "a.example # x",
    "a.example x",
    "a\"b.example",
    "a`b.example",
    "{owner}.example",
    "a..example",
    "-a.example",
    "a-.example",
    "a_b.c_d",
    "1.2.3",
    "a.example:22",
    "a/b.example",
    "exe=.example",
    "\xc3\xa4.example",
    "\xff.example",
    "dns:a.example",
    "[]",
    "#?",
    "",
    "insecure",
    "allow",
    "xn--a.example",
    "0x7f.1",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    ".example",
};
static const char *const programs[] = {
    "/usr/bin/node", "/usr/bin/node", "/usr/bin/curl", "/usr/bin/curl", NULL,
    "/tmp/a b",      "/tmp/a\"b",     "/tmp/*",        "/tmp/a#b",      "/tmp/a #b",
    "/tmp/{owner}",  "/tmp/x\n*.net", "/tmp/`x`",      "/tmp/[b]?",     "relative",
    "/tmp/\xc3\xa4", "/tmp/a,b",      "/tmp/'q'",      "/tmp/x\\",      "/tmp/a exe=/bin/sh",
    "/usr/bin/[",    "/tmp/\t",       "/tmp/\x1b[2J",  "/tmp/é",        "/tmp/a\" *.net \"",
};
static const uint32_t addresses[] = {0x01020304, 0x01020304, 0x08080808, 0x0a000001, 0xa9fea9fe,
                                     0x7f000001, 0xe0000001, 0xc0000001, 0xffffffff, 0x64400001};
static const uint16_t ports[] = {443, 443, 80, 22, 8443, 53};
static const char *const methods[] = {"GET", "GET", "HEAD", "POST", "PROPFIND", "get", "X\nY"};
static const char *const paths[] = {"/",     "/a",     "/a/b.zip", "/a*",    "/%2e%2e/x",
                                    "/a b",  "/a#b",   "/{repo}",  "/a%2Fb", "/a\n*.net",
                                    "/../x", "/a//b/", "/*",       "/a\" x", "/a'b;c=d,e",
                                    "/%zz",  "/a/./b", "/a[1]",    "/a@b:c"};

/* What nobody thought of: bytes that mean something somewhere. */
static const char *noise(char *out, size_t size, const char *front)
{
    static const char bytes[] = "a.b-_*:/|[]{}()#\"'`=?@%& \t\n\r\\\x7f\xc3\xa4\xe2\x80\xae,;!0$";
    size_t len = (size_t)snprintf(out, size, "%s", front);
    for (size_t n = 1 + pick(10); n > 0 && len + 1 < size; n--)
        out[len++] = bytes[pick(sizeof(bytes) - 1)];
    out[len] = '\0';
    return out;
}

static struct asking make(struct noises *room)
{
    static const enum event_stage stages[] = {EVENT_ADDRESS, EVENT_ADDRESS, EVENT_TLS,    EVENT_TLS,
                                              EVENT_DNS,     EVENT_DNS,     EVENT_REQUEST};
    struct asking a = {.stage = PICK(stages), .exe = PICK(programs), .port = PICK(ports)};
    bool named = a.stage == EVENT_DNS || a.stage == EVENT_REQUEST || pick(3) > 0;
    a.host = named ? PICK(names) : NULL;
    a.ip = a.stage == EVENT_DNS && pick(3) ? 0 : PICK(addresses);
    a.udp = a.stage == EVENT_ADDRESS && pick(3) == 0;
    a.unknown_bytes = a.stage == EVENT_ADDRESS && !a.udp && pick(4) == 0;
    a.let_through = pick(4) == 0;
    a.service = pick(4) == 0;
    a.container = pick(6) ? NULL : "build";
    if (a.stage == EVENT_DNS) {
        a.udp = pick(2);
        a.port = a.ip ? 53 : 0;
    }
    if (a.host && pick(6) == 0)
        a.host = noise(room->host, sizeof(room->host), pick(2) ? "a.example" : "");
    if (pick(6) == 0)
        a.exe = noise(room->exe, sizeof(room->exe), "/");
    if (a.stage == EVENT_REQUEST) {
        a.method = PICK(methods);
        a.path = PICK(paths);
    }
    return a;
}

/* The name as the filter would have compared it, or NULL where it is none. */
static const char *normal(const char *host, char room[NAME_MAX_LEN + 1])
{
    return host && name_normalize(host, strlen(host), room) == 0 ? room : NULL;
}

static struct verdict ask_policy(const struct policy *p, const struct asking *a)
{
    char room[NAME_MAX_LEN + 1];
    const char *seen = normal(a->host, room);
    struct event_process process = {.known = FACT_CONTAINER | (a->exe ? FACT_EXE : 0u),
                                    .exe = a->exe,
                                    .container_name = a->container};
    struct event e = {.stage = a->stage,
                      .proto = a->udp ? PROTO_UDP : PROTO_TCP,
                      .dst_ip = a->ip,
                      .dst_port = a->port,
                      .has_dst = a->ip != 0,
                      .unknown_bytes = a->unknown_bytes,
                      .resolver_is_self = a->stage == EVENT_DNS && !a->ip,
                      .method = a->method,
                      .https = true,
                      .path = a->path,
                      .process = &process};
    if (a->stage == EVENT_ADDRESS && seen) {
        e.names = &seen;
        e.n_names = 1;
    } else {
        e.host = seen;
    }
    return policy_match(p, &e);
}

static void count(struct summary *s, const struct asking *a)
{
    char resolver[16], url[512];
    uint32_t ip = a->ip;
    bool dns = a->stage == EVENT_DNS, request = a->stage == EVENT_REQUEST;
    struct record r = {
        .event = dns       ? RECORD_QUERY
                 : request ? RECORD_REQUEST
                           : RECORD_CONNECT,
        .type = dns                         ? RECORD_DNS
                : a->udp                    ? RECORD_UDP
                : a->stage == EVENT_ADDRESS ? RECORD_TCP
                                            : RECORD_HTTPS,
        .policy = RECORD_POLICY_DENY,
        .outcome = a->let_through ? RECORD_ALLOWED : RECORD_DENIED,
        .proto = text_of(a->udp ? "udp" : "tcp"),
        .has_dst = a->ip != 0,
        .dst_ip = a->ip,
        .dst_port = a->port,
        .reason = text_of("no-rule"),
        .ts_us = 1795348246000000,
    };
    snprintf(resolver, sizeof(resolver), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
             ip & 255);
    if (dns) {
        r.name = text_of(a->host);
        r.resolver = text_of(a->ip ? resolver : "self");
        r.qtype = text_of(a->service ? "SRV" : "A");
    } else if (request) {
        char port[8] = "";
        if (a->port != 443)
            snprintf(port, sizeof(port), ":%u", a->port);
        snprintf(url, sizeof(url), "https://%s%s%s", a->host, port, a->path);
        r.url = text_of(url);
        r.method = text_of(a->method);
        r.host = text_of(a->host);
    } else {
        r.host = text_of(a->host);
        r.first_bytes = text_of(a->unknown_bytes ? "unknown" : NULL);
    }
    const uint64_t any = 1 + pick(3);
    const struct summary_who who = {.exe = text_of(a->exe),
                                    .exe_counts = a->exe != NULL,
                                    .container = text_of(a->container),
                                    .process = a->process ? a->process : any};
    summary_count(s, &r, &who);
}

static char *policy_of(const struct asking *asked, size_t n, size_t *lines, size_t *without)
{
    CLEANUP_BUFFER struct buffer out = {0};
    struct summary *s = summary_new();
    assert_non_null(s);
    for (size_t i = 0; i < n; i++)
        count(s, &asked[i]);
    struct suggestions *found = suggestions_new(s);
    assert_non_null(found);
    *lines = suggestions_count(found, without);
    suggestions_policy(found, &out);
    assert_false(buffer_failed(&out));
    suggestions_free(found);
    summary_free(s);
    return STEAL(out.data);
}

static struct policy *parse_clean(const char *text)
{
    struct said said = {0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    struct policy *p = parse_text(text, &options);
    if (!p || said.len)
        fail_msg("%s\nof\n%s", said.text, text);
    return p;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether somebody asked for what allows this too: the same program and the same destination, as
 * far as a line can tell them apart. */
static bool is_licensed(const struct asking *all, size_t n, const struct asking *v)
{
    char mine[NAME_MAX_LEN + 1], theirs[NAME_MAX_LEN + 1];
    const char *name = normal(v->host, mine);
    for (size_t i = 0; i < n; i++) {
        const struct asking *a = &all[i];
        const char *other = normal(a->host, theirs);
        bool who = (!a->exe || same(a->exe, v->exe)) &&
                   (!a->container || same(a->container, v->container));
        bool named = name && other && strcmp(name, other) == 0;
        bool resolver = a->stage == EVENT_DNS && a->ip;
        bool port = a->port == v->port || (a->stage == EVENT_DNS && v->port == 443);
        bool address =
            a->ip == v->ip && v->ip && (a->port == v->port || resolver) && a->udp == v->udp;
        if (!who)
            continue;
        if (v->stage == EVENT_DNS ? named : (named && port && !v->udp) || address)
            return true;
    }
    return false;
}

static void near_misses(const struct policy *p, const struct asking *all, size_t n,
                        const struct asking *a, const char *text)
{
    char sibling[600], program[600];
    struct asking misses[8];
    size_t k = 0;
    for (size_t i = 0; i < 4; i++)
        misses[k++] = *a;
    snprintf(program, sizeof(program), "%s2", a->exe ? a->exe : "/bin/other");
    misses[0].exe = program;
    misses[1].port = (uint16_t)(a->port + 1);
    snprintf(sibling, sizeof(sibling), "other.%s", a->host ? a->host : "example");
    misses[2].host = sibling;
    misses[2].ip = 0x05060708;
    misses[3].ip = a->ip ^ 1;
    misses[3].host = NULL;
    for (size_t i = 0; i < k; i++) {
        if (misses[i].stage == EVENT_DNS && !misses[i].host)
            continue;
        if (ask_policy(p, &misses[i]).action == VERDICT_ALLOW && !is_licensed(all, n, &misses[i]))
            fail_msg("near miss %zu of '%s' %u by '%s' is allowed by\n%s", i,
                     a->host ? a->host : "-", a->port, a->exe ? a->exe : "-", text);
    }
}

/* A known program's line allows it, whatever else was asked for; of the unknown, who asked alone.
 */
static void test_property(void **state)
{
    (void)state;
    struct asking asked[24];
    static struct noises rooms[24];
    size_t allowed = 0, lines, without, with_lines = 0;
    for (int round = 0; round < 1500; round++) {
        size_t n = 1 + pick(round % 3 ? ARRAY_SIZE(asked) : 1);
        bool urls = false;
        for (size_t i = 0; i < n; i++) {
            asked[i] = make(&rooms[i]);
            urls |= asked[i].stage == EVENT_REQUEST;
        }
        char *text = policy_of(asked, n, &lines, &without);
        struct policy *p = parse_clean(text);
        assert_int_equal(policy_rule_count(p), lines);
        with_lines += lines > 0;
        for (size_t i = 0; i < n; i++) {
            size_t one, none;
            free(policy_of(&asked[i], 1, &one, &none));
            char room[NAME_MAX_LEN + 1];
            bool claimed = one > 0 && (asked[i].exe || n == 1);
            /* Bytes of no protocol go by addresses on ports of URLs; a URL of other bytes than a
             * name's is another's. */
            claimed = claimed && (n == 1 || !urls || !asked[i].unknown_bytes) &&
                      (asked[i].stage != EVENT_REQUEST || normal(asked[i].host, room));
            struct verdict v = ask_policy(p, &asked[i]);
            if (claimed && v.action != VERDICT_ALLOW)
                fail_msg("'%s' at %x:%u by '%s' is not allowed by\n%s",
                         asked[i].host ? asked[i].host : "-", asked[i].ip, asked[i].port,
                         asked[i].exe ? asked[i].exe : "-", text);
            allowed += claimed;
            near_misses(p, asked, n, &asked[i], text);
        }
        policy_unref(p);
        free(text);
    }
    assert_true(allowed > 1000 && with_lines > 500);
}

#define NODE .exe = "/usr/bin/node"
#define TLS  .stage = EVENT_TLS, .ip = 0x01020304, .port = 443
#define DNS  .stage = EVENT_DNS
#define ONE  NODE, .process = 1

static const struct {
    const char *what;
    struct asking asked[6];
    const char *want[3], *never;
} texts[] = {
    {"a look-up and its connection are one line",
     {{DNS, NODE, .host = "a.example", .let_through = true}, {TLS, NODE, .host = "A.example"}},
     {"UTC\na.example exe=/usr/bin/node\n"},
     "dns:"},
    {"one attempt: the look-ups of both kinds of address, and the connection",
     {{DNS, ONE, .host = "a.example"},
      {DNS, ONE, .host = "a.example"},
      {TLS, ONE, .host = "a.example"}},
     {"\n# seen once, by /usr/bin/node, 2026-"},
     "times"},
    {"one attempt that ended at the look-ups",
     {{DNS, ONE, .host = "a.example"}, {DNS, ONE, .host = "a.example"}},
     {"\n# seen once, by /usr/bin/node, 2026-"},
     "times"},
    {"two connections",
     {{TLS, ONE, .host = "a.example"}, {TLS, ONE, .host = "a.example"}},
     {"\n# 2 times, by /usr/bin/node, last 2026-"},
     "once"},
    {"more look-ups than one attempt has",
     {{DNS, ONE, .host = "a.example"},
      {DNS, ONE, .host = "a.example"},
      {DNS, ONE, .host = "a.example"}},
     {"\n# 3 times, by /usr/bin/node, last 2026-"},
     "once"},
    {"two processes that looked it up",
     {{DNS, ONE, .host = "a.example"}, {DNS, NODE, .process = 2, .host = "a.example"}},
     {"\n# 2 times, by /usr/bin/node (2 processes), last 2026-"},
     "once"},
    {"look-ups of two processes whose program is not known",
     {{DNS, .process = 1, .host = "a.example"}, {DNS, .process = 2, .host = "a.example"}},
     {"\n# 2 times, by a program that is not known"},
     "once"},
    {"a server of its own that was asked for two names",
     {{DNS, ONE, .host = "a.example", .ip = 0x08080808, .port = 53, .udp = true},
      {DNS, ONE, .host = "b.example", .ip = 0x08080808, .port = 53, .udp = true}},
     {"# 2 times, by /usr/bin/node, last 2026-", "\n8.8.8.8:53/udp exe=/usr/bin/node\n"},
     NULL},
    {"a look-up goes with a connection to another port",
     {{DNS, NODE, .host = "a.example"},
      {.stage = EVENT_ADDRESS, NODE, .host = "a.example", .ip = 0x01020304, .port = 22}},
     {"\na.example:22 exe=/usr/bin/node\n"},
     "looked up"},
    {"a denied look-up alone",
     {{DNS, NODE, .host = "a.example"}},
     {"# seen once, by /usr/bin/node, 2026-", "# only looked up: that was denied",
      "\na.example exe=/usr/bin/node\n"},
     NULL},
    {"a look-up for what is no address",
     {{DNS, NODE, .host = "_sip._tcp.a.example", .service = true}},
     {"\ndns:_sip._tcp.a.example exe=/usr/bin/node\n"},
     NULL},
    {"a resolver of its own",
     {{DNS, NODE, .host = "a.example", .ip = 0x08080808, .port = 53, .udp = true}},
     {"\na.example exe=/usr/bin/node\n", "# a DNS server of the program's own choice\n",
      "\n8.8.8.8:53/udp exe=/usr/bin/node\n"},
     NULL},
    {"each program has its line",
     {{TLS, NODE, .host = "a.example"}, {TLS, .exe = "/bin/b", .host = "a.example"}},
     {"\na.example exe=/bin/b\n", "\na.example exe=/usr/bin/node\n"},
     "programs asked"},
    {"a program that is not known",
     {{TLS, .host = "a.example"}},
     {"by a program that is not known", "# careful: this allows every program\na.example\n"},
     NULL},
    {"it widens nobody's line",
     {{TLS, .host = "a.example"}, {TLS, NODE, .host = "a.example"}},
     {"\n# this line would allow it, and every program: a.example\n",
      "\na.example exe=/usr/bin/node\n"},
     "\na.example\n"},
    {"a container that is known",
     {{TLS, NODE, .host = "a.example", .container = "build"}},
     {"\na.example exe=/usr/bin/node container=build\n"},
     NULL},
    {"a name at a private address",
     {{.stage = EVENT_TLS, NODE, .host = "a.example", .ip = 0x0a000001, .port = 443}},
     {"# careful: it lies at a private address", "\na.example private exe=/usr/bin/node\n"},
     NULL},
    {"a metadata service goes by its address",
     {{.stage = EVENT_ADDRESS, NODE, .host = "a.example", .ip = 0xa9fea9fe, .port = 80}},
     {"# CAREFUL: a metadata service", "# it went by the name a.example\n",
      "\n169.254.169.254:80 exe=/usr/bin/node\n"},
     NULL},
    {"a URL, its look-up and its other method",
     {{DNS, NODE, .host = "a.example"},
      {.stage = EVENT_REQUEST,
       NODE,
       .host = "a.example",
       .port = 443,
       .method = "HEAD",
       .path = "/x"},
      {.stage = EVENT_REQUEST,
       NODE,
       .host = "a.example",
       .port = 443,
       .method = "GET",
       .path = "/x"}},
     {"\n# 3 times", "\nhttps://a.example/x exe=/usr/bin/node\n"},
     "HEAD"},
    {"five siblings",
     {{TLS, NODE, .host = "a.cdn.example.net"},
      {TLS, NODE, .host = "b.cdn.example.net"},
      {TLS, NODE, .host = "c.cdn.example.net"},
      {TLS, NODE, .host = "d.cdn.example.net"},
      {TLS, NODE, .host = "e.cdn.example.net"}},
     {"\n# 5 names above are siblings", "\n# *.cdn.example.net exe=/usr/bin/node\n",
      "\na.cdn.example.net exe=/usr/bin/node\n"},
     "\n*.cdn"},
    {"five names below a public suffix",
     {{TLS, NODE, .host = "a.github.io"},
      {TLS, NODE, .host = "b.github.io"},
      {TLS, NODE, .host = "c.github.io"},
      {TLS, NODE, .host = "d.github.io"},
      {TLS, NODE, .host = "e.github.io"}},
     {"\na.github.io exe=/usr/bin/node\n"},
     "siblings"},
    {"five programs",
     {{TLS, .exe = "/a", .host = "a.example"},
      {TLS, .exe = "/b", .host = "a.example"},
      {TLS, .exe = "/c", .host = "a.example"},
      {TLS, .exe = "/d", .host = "a.example"},
      {TLS, .exe = "/e", .host = "a.example"}},
     {"\n# 5 programs asked for this; one line would allow all others too: a.example\n",
      "\na.example exe=/e\n"},
     "\na.example\n"},
};

/* What is asked for, and what stands in the policy; bars are line ends. */
static void test_policy_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t n = 0, lines, without;
        while (n < ARRAY_SIZE(texts[i].asked) &&
               texts[i].asked[n].stage + texts[i].asked[n].ip + (texts[i].asked[n].host != NULL))
            n++;
        char *text = policy_of(texts[i].asked, n, &lines, &without);
        for (size_t k = 0; k < ARRAY_SIZE(texts[i].want) && texts[i].want[k]; k++)
            if (!strstr(text, texts[i].want[k]))
                fail_msg("%s: no '%s' in\n%s", texts[i].what, texts[i].want[k], text);
        if (texts[i].never && strstr(text, texts[i].never))
            fail_msg("%s: '%s' in\n%s", texts[i].what, texts[i].never, text);
        policy_unref(parse_clean(text));
        free(text);
    }
    size_t lines, without;
    char *nothing = policy_of(NULL, 0, &lines, &without);
    assert_string_equal(nothing, "# Nothing was denied that a policy should allow.\n");
    free(nothing);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_policy_text),
        REPORT("-", test_property),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
