/* SPDX-License-Identifier: MIT
 * `explain` as people call it: a policy, an event, and what must stand in the answer. */
#include "review/explain.h"
#include "unit/review_run.h"

static const char policy[] = "# who may\n"
                             "[exe=/usr/bin/node]\n"
                             "registry.npmjs.org\n"
                             "*.github.com\n"
                             "[]\n"
                             "https://api.github.com/repos/*/tags\n"
                             "10.0.0.0/8:22\n"
                             "github.com:22\n"
                             "db.corp.example\n"
                             "deny evil.github.com\n"
                             "deny *.pastebin.com exe=/usr/bin/curl\n"
                             "dns:internal.corp\n"
                             "8.8.8.8:53/udp\n"
                             "tool.example cgroup=@docker arg=install arg[0]=npm\n"
                             "meta.example private\n"
                             "plain.example:80\n"
                             "https://only.example/a/*\n";

static struct buffer out, err;

static void run(const char *words, const char *input)
{
    int code = review_run(explain_main, words, input, &out, &err);
    if (code != EXPLAIN_GOOD)
        fail_msg("%s: %d\n%s%s", words, code, out.data, err.data);
}

static void wants(const char *words, const char *text)
{
    if (!strstr(out.data, text))
        fail_msg("%s: there is no '%s' in\n%s", words, text, out.data);
}

