/* SPDX-License-Identifier: MIT
 * `match` as a person or a script calls it: a verdict a line, its fields, what is printed for lines
 * that are no events, and what the command exits with. */
#include "review/match.h"
#include "unit/review_run.h"

#define RULES                                                                                      \
    "a.org\nb.org passthrough\nc.org insecure\nhttps://d.org/x\ndeny e.org\ndeny f.org expected\n" \
    "g.org exe=/bin/a\n8.8.8.8:53/udp\nprivate.org\n"

struct row {
    const char *event, *want;
};

#define VERDICT(verdict, policy, file, line, rule, reason, passthrough, insecure)                  \
    "{\"verdict\":\"" verdict "\",\"policy\":\"" policy "\",\"file\":" file ",\"line\":" line      \
    ",\"rule\":" rule ",\"reason\":" reason ",\"passthrough\":" passthrough                        \
    ",\"insecure\":" insecure "}\n"
#define DENIED(reason) VERDICT("deny", "deny", "null", "null", "null", reason, "false", "false")
#define HERE           "\"egress.rules\""

static void verdicts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"type\":\"https\",\"host\":\"a.org\"}",
         VERDICT("allow", "allow", HERE, "1", "\"a.org\"", "null", "false", "false")},
        {"{\"type\":\"https\",\"host\":\"b.org\"}",
         VERDICT("allow", "allow", HERE, "2", "\"b.org passthrough\"", "null", "true", "false")},
        {"{\"type\":\"https\",\"host\":\"c.org\"}",
         VERDICT("allow", "allow", HERE, "3", "\"c.org insecure\"", "null", "false", "true")},
        {"{\"type\":\"https\",\"host\":\"d.org\"}",
         VERDICT("inspect", "deny", HERE, "4", "\"https://d.org/x\"", "\"inspect\"", "false",
                 "false")},
        {"{\"url\":\"https://d.org/x?y\"}",
         VERDICT("allow", "allow", HERE, "4", "\"https://d.org/x\"", "null", "false", "false")},
        {"{\"url\":\"https://d.org/x\",\"method\":\"POST\"}", DENIED("\"no-rule\"")},
        {"{\"type\":\"https\",\"host\":\"e.org\"}",
         VERDICT("deny", "deny", HERE, "5", "\"deny e.org\"", "\"veto\"", "false", "false")},
        {"{\"type\":\"https\",\"host\":\"private.org\",\"dst_ip\":\"10.0.0.1\"}",
         VERDICT("deny", "deny", HERE, "9", "\"private.org\"", "\"private-address\"", "false",
                 "false")},
        {"{\"type\":\"https\",\"host\":\"g.org\"}", DENIED("\"unattributed\"")},
        {"{\"type\":\"https\",\"host\":\"g.org\",\"pid\":1}", DENIED("\"no-rule\"")},
        {"{\"type\":\"https\",\"host\":\"g.org\",\"exe\":\"/bin/b\"}", DENIED("\"no-rule\"")},
        {"{\"type\":\"https\",\"host\":\"g.org\",\"exe\":\"/bin/a\"}",
         VERDICT("allow", "allow", HERE, "7", "\"g.org exe=/bin/a\"", "null", "false", "false")},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"resolver\":\"self\"}",
         VERDICT("allow", "allow", HERE, "1", "\"a.org\"", "null", "false", "false")},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"resolver\":\"8.8.8.8\"}",
         VERDICT("allow", "allow", HERE, "1", "\"a.org\"", "null", "false", "false")},
        {"{\"type\":\"dns\",\"name\":\"a.org\",\"resolver\":\"9.9.9.9\"}", DENIED("\"resolver\"")},
        {"{\"type\":\"dns\",\"name\":\"x.org\",\"resolver\":\"9.9.9.9\"}", DENIED("\"no-rule\"")},
        {"{\"type\":\"icmp\",\"dst_ip\":\"8.8.8.8\"}", DENIED("\"no-rule\"")},
        {"{\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"5.5.5.5\"]}\n"
         "{\"type\":\"tcp\",\"dst_ip\":\"5.5.5.5\",\"dst_port\":443}",
         VERDICT("allow", "allow", HERE, "1", "\"a.org\"", "null", "false", "false")},
        {"\n{\"event\":\"close\"}\n\n", ""},
        {"", ""},
    };
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    review_write("egress.rules", RULES);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int code = review_run(match_main, "match", rows[i].event, &out, &err);
        if (code != 0 || strcmp(out.data, rows[i].want) != 0 || err.len)
            fail_msg("%s: %d\n want %s  got %s%s", rows[i].event, code, rows[i].want, out.data,
                     err.data);
    }
}

struct call {
    const char *words, *input;
    int code;
    size_t lines;    /* printed */
    const char *err; /* of what is said, a part; NULL: nothing is said */
};

static size_t count_lines(const struct buffer *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++)
        n += b->data[i] == '\n';
    return n;
}

