/* SPDX-License-Identifier: MIT
 * The parts that rules are made of: names, addresses, and who may. */
#include "rules/cgroup.h"
#include "rules/rule.h"
#include "unit/rules_help.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want; /* NULL: no name */
    } table[] = {
        {"github.com", "github.com"},
        {"GitHub.Com", "github.com"},
        {"github.com.", "github.com"},
        {"github.com..", NULL},
        {".", NULL},
        {"", NULL},
        {".a", NULL},
        {"a..b", NULL},
        {"db", "db"},
        {"_dmarc.x.org", "_dmarc.x.org"},
        {"r3---sn.x.org", "r3---sn.x.org"},
        {"ab--cd.x.org", "ab--cd.x.org"},
        {"xn--bcher-kva.de", "xn--bcher-kva.de"},
        {"b\xc3\xbc\x63her.de", "xn--bcher-kva.de"},
        {"B\xc3\x9c\x43HER.de", "xn--bcher-kva.de"},
        {"bu\xcc\x88\x63her.de", "xn--bcher-kva.de"},
        {"fa\xc3\x9f.de", "xn--fa-hia.de"},
        {"_x.b\xc3\xbc\x63her.de", "_x.xn--bcher-kva.de"},
        {"a\xe3\x80\x82\x63om", NULL}, /* an ideographic full stop is no dot here */
        {"\xef\xbd\x87ithub.com", "github.com"},
        {"\xef\xbc\x8a.com", NULL},
        {"\xff.com", NULL},
        {"a\x01.com", NULL},
        {"a b.com", NULL},
        {"a/b.com", NULL},
        {"*.com", NULL},
        {"-a.com", NULL},
        {"a-.com", NULL},
        {"a.b_c", NULL},
        {"1.2.3.4", NULL},
        {"a.1", NULL},
        {"1.a", "1.a"},
        {"a.1b", NULL},
        {"a.b1", "a.b1"},
    };
    char out[NAME_MAX_LEN + 1];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        int result = name_normalize(table[i].name, strlen(table[i].name), out);
        if ((result == 0) != (table[i].want != NULL) ||
            (table[i].want && strcmp(out, table[i].want) != 0))
            fail_msg("'%s': %d '%s'", table[i].name, result, out);
    }
    assert_int_not_equal(name_normalize("a\0b.com", 7, out), 0);
}

/* Labels of 63 and names of 253 are the longest. */
static void test_name_lengths(void **state)
{
    (void)state;
    char name[300], out[NAME_MAX_LEN + 1];
    for (size_t len = 1; len < sizeof(name); len++) {
        memset(name, 'a', sizeof(name));
        for (size_t i = 63; i < len; i += 64)
            name[i] = '.';
        bool bad_end = name[len - 1] == '.';
        int result = name_normalize(name, len, out);
        assert_int_equal(result == 0, len - bad_end <= NAME_MAX_LEN);
    }
    memset(name, 'a', sizeof(name));
    assert_int_equal(name_normalize(name, 63, out), 0);
    assert_int_not_equal(name_normalize(name, 64, out), 0);
}

static void test_address_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool private, metadata;
    } table[] = {
        {"8.8.8.8", false, false},        {"10.0.0.0", true, false},
        {"10.255.255.255", true, false},  {"11.0.0.0", false, false},
        {"9.255.255.255", false, false},  {"127.0.0.1", true, false},
        {"0.0.0.0", true, false},         {"100.64.0.1", true, false},
        {"100.127.255.255", true, false}, {"100.128.0.0", false, false},
        {"172.15.255.255", false, false}, {"172.16.0.0", true, false},
        {"172.31.255.255", true, false},  {"172.32.0.0", false, false},
        {"192.168.0.1", true, false},     {"192.169.0.1", false, false},
        {"169.254.1.1", true, false},     {"169.254.169.254", true, true},
        {"168.63.129.16", false, true},   {"198.18.0.1", true, false},
        {"198.20.0.1", false, false},     {"223.255.255.255", false, false},
        {"224.0.0.1", true, false},       {"240.0.0.1", true, false},
        {"255.255.255.255", true, false}, {"192.0.2.1", true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint32_t ip = ntohl(inet_addr(table[i].ip));
        if (address_is_private(ip) != table[i].private ||
            address_is_metadata(ip) != table[i].metadata)
            fail_msg("%s", table[i].ip);
    }
}

