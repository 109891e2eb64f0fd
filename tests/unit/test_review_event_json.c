/* SPDX-License-Identifier: MIT
 * Lines of JSON and the events that they are: one line in, one description out; what is wrong is
 * told by a sentence; and what earlier lines resolved is known to later ones, for as long as it
 * counts. */
#include "unit/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "review/event_json.h"
#include "review/event_time.h"

static const char *const stage_names[] = {"address", "tls", "request", "dns", "other"};
static const char *const proto_names[] = {"tcp", "udp", "other"};

static void put_process(struct buffer *out, const struct event_process *p)
{
    const struct {
        unsigned fact;
        const char *name, *text;
    } texts[] = {
        {FACT_EXE, "exe", p->exe},
        {FACT_SHA256, "sha256", p->sha256},
        {FACT_CGROUP, "cgroup", p->cgroup},
        {FACT_CONTAINER, "cid", p->container_id},
        {FACT_CONTAINER_ID, "cgid", p->container_id},
        {FACT_CONTAINER, "container", p->container_name},
        {FACT_IMAGE, "image", p->image},
        {FACT_POD, "pod", p->pod},
        {FACT_STEP, "step", p->step},
        {FACT_ACTION, "action", p->action},
        {FACT_USER, "user", p->user},
    };
    buffer_add_string(out, " by");
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (p->known & texts[i].fact)
            buffer_printf(out, " %s=%s", texts[i].name, texts[i].text ? texts[i].text : "-");
    if (p->known & FACT_USER)
        buffer_printf(out, " uid=%d", (int)p->uid);
    for (size_t i = 0; i < p->n_args; i++)
        buffer_printf(out, " arg=%s", p->args[i]);
    for (size_t i = 0; i < p->n_parents; i++)
        buffer_printf(out, " parent=%s", p->parents[i]);
    buffer_printf(out, "%s%s%s%s", p->known & FACT_ARGS ? " args" : "", p->args_cut ? " cut" : "",
                  p->known & FACT_PARENTS ? " chain" : "", p->foreign ? " foreign" : "");
    if (p->known & FACT_MNTNS)
        buffer_printf(out, " mntns=%u", p->mntns);
    if (p->known & FACT_NETNS)
        buffer_printf(out, " netns=%u", p->netns);
}

static void put_event(struct buffer *out, const struct event *e)
{
    buffer_printf(out, "%s %s", stage_names[e->stage], proto_names[e->proto]);
    if (e->has_dst)
        buffer_printf(out, " %u.%u.%u.%u", e->dst_ip >> 24, e->dst_ip >> 16 & 255,
                      e->dst_ip >> 8 & 255, e->dst_ip & 255);
    buffer_printf(out, ":%u", e->dst_port);
    if (e->host)
        buffer_printf(out, " host=%s", e->host);
    for (size_t i = 0; i < e->n_names; i++)
        buffer_printf(out, " seen=%s", e->names[i]);
    if (e->stage == EVENT_REQUEST)
        buffer_printf(out, " %s %s %s", e->method, e->https ? "https" : "http", e->path);
    buffer_printf(out, "%s%s%s", e->unknown_bytes ? " unknown" : "", e->http ? " http" : "",
                  e->resolver_is_self ? " self" : "");
    if (e->process)
        put_process(out, e->process);
}

/* What the last of the lines is; ` | ` parts them. */
static void describe(const char *lines, struct buffer *out)
{
    struct event_reader *reader = event_reader_new(EVENT_READER_NAMES);
    const struct event *e = NULL;
    struct error error = {0};
    int result = 0;
    assert_non_null(reader);
    while (lines) {
        const char *bar = strstr(lines, " | ");
        size_t len = bar ? (size_t)(bar - lines) : strlen(lines);
        result = event_reader_line(reader, lines, len, &e, &error);
        lines = bar ? bar + 3 : NULL;
    }
    buffer_clear(out);
    buffer_add_string(out, "");
    if (result < 0)
        buffer_printf(out, "error: %s", error.text);
    else if (result == 0)
        buffer_add_string(out, "nothing");
    else
        put_event(out, e);
    event_reader_free(reader);
}

