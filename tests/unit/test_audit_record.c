/* SPDX-License-Identifier: MIT
 * A record as bytes between roles, and as a line. */
#include "unit/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "audit/record_fields.h"

static const struct record denied = {
    .ts_us = UINT64_C(1795343446456123),
    .event = RECORD_CONNECT,
    .type = RECORD_HTTPS,
    .conn = 9,
    .policy = RECORD_POLICY_DENY,
    .outcome = RECORD_DENIED,
    .reason = {"no-rule", 7},
    .proto = {"tcp", 3},
    .has_src = true,
    .src_ip = 0xac110002,
    .src_port = 54321,
    .has_dst = true,
    .dst_ip = 0x5db8d822,
    .dst_port = 443,
    .dialed_ip = 0x5db8d822,
    .host = {"attacker.example", 16},
    .name_from = RECORD_NAME_SNI,
    .process = {.pid = 4521, .exec_id = 3, .start_ns = 912837465},
};

#define ID "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c"

static const char *const node_args[] = {"node", "postinstall.js", "--token", "abc"};
static const struct process_ancestor node_ancestors[] = {{1200, "/usr/bin/npm"}, {1, NULL}};
static const struct process node = {
    .key = {.pid = 4521, .exec_id = 3, .start_ns = 912837465},
    .known = FACT_EXE | FACT_USER,
    .ns_pid = 7,
    .uid = 0,
    .user = "root",
    .mntns = 4026532001,
    .netns = 4026532002,
    .exe = "/usr/bin/node",
    .cwd = "/app",
    .cgroup = "/system.slice/docker-" ID ".scope",
    .args = node_args,
    .n_args = ARRAY_SIZE(node_args),
    .ancestors = node_ancestors,
    .n_ancestors = ARRAY_SIZE(node_ancestors),
};

static char *line_of(const struct record *r, const struct process *p, enum log_args args,
                     struct buffer *out)
{
    struct record_line line = {.seq = 17, .process = p, .args = args, .prev = "00"};
    CLEANUP_BUFFER struct buffer told = {0}, again = {0};
    buffer_clear(out);
    record_json(r, &line, out);
    assert_false(buffer_failed(out));
    if (p) { /* the same where the process was told of before */
        record_process_json(p, args, &told);
        line.told = &told;
        record_json(r, &line, &again);
        assert_string_equal(again.data, out->data);
    }
    return out->data;
}

#define HEAD                                                                                       \
    "{\"ts\":\"2026-11-22T10:30:46.456123Z\",\"seq\":17,\"event\":\"connect\",\"type\":\"https\"," \
    "\"conn\":9,\"policy\":\"deny\",\"outcome\":\"denied\",\"reason\":\"no-rule\","                \
    "\"proto\":\"tcp\",\"src_ip\":\"172.17.0.2\",\"src_port\":54321,"                              \
    "\"dst_ip\":\"93.184.216.34\",\"dst_port\":443,\"host\":\"attacker.example\","                 \
    "\"name_from\":\"sni\",\"pid\":4521,\"start_ns\":912837465"

static void test_record_line(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer b = {0};
    assert_string_equal(line_of(&denied, NULL, LOG_ARGS_REDACTED, &b), HEAD);
    assert_string_equal(line_of(&denied, &node, LOG_ARGS_REDACTED, &b), HEAD
                        ",\"ns_pid\":7,\"exe\":\"/usr/bin/node\","
                        "\"cmdline\":[\"node\",\"postinstall.js\",\"--token\",\"***\"],"
                        "\"cmdline_redacted\":[3],\"cwd\":\"/app\",\"user\":\"root\",\"uid\":0,"
                        "\"ancestors\":[{\"pid\":1200,\"exe\":\"/usr/bin/npm\"},{\"pid\":1}],"
                        "\"cgroup\":\"/system.slice/docker-" ID ".scope\",\"mntns\":4026532001,"
                        "\"netns\":4026532002,\"container_id\":\"" ID "\"");
    assert_non_null(strstr(line_of(&denied, &node, LOG_ARGS_FULL, &b), "\"--token\",\"abc\"]"));
    assert_null(strstr(line_of(&denied, &node, LOG_ARGS_NONE, &b), "cmdline"));
}