static void check_calls(const struct call *calls, size_t n)
{
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    for (size_t i = 0; i < n; i++) {
        int code = review_run(match_main, calls[i].words, calls[i].input, &out, &err);
        bool said = calls[i].err ? strstr(err.data, calls[i].err) != NULL : err.len == 0;
        if (code != calls[i].code || count_lines(&out) != calls[i].lines || !said)
            fail_msg("%s: %d\n%s%s", calls[i].words, code, out.data, err.data);
    }
}

#define ALLOW    "{\"type\":\"https\",\"host\":\"a.org\"}\n"
#define DENY     "{\"type\":\"https\",\"host\":\"e.org\"}\n"
#define EXPECTED "{\"type\":\"https\",\"host\":\"f.org\"}\n"
#define INSPECT  "{\"type\":\"https\",\"host\":\"d.org\"}\n"

static void exit_codes(void **state)
{
    (void)state;
    review_write("one.rules", "z.org\n");
    review_write("bad.rules", "a.org\ngithub.*\n");
    review_write("open.rules", "https://a.org/{owner}/{repo}\n");
    review_write("path.rules", "/x\n");
    review_write("events", ALLOW DENY);
    static const struct call calls[] = {
        {"match", ALLOW DENY, 0, 2, NULL},
        {"match --json -", ALLOW, 0, 1, NULL},
        {"match --exit-code", ALLOW INSPECT EXPECTED, 0, 3, NULL},
        {"match --exit-code", ALLOW DENY ALLOW, 1, 3, NULL},
        {"match --exit-code", DENY "{}\n" ALLOW, 2, 2, "<stdin>:2: error: the event has no"},
        {"match events - events", ALLOW, 0, 5, NULL},
        {"match nosuch events", "", 2, 2, "cannot read the events 'nosuch': No such file"},
        {"match --policy one.rules --exit-code", ALLOW, 1, 1, NULL},
        {"match --policy one.rules --policy egress.rules --exit-code", ALLOW, 0, 1, NULL},
        {"match --policy nosuch", ALLOW, 2, 0, "cannot read the policy 'nosuch': No such file"},
        {"match --policy bad.rules", ALLOW, 2, 0, "bad.rules:2:8: error: "},
        {"match --policy bad.rules --lenient --exit-code", ALLOW, 0, 1, "bad.rules:2:8: warning: "},
        {"match --policy open.rules", ALLOW, 2, 0, "the policy uses {owner} or {repo}"},
        {"match --policy open.rules --repo me/it --exit-code",
         "{\"url\":\"https://a.org/me/it\"}\n", 0, 1, NULL},
        {"match --policy open.rules --repo me", ALLOW, 2, 0, "cannot read --repo 'me'"},
        {"match --policy path.rules --context [https://a.org] --exit-code",
         "{\"url\":\"https://a.org/x\"}\n", 0, 1, NULL},
        {"match --nosuch", "", 2, 0, "usage: "},
    };
    check_calls(calls, ARRAY_SIZE(calls));
}

/* A line that is longer than any record, and a file that is no log. */
static void hostile_input(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer input = {0};
    for (int i = 0; i < (1 << 20) + 10; i++)
        buffer_add_char(&input, 'x');
    buffer_add_string(&input, "\n" ALLOW "{\"a\":\"\x1b[31m\"}\n");
    const struct call lines[] = {
        {"match", input.data, 2, 1, "<stdin>:1: error: the line is longer than 1 MiB"},
        {"match", input.data, 2, 1, "<stdin>:3: error: the line is no valid JSON"},
    };
    check_calls(lines, ARRAY_SIZE(lines));
    buffer_clear(&input);
    for (int i = 0; i < 5000; i++)
        buffer_add_string(&input, "x\n");
    buffer_add_string(&input, ALLOW);
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(match_main, "match", input.data, &out, &err), 2);
    assert_non_null(strstr(err.data, "'<stdin>' has too many lines that are no events"));
    assert_true(count_lines(&err) <= 21);
}

static void command_line(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    assert_int_equal(review_run(match_main, "match --help", "", &out, &err), 0);
    assert_non_null(strstr(out.data, "--exit-code"));
    assert_true(count_lines(&out) <= 24); /* a screen */
    assert_int_equal(unlink("egress.rules"), 0);
    assert_int_equal(review_run(match_main, "match", ALLOW, &out, &err), 2);
    assert_non_null(strstr(err.data, "match needs a policy"));
}

static void clean_up(void **state)
{
    (void)state;
    static const char *const names[] = {"one.rules", "bad.rules", "open.rules", "path.rules",
                                        "events"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(review_directory), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", verdicts),     REPORT("-", exit_codes), REPORT("R09", hostile_input),
        REPORT("-", command_line), REPORT("-", clean_up),
    };
    return review_enter(NULL) < 0 || unit_run(tests, ARRAY_SIZE(tests));
}