static void test_cgroups(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned want;
    } table[] = {
        {"/", CGROUP_HOST},
        {"", CGROUP_HOST},
        {"/system.slice/ssh.service", CGROUP_HOST},
        {"/user.slice/user-1000.slice/session-1.scope", CGROUP_HOST},
        {"/system.slice/docker-0123456789ab.scope", CGROUP_DOCKER},
        {"/system.slice/docker-0123456789ab.scope/init", CGROUP_DOCKER},
        {"/docker/0123456789ab", CGROUP_DOCKER},
        {"/docker/abcdef", CGROUP_DOCKER},
        {"/docker/abcde", CGROUP_HOST},
        {"/docker/ABCDEF", CGROUP_HOST},
        {"/docker", CGROUP_HOST},
        {"/docker/buildkit/0123456789ab", CGROUP_DOCKER},
        {"/docker/buildkit", CGROUP_HOST},
        {"/system.slice/docker.service", CGROUP_DOCKER},
        {"/x/mydocker-0123456789ab.scope", CGROUP_HOST},
        {"/x/docker-0123456789ab.scope.d", CGROUP_HOST},
        {"/x/docker-0123_456.scope", CGROUP_HOST},
        {"/machine.slice/libpod-0123456789ab.scope", CGROUP_PODMAN},
        {"/libpod_parent/x", CGROUP_PODMAN},
        {"/machine.slice/libpod-conmon-0123456789ab.scope", CGROUP_HOST},
        {"/kubepods/burstable/pod1/abc", CGROUP_KUBERNETES},
        {"/kubepods.slice/x", CGROUP_KUBERNETES},
        {"/kubepods.slice", CGROUP_HOST},
        {"/kubelet.slice/kubelet-kubepods.slice/x", CGROUP_KUBERNETES},
        {"/user.slice/user-1000.slice/user@1000.service/x/libpod-0123456789ab.scope",
         CGROUP_ROOTLESS},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice", CGROUP_ROOTLESS},
        {"/user.slice/user-1000.slice/user@1000.service", CGROUP_HOST},
        {"/docker/0123456789ab/user@0.service/x", CGROUP_DOCKER | CGROUP_ROOTLESS},
        {"/kubepods/pod1/docker/0123456789ab", CGROUP_DOCKER | CGROUP_KUBERNETES},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (cgroup_classify(table[i].path) != table[i].want)
            fail_msg("%s: %x", table[i].path, cgroup_classify(table[i].path));
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CID    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void test_selectors(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org exe=/bin/a", "tls host=x.org exe=/bin/a", "allow 1"},
        {"x.org exe=/bin/a", "tls host=x.org exe=/bin/A", "deny"},
        {"x.org exe=/bin/*", "tls host=x.org exe=/bin/b/c", "allow 1"},
        {"x.org exe=\"/bin/*\"", "tls host=x.org exe=/bin/b", "deny"},
        {"x.org exe=\"/bin/*\"", "tls host=x.org exe=/bin/*", "allow 1"},
        {"x.org exe=`/bin/*`", "tls host=x.org exe=/bin/b", "allow 1"},
        {"x.org exe=/bin/a?", "tls host=x.org exe=/bin/ab", "deny"},
        {"x.org exe=/bin/a?", "tls host=x.org exe=/bin/a?", "allow 1"},
        {"x.org exe=/bin/a", "tls host=x.org", "deny unattributed"},
        {"x.org exe=/bin/a", "tls host=x.org nobody", "deny unattributed"},
        {"x.org exe=*", "tls host=x.org nobody", "deny unattributed"},
        {"x.org arg=--x", "tls host=x.org arg=a arg=--x", "allow 1"},
        {"x.org arg=a", "tls host=x.org arg=a arg=--x", "allow 1"},
        {"x.org arg=--y", "tls host=x.org arg=a arg=--x", "deny"},
        {"x.org arg=--y", "tls host=x.org arg=a cut", "deny unattributed"},
        {"x.org arg=a", "tls host=x.org arg=a cut", "allow 1"},
        {"x.org arg=a arg=b", "tls host=x.org arg=b arg=a", "allow 1"},
        {"x.org arg=a arg=b", "tls host=x.org arg=b", "deny"},
        {"x.org arg[1]=a", "tls host=x.org arg=a arg=b", "deny"},
        {"x.org arg[1]=b", "tls host=x.org arg=a arg=b", "allow 1"},
        {"x.org arg[0]=a", "tls host=x.org arg=a arg=b", "allow 1"},
        {"x.org arg[2]=b", "tls host=x.org arg=a arg=b", "deny"},
        {"x.org arg[2]=b", "tls host=x.org arg=a arg=b cut", "deny unattributed"},
        {"x.org parent=/bin/p", "tls host=x.org parent=/bin/q parent=/bin/p", "allow 1"},
        {"x.org parent=/bin/p", "tls host=x.org parent=/bin/q", "deny"},
        {"x.org parent=/bin/p", "tls host=x.org", "deny unattributed"},
        {"x.org sha256=" DIGEST, "tls host=x.org sha256=" DIGEST, "allow 1"},
        {"x.org sha256=0123456789ABCDEF*", "tls host=x.org sha256=" DIGEST, "allow 1"},
        {"x.org sha256=" CID, "tls host=x.org sha256=" DIGEST, "deny"},
        {"x.org user=0", "tls host=x.org uid=0", "allow 1"},
        {"x.org user=0", "tls host=x.org uid=1", "deny"},
        {"x.org user=4294967295", "tls host=x.org uid=4294967295", "allow 1"},
        {"x.org user=root", "tls host=x.org user=root", "allow 1"},
        {"x.org user=root", "tls host=x.org uid=0", "deny"},
        {"x.org cgroup=/a/*", "tls host=x.org cgroup=/a/b/c", "allow 1"},
        {"x.org cgroup=@host", "tls host=x.org cgroup=/a/b/c", "allow 1"},
        {"x.org cgroup=@host", "tls host=x.org cgroup=/docker/0123456789ab", "deny"},
        {"x.org cgroup=@docker", "tls host=x.org cgroup=/docker/0123456789ab", "allow 1"},
        {"x.org cgroup=@podman", "tls host=x.org cgroup=/docker/0123456789ab", "deny"},
        {"x.org cgroup=@container", "tls host=x.org cgroup=/kubepods/x", "allow 1"},
        {"x.org cgroup=@container", "tls host=x.org cgroup=/u/user@1.service/docker/abcdef",
         "deny"},
        {"x.org cgroup=@rootless", "tls host=x.org cgroup=/u/user@1.service/docker/abcdef",
         "allow 1"},
        {"x.org cgroup=@host", "tls host=x.org cgroup=/u/user@1.service/docker/abcdef", "deny"},
        {"x.org cgroup=@host", "tls host=x.org", "deny unattributed"},
        {"x.org container=build", "tls host=x.org container=build", "allow 1"},
        {"x.org container=fedcba987654", "tls host=x.org cid=" CID, "allow 1"},
        {"x.org container=" CID, "tls host=x.org cid=" CID, "allow 1"},
        {"x.org container=fedcba98765", "tls host=x.org cid=" CID, "deny"},
        {"x.org container=fedcba9876543", "tls host=x.org cid=" CID, "deny"},
        /* By the cgroup path alone: another value may be the name. */
        {"x.org container=fedcba987654", "tls host=x.org cgid=" CID, "allow 1"},
        {"x.org container=" CID, "tls host=x.org cgid=" CID, "allow 1"},
        {"x.org container=build", "tls host=x.org cgid=" CID, "deny unattributed"},
        {"x.org | deny x.org container=build", "tls host=x.org cgid=" CID,
         "deny veto 2 unattributed"},
        {"x.org | deny x.org container=build", "tls host=x.org cid=" CID, "allow 1"},
        {"x.org exe=/bin/a container=fedcba987654",
         "tls host=x.org exe=/bin/a cgid=" CID " foreign", "deny unattributed"},
        {"x.org image=node:*", "tls host=x.org image=node:22", "allow 1"},
        {"x.org pod=ci/*", "tls host=x.org pod=ci/a", "allow 1"},
        {"x.org mntns=4026531840", "tls host=x.org mntns=4026531840", "allow 1"},
        {"x.org netns=1", "tls host=x.org netns=2", "deny"},
        {"x.org step=build", "tls host=x.org step=build", "allow 1"},
        {"x.org action=actions/*", "tls host=x.org action=actions/checkout", "allow 1"},
        {"x.org action=actions/* user=0", "tls host=x.org action=actions/checkout uid=1", "deny"},
        {"[exe=/bin/a] | x.org", "tls host=x.org exe=/bin/a", "allow 2"},
        {"[exe=/bin/a] | x.org", "tls host=x.org exe=/bin/b", "deny"},
        {"[exe=/bin/a] | x.org exe=/bin/b", "tls host=x.org exe=/bin/b", "allow 2"},
        {"[exe=/bin/a user=0] | x.org exe=/bin/b", "tls host=x.org exe=/bin/b uid=1", "deny"},
        {"[exe=/bin/a] | [user=0] | x.org", "tls host=x.org exe=/bin/b uid=0", "allow 3"},
        {"[arg=a] | x.org arg=b", "tls host=x.org arg=b", "allow 2"},
        {"[arg=a] | x.org arg[0]=b", "tls host=x.org arg=b", "deny"},
        {"[exe=/bin/a] | [] | x.org", "tls host=x.org exe=/bin/b", "allow 3"},
    };
    ask(table, ARRAY_SIZE(table));
}