struct row {
    const char *lines, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
    CLEANUP_BUFFER struct buffer got = {0};
    for (size_t i = 0; i < n; i++) {
        describe(rows[i].lines, &got);
        if (strcmp(got.data, rows[i].want) != 0)
            fail_msg("%s\n  want: %s\n   got: %s", rows[i].lines, rows[i].want, got.data);
    }
}

static void short_events(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"type\":\"https\",\"host\":\"GitHub.com.\"}", "tls tcp:443 host=github.com"},
        {"{\"type\":\"https\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":8443}", "tls tcp 1.2.3.4:8443"},
        {"{\"type\":\"https\",\"host\":\"1.2.3.4\"}", "tls tcp:443 host=1.2.3.4"},
        {"{\"type\":\"https\",\"host\":\"b\\u00fccher.example\"}",
         "tls tcp:443 host=xn--bcher-kva.example"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":22}", "address tcp 1.2.3.4:22"},
        {"{\"type\":\"tcp\",\"host\":\"a.org\",\"dst_port\":22}", "address tcp:22 host=a.org"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":80,\"first_bytes\":\"unknown\"}",
         "address tcp 1.2.3.4:80 unknown"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":80,\"first_bytes\":\"ssh\"}",
         "address tcp 1.2.3.4:80"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":80,\"first_bytes\":\"h2c\"}",
         "address tcp 1.2.3.4:80 http"},
        {"{\"type\":\"http\",\"host\":\"a.org\"}", "address tcp:80 host=a.org http"},
        {"{\"type\":\"udp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":123}", "address udp 1.2.3.4:123"},
        {"{\"type\":\"udp\",\"dst_ip\":\"::ffff:1.2.3.4\",\"dst_port\":123}",
         "address udp 1.2.3.4:123"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"2001:db8::1\",\"dst_port\":443}", "other other:443"},
        {"{\"type\":\"ipv6\",\"dst_ip\":\"2001:db8::1\",\"dst_port\":443}", "other other:443"},
        {"{\"type\":\"icmp\",\"dst_ip\":\"1.2.3.4\"}", "other other 1.2.3.4:0"},
        {"{\"type\":\"socket\"}", "other other:0"},
        {"{\"type\":\"dns\",\"name\":\"A.org\",\"resolver\":\"self\"}",
         "dns udp:53 host=a.org self"},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"resolver\":\"8.8.8.8\",\"proto\":\"tcp\"}",
         "dns tcp 8.8.8.8:53 host=a.org"},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"dst_ip\":\"8.8.8.8\",\"dst_port\":5353}",
         "dns udp 8.8.8.8:5353 host=a.org"},
        {"{\"event\":\"query\",\"name\":\"a.\\\\000b.org\",\"resolver\":\"self\"}",
         "dns udp:53 self"},
        {" \t ", "nothing"},
        {"", "nothing"},
        {"{\"type\":\"https\",\"host\":\"a.org\",\"comment\":[1,{\"x\":null}]}",
         "tls tcp:443 host=a.org"},
        {"{\"type\":\"https\",\"host\":\"a.org\",\"dst_ip\":null}", "tls tcp:443 host=a.org"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void requests(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"url\":\"https://a.org/b/c\"}", "request tcp:443 host=a.org GET https /b/c"},
        {"{\"url\":\"HTTP://A.org\"}", "request tcp:80 host=a.org GET http /"},
        {"{\"url\":\"http://a.org:8080?x=/y\"}", "request tcp:8080 host=a.org GET http /"},
        {"{\"url\":\"https://a.org/x?y#z\",\"method\":\"post\"}",
         "request tcp:443 host=a.org post https /x"},
        {"{\"url\":\"https://a.org#/x\"}", "request tcp:443 host=a.org GET https /"},
        {"{\"url\":\"https://1.2.3.4/%2e%2E/\"}",
         "request tcp:443 host=1.2.3.4 GET https /%2e%2E/"},
        {"{\"event\":\"request\",\"type\":\"https\",\"url\":\"https://a.org/\",\"dst_ip\":"
         "\"1.2.3.4\",\"dst_port\":8443,\"host\":\"a.org\",\"name_from\":\"request\"}",
         "request tcp 1.2.3.4:8443 host=a.org GET https /"},
        {"{\"url\":\"https://[::1]:8443/x\"}", "other other:443"},
        {"{\"url\":\"ftp://a.org/\"}", "error: 'url' does not begin with http:// or https://"},
        {"{\"url\":\"//a.org/\"}", "error: 'url' does not begin with http:// or https://"},
        {"{\"url\":\"https:///x\"}", "error: 'url' has no host"},
        {"{\"url\":\"https://a.org:/x\"}", "error: 'url' has a port that is not within 1 to 65535"},
        {"{\"url\":\"https://a.org:65536/\"}",
         "error: 'url' has a port that is not within 1 to 65535"},
        {"{\"url\":\"https://a.org:x/\"}", "error: 'url' has a port that is no number"},
        {"{\"url\":\"https://u:p@a.org/\"}", "error: 'url' has a user in it; leave that out"},
        {"{\"url\":\"https://[::1/\"}", "error: 'url' has an address without its ]"},
        {"{\"url\":\"https://a_/x\"}", "error: 'url' holds what is no name"},
        {"{\"url\":1}", "error: 'url' is no text; write a string"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

#define LOGGED "\"ts\":\"2026-11-22T10:30:46.5Z\",\"seq\":3,\"conn\":2,\"policy\":\"deny\","

static void records(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{" LOGGED "\"event\":\"connect\",\"type\":\"https\",\"proto\":\"tcp\",\"src_ip\":"
         "\"10.0.0.2\",\"src_port\":4,\"dst_ip\":\"1.2.3.4\",\"dst_port\":443,\"host\":\"a.org\","
         "\"name_from\":\"sni\",\"opened\":false,\"pid\":7,\"start_ns\":9,\"hash\":\"00\"}",
         "tls tcp 1.2.3.4:443 host=a.org by"},
        {"{" LOGGED "\"event\":\"connect\",\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":80,"
         "\"host\":\"a.org\",\"name_from\":\"dns\"}",
         "address tcp 1.2.3.4:80 seen=a.org"},
        {"{" LOGGED "\"event\":\"connect\",\"type\":\"https\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":"
         "443,\"host\":\"a.org\",\"name_from\":\"dns\"}",
         "tls tcp 1.2.3.4:443 seen=a.org"},
        {"{" LOGGED "\"event\":\"datagram\",\"type\":\"udp\",\"proto\":\"udp\",\"dst_ip\":"
         "\"1.2.3.4\",\"dst_port\":7}",
         "address udp 1.2.3.4:7"},
        {"{" LOGGED "\"event\":\"datagram\",\"type\":\"socket\",\"proto\":\"132\",\"dst_ip\":"
         "\"1.2.3.4\"}",
         "other other 1.2.3.4:0"},
        {"{" LOGGED "\"event\":\"query\",\"type\":\"dns\",\"proto\":\"udp\",\"dst_ip\":\"8.8.8.8\","
         "\"dst_port\":53,\"name\":\"a.org\",\"qtype\":\"A\",\"resolver\":\"8.8.8.8\"}",
         "dns udp 8.8.8.8:53 host=a.org"},
        {"{" LOGGED "\"event\":\"query\",\"type\":\"dns\",\"proto\":\"udp\",\"dst_ip\":"
         "\"127.0.0.53\",\"dst_port\":53,\"resolver\":\"self\",\"reason\":\"malformed\"}",
         "dns udp 127.0.0.53:53 self"},
        {"{" LOGGED "\"event\":\"close\",\"type\":\"tcp\",\"bytes_up\":1}", "nothing"},
        {"{\"event\":\"stop\",\"allowed\":1}", "nothing"},
        {"{\"event\":\"reload\"}", "nothing"},
        {"{\"event\":\"gap\"}", "nothing"},
        {"{\"event\":\"trust\"}", "nothing"},
        {"{\"event\":\"sudo\",\"type\":\"sudo\"}", "nothing"},
        {"{\"event\":\"start\",\"run_id\":\"x\"}", "nothing"},
        {"{\"event\":\"answer\",\"type\":\"dns\",\"name\":\"a.org\",\"answers\":[]}", "nothing"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void processes(void **state)
{
    (void)state;
#define CID  "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define HERE "{\"type\":\"https\",\"host\":\"a.org\","
#define WANT "tls tcp:443 host=a.org"
    static const struct row rows[] = {
        {HERE "\"exe\":\"/bin/a\"}", WANT " by exe=/bin/a"},
        {HERE "\"pid\":1}", WANT " by"},
        {HERE "\"src_ip\":\"10.0.0.2\"}", WANT},
        {HERE "\"cmdline\":[\"a\",\"-x\"]}", WANT " by arg=a arg=-x args"},
        {HERE "\"cmdline\":[],\"cmdline_truncated\":true}", WANT " by args cut"},
        {HERE "\"uid\":0,\"user\":\"root\"}", WANT " by user=root uid=0"},
        {HERE "\"uid\":7}", WANT " by user=- uid=7"},
        {HERE "\"user\":\"me\"}", WANT " by user=me uid=-1"},
        {HERE "\"cgroup\":\"/a\",\"mntns\":3,\"netns\":4}", WANT " by cgroup=/a mntns=3 netns=4"},
        {HERE "\"container_name\":\"web\",\"image\":\"node:22\",\"pod\":\"a/b\"}",
         WANT " by cid=- container=web image=node:22 pod=a/b"},
        {HERE "\"container_name\":null}", WANT " by cid=- container=-"},
        {HERE "\"container_id\":\"" CID "\"}", WANT " by cgid=" CID},
        {HERE "\"container_id\":\"" CID "\",\"container_name\":\"web\"}",
         WANT " by cid=" CID " cgid=" CID " container=web"},
        {HERE "\"cgroup\":\"/docker/" CID "\"}", WANT " by cgroup=/docker/" CID " cgid=" CID},
        {HERE "\"cgroup\":\"/docker/" CID "\",\"container_id\":null}",
         WANT " by cgroup=/docker/" CID " cgid=-"},
        {HERE "\"cgroup\":\"/user@1.service/docker-" CID ".scope\"}",
         WANT " by cgroup=/user@1.service/docker-" CID ".scope"},
        {HERE "\"step\":\"build\",\"action\":null,\"sha256\":\"ab\"}",
         WANT " by sha256=ab step=build action=-"},
        {HERE "\"ancestors\":[{\"pid\":5,\"exe\":\"/b\"},{\"pid\":1,\"exe\":\"/c\"}]}",
         WANT " by parent=/b parent=/c chain"},
        {HERE "\"ancestors\":[{\"pid\":5,\"exe\":\"/b\"},{\"pid\":2,\"exe\":\"/c\"}]}",
         WANT " by parent=/b parent=/c"},
        {HERE "\"ancestors\":[{\"pid\":5},{\"pid\":1,\"exe\":\"/c\"}]}", WANT " by parent=/c"},
        {HERE "\"ancestors\":[{\"exe\":\"/b\"}]}", WANT " by parent=/b chain"},
        {HERE "\"ancestors\":[]}", WANT " by chain"},
        {HERE "\"exe\":\"/a\",\"uid\":1,\"unknown\":[\"exe\",\"uid\",\"new\"]}", WANT " by"},
        {HERE "\"foreign\":true}", WANT " by foreign"},
        {HERE "\"exe\":1}", "error: 'exe' is no text; write a string"},
        {HERE "\"exe\":\"/a\\u0000b\"}", "error: 'exe' is no text; write a string without a NUL"},
        {HERE "\"cmdline\":\"a\"}", "error: 'cmdline' is no list"},
        {HERE "\"cmdline\":[1]}", "error: 'cmdline' holds something that is no text"},
        {HERE "\"ancestors\":[\"/b\"]}",
         "error: 'ancestors' holds something that is no {\"pid\":…,\"exe\":…}"},
        {HERE "\"uid\":-1}", "error: 'uid' is no whole number up to 4294967295"},
        {HERE "\"uid\":1.0}", "error: 'uid' is no whole number up to 4294967295"},
        {HERE "\"pid\":\"1\"}", "error: 'pid' is no whole number up to 4294967295"},
        {HERE "\"foreign\":1}", "error: 'foreign' is neither true nor false"},
        {HERE "\"unknown\":[1]}", "error: 'unknown' holds something that is no text"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void errors(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{", "error: the line is no valid JSON (byte 1)"},
        {"{}x", "error: the line is no valid JSON (byte 3)"},
        {"[]", "error: the line is no JSON object"},
        {"{\"type\":\"tcp\",\"type\":\"udp\"}", "error: the same field stands twice (byte 20)"},
        {"{}", "error: the event has no 'type'; write tcp, http, https, dns or udp, or a 'url'"},
        {"{\"type\":\"quic\"}", "error: 'type' is none that is judged; write tcp, http, https, "
                                "dns, udp, icmp, ipv6 or socket"},
        {"{\"type\":7}", "error: 'type' is no text; write a string"},
        {"{\"event\":\"conect\"}", "error: 'event' is none that a log has"},
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\"}", "error: the event needs a 'dst_port'"},
        {"{\"type\":\"tcp\",\"dst_port\":22}", "error: the event needs a 'dst_ip' or a 'host'"},
        {"{\"type\":\"https\"}", "error: the event needs a 'dst_ip' or a 'host'"},
        {"{\"type\":\"https\",\"dst_ip\":\"1.2.3\"}", "error: 'dst_ip' is no address"},
        {"{\"type\":\"https\",\"dst_ip\":\"01.2.3.4\"}", "error: 'dst_ip' is no address"},
        {"{\"type\":\"https\",\"host\":\"a..org\"}", "error: 'host' holds what is no name"},
        {"{\"type\":\"https\",\"host\":\"\"}", "error: 'host' holds what is no name"},
        {"{\"type\":\"https\",\"host\":\"a.org\",\"dst_port\":65536}",
         "error: 'dst_port' is no whole number up to 65535"},
        {"{\"type\":\"https\",\"host\":\"a.org\",\"dialed_ip\":\"::1\"}",
         "error: 'dialed_ip' is no IPv4 address"},
        {"{\"type\":\"dns\",\"name\":\"a.org\"}",
         "error: a DNS query needs a 'resolver', an address or \"self\""},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"resolver\":\"me\"}",
         "error: 'resolver' is neither an IPv4 address nor \"self\""},
        {"{\"type\":\"dns_answer\",\"ips\":[]}", "error: a DNS answer needs a 'name'"},
        {"{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"x\"]}",
         "error: an answer holds something that is no address"},
        {"{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":\"1.2.3.4\"}",
         "error: 'ips' is no list"},
        {"{\"event\":\"answer\",\"name\":\"a.org\",\"answers\":[\"1.2.3.4\"]}",
         "error: 'answers' holds something that is no {\"ip\":…,\"ttl\":…}"},
        {"{\"ts\":\"yesterday\",\"type\":\"socket\"}",
         "error: 'ts' is no time; write it as 2026-11-22T10:30:46Z"},
        {"{\"ts\":1,\"type\":\"socket\"}", "error: 'ts' is no text; write a string"},
        /* A line with an error is not remembered. */
        {"{ | {\"type\":\"https\",\"host\":\"a.org\"}", "tls tcp:443 host=a.org"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void learnt_names(void **state)
{
    (void)state;
#define ANSWER   "{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"1.2.3.4\"],\"ttl\":300"
#define CONNECT  "{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":22"
#define AT(time) ",\"ts\":\"2026-11-22T" time "Z\"} | "
#define TO(time) ",\"ts\":\"2026-11-22T" time "Z\"}"
#define SEEN     "address tcp 1.2.3.4:22 seen=a.org"
#define UNSEEN   "address tcp 1.2.3.4:22"
    static const struct row rows[] = {
        {ANSWER "} | " CONNECT "}", SEEN},
        {"{\"type\":\"dns_answer\",\"name\":\"A.Org.\",\"ips\":[\"::1\",\"1.2.3.4\"]} | " CONNECT
         "}",
         SEEN},
        {"{\"event\":\"answer\",\"type\":\"dns\",\"name\":\"a.org\",\"answers\":[{\"ip\":"
         "\"9.9.9.9\",\"ttl\":1},{\"ip\":\"1.2.3.4\",\"ttl\":1}]} | " CONNECT "}",
         SEEN},
        {ANSWER "} | {\"type\":\"dns_answer\",\"name\":\"b.org\",\"ips\":[\"1.2.3.4\"]} | " CONNECT
                "}",
         "address tcp 1.2.3.4:22 seen=b.org seen=a.org"},
        /* At least an hour, at most a day, by the lines' own time. */
        {ANSWER AT("10:00:00") CONNECT TO("10:59:59"), SEEN},
        {ANSWER AT("10:00:00") CONNECT TO("11:00:00"), UNSEEN},
        {"{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"1.2.3.4\"],\"ttl\":4000000000,"
         "\"ts\":\"2026-11-22T10:00:00Z\"} | " CONNECT ",\"ts\":\"2026-11-23T09:59:59Z\"}",
         SEEN},
        {"{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"1.2.3.4\"],\"ttl\":4000000000,"
         "\"ts\":\"2026-11-22T10:00:00Z\"} | " CONNECT ",\"ts\":\"2026-11-23T10:00:00Z\"}",
         UNSEEN},
        /* Lines without a time come at the time of the line before; the first has any. */
        {ANSWER "} | " CONNECT TO("10:00:00"), SEEN},
        {ANSWER AT("10:00:00") CONNECT "}", SEEN},
        {ANSWER AT("10:00:00") "{\"event\":\"gap\",\"ts\":\"2026-11-22T11:30:00Z\"} | " CONNECT "}",
         UNSEEN},
        /* A clock that is set back makes nothing young again. */
        {ANSWER AT("10:00:00") CONNECT AT("11:00:00") CONNECT TO("09:00:00"), UNSEEN},
        {ANSWER AT("10:00:00") CONNECT ",\"ts\":\"2026-11-22T12:00:00+02:00\"}", SEEN},
        /* What was resolved belongs to one run; another file of it goes on. */
        {"{\"event\":\"start\",\"run_id\":\"r\"} | " ANSWER
         "} | {\"event\":\"start\",\"run_id\":\"r\"} | " CONNECT "}",
         SEEN},
        {"{\"event\":\"start\",\"run_id\":\"r\"} | " ANSWER
         "} | {\"event\":\"start\",\"run_id\":\"s\"} | " CONNECT "}",
         UNSEEN},
        {"{\"event\":\"start\",\"run_id\":\"r\",\"ts\":\"2026-11-22T10:00:00Z\"} | "
         "{\"event\":\"start\",\"run_id\":\"s\",\"ts\":\"2026-11-21T10:00:00Z\"} | "
         "{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"1.2.3.4\"]} | " CONNECT
         ",\"ts\":\"2026-11-21T11:00:00Z\"}",
         UNSEEN},
        /* What the filter said of a connection, it knew; and it dials elsewhere only where a name
         * was resolved to. */
        {"{\"type\":\"tcp\",\"dst_ip\":\"1.2.3.4\",\"dst_port\":80,\"host\":\"a.org\",\"name_from\""
         ":\"dns\"} | " CONNECT "}",
         SEEN},
        {"{\"type\":\"https\",\"dst_ip\":\"9.9.9.9\",\"host\":\"a.org\",\"name_from\":\"sni\","
         "\"dialed_ip\":\"1.2.3.4\"} | " CONNECT "}",
         SEEN},
        {"{\"type\":\"https\",\"dst_ip\":\"1.2.3.4\",\"host\":\"a.org\",\"name_from\":\"sni\"} "
         "| " CONNECT "}",
         UNSEEN},
        /* A name that is no host's teaches nothing. */
        {"{\"type\":\"dns_answer\",\"name\":\"a\\\\000.org\",\"ips\":[\"1.2.3.4\"]} | " CONNECT "}",
         UNSEEN},
        {ANSWER "} | {\"url\":\"https://1.2.3.4/x\"}",
         "request tcp:443 host=1.2.3.4 seen=a.org GET https /x"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; /* -1: no time */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T10:30:46.456123Z", 1795343446},
        {"2026-11-22t10:30:46z", 1795343446},
        {"2026-11-22 11:30:46+01:00", 1795343446},
        {"2026-11-22T09:00:46-01:30", 1795343446},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2026-11-22T10:30:46", -1},
        {"2026-11-22T10:30:46.Z", -1},
        {"2026-11-22T10:30:46ZZ", -1},
        {"2026-11-22T10:30Z", -1},
        {"2026-13-22T10:30:46Z", -1},
        {"2026-00-22T10:30:46Z", -1},
        {"2026-11-32T10:30:46Z", -1},
        {"2026-11-22T24:30:46Z", -1},
        {" 026-11-22T10:30:46Z", -1},
        {"+026-11-22T10:30:46Z", -1},
        {"2026-11-22T10:30:46+1:00", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t got = -1;
        int result = event_time_parse(rows[i].text, &got);
        if (result != (rows[i].want < 0 ? -22 : 0) || (result == 0 && got != rows[i].want))
            fail_msg("'%s': %d, %ld", rows[i].text, result, (long)got);
    }
}

/* Every beginning of a line ends at a page that may not be touched. */
static void truncations(void **state)
{
    (void)state;
    static const char line[] = "{\"ts\":\"2026-11-22T10:30:46Z\",\"event\":\"connect\",\"type\":"
                               "\"https\",\"host\":\"a.org\","
                               "\"dst_ip\":\"1.2.3.4\",\"exe\":\"/"
                               "a\",\"cmdline\":[\"\\u00e9\"],\"ancestors\":[{\"pid\":1}]}";
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), len = sizeof(line) - 1;
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct event_reader *reader = event_reader_new(64);
    assert_true(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0);
    assert_non_null(reader);
    for (size_t n = 0; n <= len; n++) {
        const struct event *e = NULL;
        struct error error = {0};
        char *at = memory + page - n;
        memcpy(at, line, n);
        int result = event_reader_line(reader, at, n, &e, &error);
        assert_int_equal(result, n == 0 ? 0 : n == len ? 1 : -EBADMSG);
    }
    event_reader_free(reader);
    munmap(memory, 2 * page);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", short_events), REPORT("-", requests),      REPORT("-", records),
        REPORT("-", processes),    REPORT("R09", errors),      REPORT("-", learnt_names),
        REPORT("-", times),        REPORT("R09", truncations),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