static void says_which_rule_and_what_is_lacking(void **state)
{
    (void)state;
    static const struct {
        const char *event, *texts[4];
    } table[] = {
        {"https://registry.npmjs.org/x exe=/usr/bin/curl",
         {"denied: https://registry.npmjs.org/x by /usr/bin/curl\n  No rule allows it.\n",
          "    egress.rules:3: registry.npmjs.org\n"
          "      - the program is /usr/bin/curl, not /usr/bin/node\n"}},
        {"tls registry.npmjs.org exe=/usr/bin/node",
         {"allowed: tls registry.npmjs.org by /usr/bin/node\n",
          "    egress.rules:3: registry.npmjs.org\n"}},
        {"tls registry.npmjs.org",
         {"it depends on facts that are not known",
          "nothing is known of the process, so no allow line with exe=/usr/bin/node applies"}},
        {"tls registry.npmjs.org user=root",
         {"the program is not known, so no allow line with exe=/usr/bin/node applies"}},
        {"tls github.com exe=/usr/bin/node",
         {"egress.rules:8: github.com:22\n      - the port is 443, not 22\n",
          "*.github.com does not include github.com itself"}},
        {"tls www.plain.example:80", {"*.plain.example would"}},
        {"POST https://api.github.com/repos/a/b/tags exe=/x",
         {"the method is POST, not GET|HEAD", "the path is /repos/a/b/tags, not /repos/*/tags"}},
        {"https://api.github.com/%2e%2e/%2e%2e/tags exe=/x", {"climbs out or hides"}},
        {"tcp 10.1.2.3:443", {"egress.rules:7: 10.0.0.0/8:22\n      - the port is 443, not 22\n"}},
        {"udp 10.1.2.3:22", {"egress.rules:7", "the protocol is udp, not tcp"}},
        {"tcp 140.82.121.4:22", {"no name is known for the address, so no rule about github.com"}},
        {"https://db.corp.example/ at 10.2.3.4",
         {"A rule allows the name, but not where it lies:\n    egress.rules:9",
          "a private address, and the rule does not say `private`",
          "By the name db.corp.example: allowed by egress.rules:9",
          "By the address 10.2.3.4: no rule allows it"}},
        {"tls meta.example at 169.254.169.254", {"a metadata service"}},
        {"tls evil.github.com exe=/usr/bin/node",
         {"A veto decided:\n    egress.rules:10: deny evil.github.com",
          "Without vetoes: allowed by egress.rules:4: *.github.com"}},
        {"dns x.pastebin.com", {"egress.rules:11", "the program is not known, and to a veto"}},
        {"dns foo.example at 8.8.8.8",
         {"The name foo.example: no rule allows it",
          "The resolver 8.8.8.8: allowed by egress.rules:13"}},
        {"dns github.com at 9.9.9.9",
         {"The name github.com: allowed by egress.rules:8", "but not at that resolver",
          "the address is 9.9.9.9, not 8.8.8.8"}},
        {"tls internal.corp", {"the rule lets the name be looked up, and nothing more"}},
        {"tls elsewhere.example", {"No rule comes near it."}},
        {"tls tool.example cgroup=/user.slice arg=npm arg=ci",
         {"the cgroup is /user.slice, not @docker",
          "the arguments are npm ci, and the rule wants arg=install\n"}},
        {"tcp only.example:80", {"it is a connection to an address, and the rule is about https"}},
        {"tls only.example", {"inspect: tls only.example", "Only rules about URLs name it"}},
        {"tcp 93.184.216.34:80 seen=plain.example",
         {"allowed: tcp", "By names that were resolved to it, plain.example: allowed"}},
        {"tcp 93.184.216.34:80 seen=plain.example first_bytes=unknown",
         {"the client's first bytes are no protocol that is known, and at port 80"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char words[256];
        snprintf(words, sizeof(words), "explain %s", table[i].event);
        run(words, "");
        for (size_t k = 0; k < ARRAY_SIZE(table[i].texts) && table[i].texts[k]; k++)
            wants(table[i].event, table[i].texts[k]);
    }
}

/* A log whose answers teach names, in which two runs use the same numbers. */
static const char log_text[] =
    "{\"ts\":\"2026-11-22T10:00:00Z\",\"seq\":1,\"event\":\"start\",\"run_id\":\"a\","
    "\"policy_sha256\":\"1111\"}\n"
    "{\"ts\":\"2026-11-22T10:00:01Z\",\"seq\":2,\"event\":\"answer\",\"type\":\"dns\","
    "\"conn\":1,\"name\":\"github.com\",\"answers\":[{\"ip\":\"140.82.121.4\",\"ttl\":60}]}\n"
    "{\"ts\":\"2026-11-22T10:00:02Z\",\"seq\":3,\"event\":\"connect\",\"type\":\"tcp\",\"conn\":2,"
    "\"policy\":\"allow\",\"outcome\":\"allowed\",\"dst_ip\":\"140.82.121.4\",\"dst_port\":22,"
    "\"file\":\"x\",\"line\":8,\"rule\":\"github.com:22\"}\n"
    "{\"ts\":\"2026-11-22T10:00:03Z\",\"seq\":4,\"event\":\"close\",\"type\":\"tcp\",\"conn\":2}\n"
    "{\"ts\":\"2026-11-22T10:00:04Z\",\"seq\":5,\"event\":\"connect\",\"type\":\"https\","
    "\"conn\":3,\"policy\":\"allow\",\"outcome\":\"allowed\",\"host\":\"gone.example\","
    "\"name_from\":\"sni\",\"dst_ip\":\"1.1.1.1\",\"dst_port\":443,\"file\":\"x\",\"line\":1,"
    "\"rule\":\"gone.example\",\"pid\":7,\"exe\":\"/usr/bin/\\u001b[31mcurl\"}\n"
    "{\"ts\":\"2026-11-22T10:00:05Z\",\"seq\":6,\"event\":\"query\",\"type\":\"dns\",\"conn\":4,"
    "\"name\":\"a.plain.example\",\"resolver\":\"self\",\"policy\":\"allow\","
    "\"outcome\":\"denied\",\"reason\":\"name-limit\"}\n"
    "{\"ts\":\"2026-11-22T10:00:06Z\",\"seq\":7,\"event\":\"connect\",\"type\":\"https\","
    "\"conn\":5,\"policy\":\"deny\",\"outcome\":\"allowed\",\"reason\":\"no-rule\","
    "\"host\":\"else.example\",\"name_from\":\"sni\",\"dst_ip\":\"1.1.1.1\",\"dst_port\":443}\n"
    "{\"ts\":\"2026-11-22T10:00:07Z\",\"seq\":8,\"event\":\"start\",\"run_id\":\"b\"}\n"
    "{\"ts\":\"2026-11-22T10:00:08Z\",\"seq\":9,\"event\":\"connect\",\"type\":\"tcp\",\"conn\":2,"
    "\"policy\":\"deny\",\"outcome\":\"denied\",\"reason\":\"no-rule\","
    "\"dst_ip\":\"140.82.121.4\",\"dst_port\":22}\n";

static void finds_records_of_a_log(void **state)
{
    (void)state;
    review_write("log", log_text);
    static const struct {
        const char *words, *texts[4];
    } table[] = {
        {"explain --log log --conn 2",
         {"seq 3, 2026-11-22T10:00:02Z\nallowed: tcp 140.82.121.4:22",
          "resolved to it, github.com: allowed by egress.rules:8",
          "\nseq 9, 2026-11-22T10:00:08Z\ndenied: tcp 140.82.121.4:22",
          "no name is known for the address"}},
        {"explain --log log --seq 5",
         {"denied: tls gone.example at 1.1.1.1 by /usr/bin/\\x1b[31mcurl (pid 7)",
          "The log differs: its policy said allow, by gone.example; "
          "the policy was another then: its digest in the log differs."}},
        {"explain --log log --conn 4",
         {"The filter had a reason of its own, name-limit: a wildcard allows the name"}},
        {"explain --log log --conn 5", {"It was let pass nevertheless"}},
        {"explain --log log",
         {"seq 9, 2026-11-22T10:00:08Z\ndenied: tcp 140.82.121.4:22",
          "no name is known for the address"}},
        {"explain --json --log log", {"{\"event\":\"tcp 140.82.121.4:22", "\"seq\":9"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        run(table[i].words, "");
        for (size_t k = 0; k < ARRAY_SIZE(table[i].texts) && table[i].texts[k]; k++)
            wants(table[i].words, table[i].texts[k]);
        assert_null(memchr(out.data, 033, out.len));
    }
    run("explain --log log --conn 2 --seq 9", "");
    assert_null(strstr(out.data, "seq 3"));
}

/* The digest in the log is the one of this policy, so it was not the policy that changed. */
static void says_whether_the_policy_was_another(void **state)
{
    (void)state;
    static const char rules[] = "a.example\n";
    review_write("one.rules", rules);
    review_write("same",
                 "{\"seq\":1,\"event\":\"start\",\"policy_sha256\":\"3f1c0cc67a2dc8a6d5ea9c0e0f6"
                 "b2a5d\"}\n"
                 "{\"seq\":2,\"event\":\"connect\",\"type\":\"tcp\",\"conn\":1,\"policy\":\"allow\""
                 ",\"dst_ip\":\"1.1.1.1\",\"dst_port\":443,\"rule\":\"a.example\",\"line\":1}\n");
    run("explain --policy one.rules --log same --conn 1", "");
    wants("another digest", "its digest in the log differs");
    assert_int_equal(system("sum=$(sha256sum <one.rules); sed -i \"s/3f1c[0-9a-f]*/${sum%% *}/\" "
                            "same"),
                     0);
    run("explain --policy one.rules --log same --conn 1", "");
    wants("the same digest", "the policy is the same file, so it knew then what this record alone");
}

static void json_says_the_same(void **state)
{
    (void)state;
    run("explain --json tls registry.npmjs.org exe=/usr/bin/curl", "");
    assert_string_equal(
        out.data,
        "{\"event\":\"tls registry.npmjs.org exe=/usr/bin/curl\",\"verdict\":\"deny\","
        "\"file\":null,\"line\":null,\"rule\":null,\"unattributed\":false,"
        "\"reason\":\"no-rule\",\"by_name\":null,\"by_address\":null,\"without_vetoes\":null,"
        "\"nearest\":[{\"file\":\"egress.rules\",\"line\":3,\"rule\":\"registry.npmjs.org\","
        "\"lacks\":[{\"what\":\"exe\",\"has\":\"/usr/bin/curl\",\"wants\":\"exe=/usr/bin/node\","
        "\"text\":\"the program is /usr/bin/curl, not /usr/bin/node\"}]}],\"record\":null}\n");
    review_write("log", log_text);
    run("explain --json --log log --seq 5", "");
    wants("record", "\"agrees\":\"other-verdict\",\"why\":\"the policy was another then");
    run("explain --json", "{\"type\":\"icmp\"}\ntls db.corp.example\n");
    wants("lines", "\"reason\":\"no-rule\"");
    wants("lines", "{\"event\":\"tls db.corp.example\",\"verdict\":\"allow\"");
}

static void refuses_what_it_cannot_read(void **state)
{
    (void)state;
    static const struct {
        const char *words, *input, *text;
    } table[] = {
        {"explain --policy nosuch tls a.example", "", "cannot read the policy 'nosuch'"},
        {"explain nonsense", "", "<event>:1:1: 'nonsense' is no event"},
        {"explain", "\ntls a.example\nnonsense\n", "<stdin>:3:1:"},
        {"explain", "", "'<stdin>' holds no event"},
        {"explain", "{\"type\":\"tcp\"", "<stdin>:1: the line is no valid JSON"},
        {"explain {\"event\":\"stop\"}", "", "none that decides anything"},
        {"explain --conn 3", "", "name it with --log FILE"},
        {"explain --log allowed", "", "'allowed' holds no denial; of what was allowed, say which"},
        {"explain --log egress.rules", "", "that are no record, and not what was asked for"},
        {"explain --log egress.rules --conn 3", "", "that are no record"},
        {"explain --log log --conn 0", "", "a number of the log, from 1"},
        {"explain --log log --conn 3x", "", "a number of the log, from 1"},
        {"explain --log log --conn 99", "", "'log' has no connection 99"},
        {"explain --log log --seq 99", "", "'log' has no record 99"},
        {"explain --log log --seq 4", "", "it decides nothing"},
        {"explain --log nosuch --seq 4", "", "cannot read 'nosuch'"},
        {"explain --log log --seq 4 tls a.example", "", "an event or a log, not both"},
        {"explain --nosuch", "", "nosuch"},
    };
    review_write("log", log_text);
    review_write("allowed", "{\"seq\":1,\"event\":\"start\"}\n"
                            "{\"seq\":2,\"event\":\"connect\",\"type\":\"tcp\",\"conn\":1,"
                            "\"policy\":\"allow\",\"outcome\":\"allowed\",\"dst_ip\":\"1.1.1.1\","
                            "\"dst_port\":22}\n");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        int code = review_run(explain_main, table[i].words, table[i].input, &out, &err);
        if (code != EXPLAIN_BAD || !strstr(err.data, table[i].text))
            fail_msg("%s: %d, and no '%s' in\n%s", table[i].words, code, table[i].text, err.data);
    }
}

static void clean_up(void **state)
{
    static const char *const names[] = {"allowed", "egress.rules", "log", "one.rules", "same"};
    (void)state;
    buffer_release(&out);
    buffer_release(&err);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(review_directory), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", says_which_rule_and_what_is_lacking), REPORT("-", finds_records_of_a_log),
        REPORT("-", says_whether_the_policy_was_another), REPORT("-", json_says_the_same),
        REPORT("-", refuses_what_it_cannot_read),         REPORT("-", clean_up),
    };
    if (review_enter(NULL) < 0)
        return 1;
    review_write("egress.rules", policy);
    return unit_run(tests, ARRAY_SIZE(tests));
}