/* A process that may have arranged its own file tree is believed only what an engine vouches. */
static void test_foreign(void **state)
{
    (void)state;
    static const struct question table[] = {
        {"x.org exe=/bin/a", "tls host=x.org exe=/bin/a foreign", "deny unattributed"},
        {"x.org parent=/bin/a", "tls host=x.org parent=/bin/a foreign", "deny unattributed"},
        {"x.org sha256=" DIGEST, "tls host=x.org sha256=" DIGEST " foreign", "deny unattributed"},
        {"x.org user=0", "tls host=x.org uid=0 foreign", "allow 1"},
        {"x.org", "tls host=x.org foreign", "allow 1"},
        {"x.org exe=/bin/a container=b", "tls host=x.org exe=/bin/a container=b foreign",
         "allow 1"},
        {"x.org exe=/bin/a container=b", "tls host=x.org exe=/bin/c container=b foreign", "deny"},
        {"x.org exe=/bin/a container=c", "tls host=x.org exe=/bin/a container=b foreign", "deny"},
        {"x.org exe=/bin/a image=i", "tls host=x.org exe=/bin/a image=i foreign", "allow 1"},
        {"x.org exe=/bin/a pod=n/p", "tls host=x.org exe=/bin/a pod=n/p foreign", "allow 1"},
        {"x.org exe=/bin/a mntns=5", "tls host=x.org exe=/bin/a mntns=5 foreign",
         "deny unattributed"},
        {"x.org exe=/bin/a mntns=5", "tls host=x.org exe=/bin/a mntns=5 container=b foreign",
         "allow 1"},
        {"x.org exe=/bin/a cgroup=@docker",
         "tls host=x.org exe=/bin/a cgroup=/docker/abcdef container=b foreign", "allow 1"},
        {"x.org exe=/bin/a cgroup=/docker/abcdef",
         "tls host=x.org exe=/bin/a cgroup=/docker/abcdef container=b foreign", "allow 1"},
        {"x.org exe=/bin/a cgroup=@docker",
         "tls host=x.org exe=/bin/a cgroup=/docker/abcdef foreign", "deny unattributed"},
        {"x.org exe=/bin/a cgroup=@host", "tls host=x.org exe=/bin/a cgroup=/a container=b foreign",
         "deny unattributed"},
        {"x.org exe=/bin/a cgroup=*",
         "tls host=x.org exe=/bin/a cgroup=/docker/abcdef container=b foreign",
         "deny unattributed"},
        {"x.org exe=/bin/a netns=5", "tls host=x.org exe=/bin/a netns=5 container=b foreign",
         "deny unattributed"},
        {"x.org | deny x.org exe=/bin/c", "tls host=x.org exe=/bin/a foreign",
         "deny veto 2 unattributed"},
        {"x.org | deny x.org exe=/bin/c container=b",
         "tls host=x.org exe=/bin/a container=b foreign", "allow 1"},
        {"x.org | deny x.org exe=/bin/c container=d",
         "tls host=x.org exe=/bin/c container=b foreign", "allow 1"},
    };
    ask(table, ARRAY_SIZE(table));
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        unsigned want;
    } table[] = {
        {"", 0},
        {"x.org", 0},
        {"x.org exe=/a", FACT_EXE},
        {"x.org exe=/a | deny y.org sha256=" CID, FACT_EXE | FACT_SHA256},
        {"[sha256=" CID "] | x.org | y.org user=root", FACT_SHA256 | FACT_USER},
        {"[sha256=" CID "] | [] | x.org", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%s", table[i].policy);
        lines_split(text);
        struct policy *p = parse_text(text, NULL);
        assert_int_equal(policy_facts(p), table[i].want);
        policy_unref(p);
    }
}

