/* SPDX-License-Identifier: MIT
 * The command line of `match`: reads events in bounded pieces, prints a verdict for each. */
#include "review/match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/json.h"
#include "audit/record_line.h"
#include "base/fd.h"
#include "base/say.h"
#include "review/event_json.h"
#include "review/policy_chosen.h"

#define FAULTS_MAX 100 /* a file that is no log is not read to its end */

struct match {
    struct policy_options options;
    struct cli_list policies;
    bool exit_code, json;
    const char *repo;
    char repo_room[REPO_ROOM];
    struct policy *policy;
    struct event_reader *reader;
    struct buffer out;
    bool denied, bad;
    /* Of the file that is being read: */
    const char *name;
    size_t line, faults;
};

static void say_fault(struct match *m, const char *text)
{
    char place[64];
    m->bad = true;
    m->faults++;
    fflush(stdout);
    snprintf(place, sizeof(place), ":%zu: error: ", m->line);
    say_safely(stderr, m->name, strlen(m->name));
    fputs(place, stderr);
    say_safely(stderr, text, strlen(text));
    putc('\n', stderr);
}

static void put_text(struct buffer *out, const char *name, const char *text)
{
    if (text) {
        json_put_text(out, name, text, strlen(text));
        return;
    }
    json_put_key(out, name);
    buffer_add_string(out, "null");
}

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
    static const char *const actions[] = {
        [VERDICT_DENY] = "deny", [VERDICT_ALLOW] = "allow", [VERDICT_INSPECT] = "inspect"};
    const struct verdict v = policy_match(m->policy, e);
    struct buffer *out = &m->out;
    buffer_clear(out);
    buffer_add_char(out, '{');
    json_put_word(out, "verdict", actions[v.action]);
    /* As the log has it. */
    json_put_word(out, "policy", v.action == VERDICT_ALLOW ? "allow" : "deny");
    put_text(out, "file", v.file);
    json_put_key(out, "line");
    if (v.file)
        buffer_printf(out, "%zu", v.line);
    else
        buffer_add_string(out, "null");
    put_text(out, "rule", v.rule);
    put_text(out, "reason", reason_of(m, e, &v));
    json_put_bool(out, "passthrough", v.passthrough);
    json_put_bool(out, "insecure", v.insecure);
    buffer_add_string(out, "}\n");
    m->denied = m->denied || (v.action == VERDICT_DENY && !v.expected);
    if (buffer_failed(out))
        say_fault(m, "out of memory");
    else
        fwrite(out->data, 1, out->len, stdout);
}

static void take_line(struct match *m, const char *line, size_t len)
{
    const struct event *e = NULL;
    struct error error = {0};
    m->line++;
    int result = event_reader_line(m->reader, line, len, &e, &error);
    if (result < 0)
        say_fault(m, error.text);
    else if (result > 0)
        print_verdict(m, e);
}

/* One file through a buffer that holds the longest line. */
struct input {
    int fd;
    size_t len;
    bool skipping; /* within a line that is too long */
    char data[RECORD_LINE_MAX];
};

static void take_buffer(struct match *m, struct input *in)
{
    size_t at = 0;
    const char *end;
    while (m->faults < FAULTS_MAX && (end = memchr(in->data + at, '\n', in->len - at))) {
        if (!in->skipping)
            take_line(m, in->data + at, (size_t)(end - in->data) - at);
        in->skipping = false;
        at = (size_t)(end - in->data) + 1;
    }
    memmove(in->data, in->data + at, in->len - at);
    in->len -= at;
    if (in->len < sizeof(in->data))
        return;
    if (!in->skipping) {
        m->line++;
        say_fault(m, "the line is longer than 1 MiB");
    }
    in->skipping = true;
    in->len = 0;
}

static int read_input(struct match *m, struct input *in)
{
    in->len = 0;
    in->skipping = false;
    while (m->faults < FAULTS_MAX) {
        /* Who waits for verdicts has them before we wait for events. */
        fflush(stdout);
        ssize_t n = read(in->fd, in->data + in->len, sizeof(in->data) - in->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        in->len += (size_t)n;
        take_buffer(m, in);
    }
    if (in->len && !in->skipping && m->faults < FAULTS_MAX)
        take_line(m, in->data, in->len);
    if (m->faults >= FAULTS_MAX)
        fprintf(stderr, "egress-filter: '%s' has too many lines that are no events\n", m->name);
    return 0;
}

static void match_file(struct match *m, struct input *in, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    m->name = standard ? "<stdin>" : path;
    m->line = m->faults = 0;
    in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = in->fd < 0 ? -errno : read_input(m, in);
    if (result < 0) {
        fprintf(stderr, "egress-filter: cannot read the events '%s': %s\n", path,
                strerror(-result));
        m->bad = true;
    }
    if (!standard)
        fd_close(&in->fd);
}

static void match_files(struct match *m, char **paths, int n)
{
    static char standard[] = "-";
    char *only[] = {standard};
    struct input *in = malloc(sizeof(*in));
    m->reader = event_reader_new(EVENT_READER_NAMES);
    if (!in || !m->reader) {
        fprintf(stderr, "egress-filter: out of memory\n");
        m->bad = true;
        n = 0;
    } else if (n == 0) {
        paths = only;
        n = 1;
    }
    for (int i = 0; i < n; i++)
        match_file(m, in, paths[i]);
    event_reader_free(m->reader);
    buffer_release(&m->out);
    free(in);
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
        fprintf(stderr, "egress-filter: cannot write the verdicts: %s\n", strerror(errno));
        return MATCH_BAD;
    }
    return m.bad ? MATCH_BAD : m.exit_code && m.denied ? MATCH_DENIED : MATCH_GOOD;
}
