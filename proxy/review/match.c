/* SPDX-License-Identifier: MIT
 * The command line of `match`: prints a verdict for each event. */
#include "review/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/json.h"
#include "base/say.h"
#include "review/event_json.h"
#include "review/log_input.h"
#include "review/policy_chosen.h"

struct match {
    struct policy_options options;
    struct cli_list policies;
    bool exit_code, json;
    const char *repo;
    char repo_room[REPO_ROOM];
    struct policy *policy;
    struct event_reader *reader;
    struct buffer out;
    bool denied;
    struct log_input input;
};

/* The filter's own word, which says of a look-up whether another resolver would have helped. */
static const char *reason_of(const struct match *m, const struct event *e, const struct verdict *v)
{
    struct event at_self = *e;
    at_self.resolver_is_self = true;
    if (e->stage == EVENT_DNS && !e->resolver_is_self && v->reason == REASON_NO_RULE &&
        policy_match(m->policy, &at_self).action == VERDICT_ALLOW)
        return "resolver";
    return verdict_reason_name(v, e->process != NULL);
}

static void print_verdict(struct match *m, const struct event *e)
{
    const struct verdict v = policy_match(m->policy, e);
    struct buffer *out = &m->out;
    buffer_clear(out);
    buffer_add_char(out, '{');
    json_put_word(out, "verdict", verdict_action_name(v.action));
    /* As the log has it. */
    json_put_word(out, "policy", v.action == VERDICT_ALLOW ? "allow" : "deny");
    json_put_text_or_null(out, "file", v.file);
    json_put_key(out, "line");
    if (v.file)
        buffer_printf(out, "%zu", v.line);
    else
        buffer_add_string(out, "null");
    json_put_text_or_null(out, "rule", v.rule);
    json_put_text_or_null(out, "reason", reason_of(m, e, &v));
    json_put_bool(out, "passthrough", v.passthrough);
    json_put_bool(out, "insecure", v.insecure);
    buffer_add_string(out, "}\n");
    m->denied = m->denied || (v.action == VERDICT_DENY && !v.expected);
    if (buffer_failed(out))
        log_input_fault(&m->input, "out of memory");
    else
        fwrite(out->data, 1, out->len, stdout);
}

static void take_line(void *context, const char *line, size_t len)
{
    struct match *m = context;
    const struct event *e = NULL;
    struct error error = {0};
    int result = event_reader_line(m->reader, line, len, &e, &error);
    if (result < 0)
        log_input_fault(&m->input, error.text);
    else if (result > 0)
        print_verdict(m, e);
}

/* Who waits for verdicts has them before we wait for events. */
static void flush_verdicts(void *context)
{
    (void)context;
    fflush(stdout);
}

static void match_files(struct match *m, char **paths, int n)
{
    m->input = (struct log_input){.take = take_line, .wait = flush_verdicts, .context = m};
    m->reader = event_reader_new(EVENT_READER_NAMES);
    if (m->reader) {
        log_input_read(&m->input, paths, n);
    } else {
        say_error("out of memory");
        m->input.bad = true;
    }
    event_reader_free(m->reader);
    buffer_release(&m->out);
}

static bool load_policy(struct match *m)
{
    struct policy_chosen chosen = {.command = "match", .options = m->options, .paths = m->policies};
    bool loaded = policy_chosen_load(&chosen);
    m->policy = chosen.policy;
    return loaded;
}

static const struct cli_option options[] = {
    {.name = "policy",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_add,
     .field = offsetof(struct match, policies),
     .help = "rules to judge by; may be repeated (default: ./egress.rules)"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct match, options.context),
     .help = "start context, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = offsetof(struct match, repo),
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
    {.name = "lenient",
     .set = cli_flag,
     .field = offsetof(struct match, options.lenient),
     .help = "skip allow lines that have errors"},
    {.name = "exit-code",
     .set = cli_flag,
     .field = offsetof(struct match, exit_code),
     .help = "exit with 1 when something is denied that no `expected` covers"},
    {.name = "json",
     .set = cli_flag,
     .field = offsetof(struct match, json),
     .help = "accepted; JSON is the only output"},
};

const struct cli_command match_command = {
    .name = "match",
    .summary = "say what a policy would say to events, or to a log",
    .usage = "[--policy FILE]… [OPTION…] [EVENTS…]",
    .about =
        "Says what a policy would say: reads events, one JSON object a line, and prints one\n"
        "verdict a line, in order. An audit log is such a file, and so is what is written by\n"
        "hand; without EVENTS, or with -, standard input is read. Logged DNS answers, and lines\n"
        "such as {\"type\":\"dns_answer\",\"name\":\"a.org\",\"ips\":[\"192.0.2.1\"],\"ttl\":300}, "
        "teach\n"
        "names and print nothing; nor do the closing of connections and the life of the filter.\n",
    .status = "Exit status: 0 done, 1 see --exit-code, 2 the policy or an event cannot be read.\n",
    .example =
        "Example:\n"
        "  echo '{\"url\":\"https://a.org/x\",\"exe\":\"/usr/bin/curl\"}' | egress-filter match\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_FILE,
    .most = -1,
    .main = match_main,
};

int match_main(int argc, char **argv)
{
    struct match m = {0};
    struct cli_rest events;
    int code = cli_parse(&match_command, argc, argv, &m, &events);
    if (code != CLI_GO)
        return code;
    if (!policy_set_repo(m.repo, m.repo_room, &m.options))
        return MATCH_BAD;
    bool loaded = load_policy(&m);
    if (loaded)
        match_files(&m, events.list, events.n);
    policy_unref(m.policy);
    if (!loaded)
        return MATCH_BAD;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the verdicts: %s", strerror(errno));
        return MATCH_BAD;
    }
    return m.input.bad ? MATCH_BAD : m.exit_code && m.denied ? MATCH_DENIED : MATCH_GOOD;
}