static void test_may_allow_port(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        uint16_t port;
        bool want;
    } table[] = {
        {"x.org", 443, true},           {"x.org", 80, false},         {"http://x.org/", 80, true},
        {"http://x.org:81/", 81, true}, {"x.org:1-5", 5, true},       {"x.org:1-5", 6, false},
        {"x.org:63-129", 62, false},    {"x.org:63-129", 63, true},   {"x.org:63-129", 128, true},
        {"x.org:63-129", 129, true},    {"x.org:63-129", 130, false}, {"x.org:*", 65535, true},
        {"dns:x.org", 443, false},      {"deny x.org", 443, false},   {"8.8.8.8:53/udp", 53, true},
        {"x.org:53/udp", 53, false},    {"x.org exe=/a", 443, true},  {"", 443, false},
        {"x.org:65535", 65535, true},   {"x.org:1|65535", 1, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct policy *p = parse_text(table[i].policy, NULL);
        assert_non_null(p);
        if (policy_may_allow_port(p, table[i].port) != table[i].want)
            fail_msg("%s: %u", table[i].policy, table[i].port);
        policy_unref(p);
    }
}

/* What `check --dump-rules` prints. */
static void test_rule_fields(void **state)
{
    (void)state;
    struct policy *p = parse_text("[https://API.github.com/v1 exe=/a]\n  /Repos/*  # c\r\n"
                                  "deny GitHub.com:22|80-90/tcp\n[]\n10.1.2.3/8:*/udp",
                                  NULL);
    assert_non_null(p);
    assert_int_equal(policy_rule_count(p), 3);
    const struct rule *r = policy_rule(p, 0);
    assert_string_equal(r->text, "/Repos/*");
    assert_string_equal(r->target, "/Repos/*");
    assert_string_equal(r->base, "https://API.github.com/v1");
    assert_string_equal(r->path, "/v1/Repos/*");
    assert_string_equal(target_type_name(r->type), "path");
    assert_int_equal(r->line, 2);
    assert_int_equal(r->column, 3);
    assert_int_equal(r->methods, METHOD_GET | METHOD_HEAD);
    assert_int_equal(r->n_selectors, 1);
    r = policy_rule(p, 1);
    assert_string_equal(r->text, "deny GitHub.com:22|80-90/tcp");
    assert_string_equal(r->target, "GitHub.com");
    assert_int_equal(r->action, RULE_DENY);
    assert_int_equal(r->ports.n, 2);
    assert_int_equal(r->ports.ranges[1].high, 90);
    r = policy_rule(p, 2);
    assert_string_equal(r->target, "10.1.2.3/8");
    assert_int_equal(r->ip, 10u << 24);
    assert_true(r->ports.any);
    assert_int_equal(r->protos, RULE_UDP);
    assert_ptr_equal(policy_ref(p), p);
    policy_unref(p);
    policy_unref(p);
    policy_unref(NULL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_names),         REPORT("-", test_name_lengths),
        REPORT("-", test_address_kinds), REPORT("-", test_cgroups),
        REPORT("-", test_selectors),     REPORT("-", test_foreign),
        REPORT("-", test_facts),         REPORT("-", test_may_allow_port),
        REPORT("-", test_rule_fields),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