/* One field set, one piece of the line. */
static void test_record_presence(void **state)
{
    (void)state;
    struct record answers = {.n_answers = 2, .answers = {{0x01020304, 60}, {0x7f000001, 0}}};
    const struct {
        struct record r;
        const char *has, *lacks;
    } cases[] = {
        {{.count = 1}, "connect", "count"},
        {{.count = 2}, "\"count\":2", "conn\""},
        {{.has_opened = true}, "\"opened\":false", "passthrough"},
        {{.opened = true}, "connect", "opened"},
        {{.has_totals = true}, "\"bytes_up\":0,\"bytes_down\":0,\"duration_ms\":0", "error"},
        {{.bytes_up = 3}, "connect", "bytes_up"},
        {{.has_stop_totals = true}, "\"allowed\":0,\"denied\":0,\"records\":0", "hash"},
        {{.has_dst = true, .dst_ip = 1, .dialed_ip = 2}, "\"dialed_ip\":\"0.0.0.2\"", "src_ip"},
        {{.has_dst = true, .dst_ip = 1, .dst_ip6 = {"::1", 3}}, "\"dst_ip\":\"0.0.0.1\"", "::1"},
        {{.dst_ip6 = {"::1", 3}, .dst_port = 5}, "\"dst_ip\":\"::1\",\"dst_port\":5", "0.0.0.0"},
        {{.event = RECORD_START}, "\"schema\":1,\"prev\":\"00\"", "type"},
        {{.event = RECORD_STOP}, "\"event\":\"stop\"", "schema"},
        {{.websocket = true, .private = true}, "\"websocket\":true,\"private\":true", "insecure"},
        {{.ts_us = UINT64_MAX}, "\"ts\":\"9999-12-31T23:59:59.999999Z\"", "conn\""},
        {{.host = {"", 0}}, "\"host\":\"\"", "name_from"},
        {{.host = {"a\0\"\n", 4}}, "\"host\":\"a\\u0000\\\"\\n\"", "host_raw"},
        {{.host = {"\xfe", 1}}, "\"host_raw\":\"/g==\"", "name_from"},
        {answers, "[{\"ip\":\"1.2.3.4\",\"ttl\":60},{\"ip\":\"127.0.0.1\",\"ttl\":0}]", "host"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        const char *line = line_of(&cases[i].r, NULL, LOG_ARGS_REDACTED, &b);
        assert_non_null(strstr(line, cases[i].has));
        assert_null(strstr(line, cases[i].lacks));
        buffer_add_char(&b, '}');
        json_t *json = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        json_decref(json);
    }
}

static void test_record_container_id(void **state)
{
    (void)state;
    static const struct {
        const char *cgroup;
        bool found;
    } cases[] = {
        {"/docker/" ID, true},
        {"/docker/" ID "/init", true},
        {"/system.slice/docker-" ID ".scope", true},
        {"/machine.slice/libpod-" ID ".scope/container", true},
        {"/libpod_parent/libpod-" ID, true},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-pod1.slice/cri-containerd-" ID
         ".scope",
         true},
        {"/kubepods/besteffort/pod1/" ID, true},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", false},
        {"/machine.slice/libpod-conmon-" ID ".scope", false},
        {"/" ID, false},
        {"/system.slice/docker.service", false},
        {"/docker/" ID "0", false},
        {"/docker/abc", false},
        {"/system.slice/docker-.scope", false},
        {"", false},
        {"/", false},
        {"////docker//x", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        const struct process p = {.cgroup = cases[i].cgroup};
        const char *line = line_of(&denied, &p, LOG_ARGS_REDACTED, &b);
        assert_int_equal(strstr(line, "\"container_id\":\"" ID "\"") != NULL, cases[i].found);
    }
}

/* Bytes that are not UTF-8, and a secret beside them: base64 holds the redacted form too. */
static void test_record_args_raw(void **state)
{
    (void)state;
    static const char *const args[] = {"a\xff", "--token=\xfe"};
    const struct process p = {.args = args, .n_args = 2, .flags = PROCESS_ARGS_CUT};
    CLEANUP_BUFFER struct buffer b = {0};
    assert_non_null(strstr(line_of(&denied, &p, LOG_ARGS_REDACTED, &b),
                           ",\"cmdline\":[\"a\xef\xbf\xbd\",\"--token=***\"],"
                           "\"cmdline_raw\":[\"Yf8=\",\"LS10b2tlbj0qKio=\"],"
                           "\"cmdline_truncated\":true,\"cmdline_redacted\":[1]"));
}

static void test_record_round_trip(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer packed = {0}, again = {0}, a = {0}, b = {0};
    struct record full = denied, out;
    full.n_answers = RECORD_ANSWERS_MAX;
    for (uint32_t i = 0; i < RECORD_ANSWERS_MAX; i++)
        full.answers[i] = (struct record_answer){i, 300 * i};
    full.has_totals = true;
    full.bytes_up = UINT64_MAX;
    full.rule = (struct text){"", 0};
    record_pack(&full, &packed);
    assert_true(packed.len <= RECORD_PACK_MAX);
    assert_int_equal(record_unpack(packed.data, packed.len, &out), 0);
    record_pack(&out, &again);
    assert_int_equal(again.len, packed.len);
    assert_memory_equal(again.data, packed.data, packed.len);
    assert_string_equal(line_of(&full, NULL, 0, &a), line_of(&out, NULL, 0, &b));
    assert_int_equal(out.process.exec_id, 3);
    assert_non_null(out.rule.data);
    assert_null(out.detail.data);
    /* Every truncation is refused or a record that says less: never one that says something else.
     */
    for (size_t len = 0; len < packed.len; len++) {
        char *exact = malloc(len + !len);
        assert_non_null(exact);
        memcpy(exact, packed.data, len);
        if (record_unpack(exact, len, &out) == 0) {
            buffer_clear(&again);
            record_pack(&out, &again);
            assert_int_equal(again.len, len);
        }
        free(exact);
    }
}

static void test_record_cut_to_fit(void **state)
{
    (void)state;
    char *big = malloc(70000);
    assert_non_null(big);
    for (size_t i = 0; i < 70000; i++)
        big[i] = "\xe2\x82\xac"[i % 3];
    struct record r = {.url = {big, 69999}, .host = {big, 69999}, .reason = {"no-rule", 7}}, out;
    CLEANUP_BUFFER struct buffer packed = {0}, line = {0};
    record_pack(&r, &packed);
    assert_true(packed.len <= RECORD_PACK_MAX);
    assert_int_equal(record_unpack(packed.data, packed.len, &out), 0);
    assert_true(out.url.len > 3000 && out.host.len > 3000 && out.url.len % 3 == 0);
    assert_int_equal(out.reason.len, 7);
    assert_null(strstr(line_of(&out, NULL, 0, &line), "_raw"));
    free(big);
}

static void test_record_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x00", 1},                                          /* half a head */
        {"\xff\x00\x00", 3},                                  /* no such field */
        {"\x01\x04\x00\x63\x00\x00\x00", 7},                  /* no such event */
        {"\x01\x04\x00\x00\x00\x00\x00", 7},                  /* what is absent is not sent */
        {"\x01\x03\x00\x01\x00\x00", 6},                      /* of another size */
        {"\x06\x05\x00\x61\x62", 5},                          /* longer than the rest */
        {"\x06\x01\x00\x61\x06\x01\x00\x61", 8},              /* twice */
        {"\x06\x01\x00\x61\x01\x04\x00\x01\x00\x00\x00", 11}, /* out of order */
        {"\x0a\x01\x00\x02", 4},                              /* a bool is 1 */
        {"\x00\x08\x00\xff\xff\xff\xff\xff\xff\xff\xff", 11}, /* no such time */
    };
    struct record out;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(record_unpack(cases[i].bytes, cases[i].len, &out), -EBADMSG);
    assert_int_equal(record_unpack(NULL, 0, &out), 0);
    char *huge = calloc(1, RECORD_PACK_MAX + 1);
    assert_int_equal(record_unpack(huge, RECORD_PACK_MAX + 1, &out), -EBADMSG);
    free(huge);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_record_line),         REPORT("-", test_record_presence),
        REPORT("-", test_record_container_id), REPORT("-", test_record_args_raw),
        REPORT("-", test_record_round_trip),   REPORT("-", test_record_cut_to_fit),
        REPORT("-", test_record_refused),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
