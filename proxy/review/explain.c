/* SPDX-License-Identifier: MIT
 * The command line of `explain`: finds the event, in words, in JSON or in a log, with all that the
 * lines before it taught, and tells why the policy says of it what it says. */
#include "review/explain.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/record_line.h"
#include "base/say.h"
#include "review/event_fields.h"
#include "review/event_json.h"
#include "review/event_words.h"
#include "review/explain_tell.h"
#include "review/lines.h"
#include "review/policy_chosen.h"

struct explain {
    struct policy_chosen chosen;
    const char *log;
    uint64_t conn, seq; /* 0: not asked for */
    bool json;
    const char *repo;
    char repo_room[REPO_ROOM];
    /* While events are read: */
    struct event_reader *reader;
    const char *name;       /* of what is read */
    char then[80];          /* digest of the policy that the log says was in force */
    size_t told, mentioned; /* mentioned: records of that number, decisions or not */
    size_t strange;         /* lines of a log that are no records */
    bool looking;           /* for the newest denial, which is told when the log is read again */
    size_t newest_at;       /* its line, from 1; 0: none yet */
    char *newest; /* of what cannot be read again: what there is to say of it; malloc'd, or NULL */
    size_t newest_len;
    bool bad;
};

static void say_fault(struct explain *x, size_t number, const char *text)
{
    x->bad = true;
    fflush(stdout);
    say_error("%s:%zu: %s", x->name, number, text);
}

static void tell(struct explain *x, const struct event *e, const struct explain_record *r, FILE *to)
{
    CLEANUP_BUFFER struct buffer out = {0};
    struct arena arena = {0};
    struct explanation explanation;
    const struct explain_told told = {e, &explanation, r,
                                      x->chosen.sha256[0] ? x->chosen.sha256 : NULL};
    int result = explain_find(x->chosen.policy, e, &arena, &explanation);
    if (result == 0 && x->json) {
        explain_write_json(&told, &out);
        if (buffer_failed(&out))
            result = -ENOMEM;
        else
            fwrite(out.data, 1, out.len, to);
    } else if (result == 0) {
        fputs(x->told > 0 && to == stdout ? "\n" : "", to);
        explain_print(&told, to, say_colour(stdout));
    }
    if (result < 0) {
        say_error("cannot explain: %s", strerror(-result));
        x->bad = true;
    }
    x->told++;
    arena_release(&arena);
}

/* Which denial is the newest is known at the end of the log, and the names that it needs are those
 * that were resolved before it: where there is no second time, each is told to memory, in place of
 * the one before. */
static void keep_newest(struct explain *x, const struct event *e, const struct explain_record *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to)
        tell(x, e, r, to);
    if (!to || fclose(to) != 0) {
        say_error("cannot explain: %s", strerror(ENOMEM));
        x->bad = true;
    }
    free(x->newest);
    x->newest = text;
    x->newest_len = len;
}

static bool is_denial(const struct explain_record *r)
{
    return r->policy &&
           (strcmp(r->policy, "deny") == 0 || (r->outcome && strcmp(r->outcome, "denied") == 0));
}

/* What a record says of itself. Numbers and texts of another form are as if they were not there:
 * what is judged is read, strictly, by event_reader_line. */
static void read_record(json_t *root, struct explain_record *out, uint64_t *conn)
{
    struct error ignored = {0};
    struct fields f = {root, &ignored};
    *out = (struct explain_record){.ts = fields_text(&f, "ts"),
                                   .policy = fields_text(&f, "policy"),
                                   .outcome = fields_text(&f, "outcome"),
                                   .reason = fields_text(&f, "reason"),
                                   .file = fields_text(&f, "file"),
                                   .rule = fields_text(&f, "rule"),
                                   .name_from = fields_text(&f, "name_from")};
    *conn = 0;
    fields_number(&f, "seq", INT64_MAX, &out->seq);
    fields_number(&f, "line", INT64_MAX, &out->line);
    fields_number(&f, "count", INT64_MAX, &out->count);
    fields_number(&f, "pid", INT64_MAX, &out->pid);
    fields_number(&f, "conn", INT64_MAX, conn);
}

static bool is_wanted(const struct explain *x, const struct explain_record *r, uint64_t conn)
{
    return (!x->conn || conn == x->conn) && (!x->seq || r->seq == x->seq);
}

static void keep_policy(struct explain *x, json_t *root)
{
    const char *event = value_text(json_object_get(root, "event"));
    const char *sum = value_text(json_object_get(root, "policy_sha256"));
    if (event && (strcmp(event, "start") == 0 || strcmp(event, "reload") == 0))
        snprintf(x->then, sizeof(x->then), "%s", sum ? sum : "");
}

static void take_json(struct explain *x, const char *line, size_t len, size_t number)
{
    const struct event *e = NULL;
    struct error error = {0};
    struct explain_record r;
    uint64_t conn;
    int judged = event_reader_line(x->reader, line, len, &e, &error);
    json_t *root = event_reader_object(x->reader);
    read_record(root, &r, &conn);
    keep_policy(x, root);
    r.policy_sha256 = x->then[0] ? x->then : NULL;
    x->strange += root == NULL;
    if (judged != 0 && is_denial(&r) && x->looking)
        x->newest_at = number;
    if (x->looking || (x->newest_at && number != x->newest_at))
        return;
    if (x->log && !x->conn && !x->seq && !x->newest_at) {
        if (judged < 0 && is_denial(&r))
            say_fault(x, number, error.text);
        else if (judged > 0 && is_denial(&r))
            keep_newest(x, e, &r);
    } else if (is_wanted(x, &r, conn)) {
        x->mentioned += root != NULL;
        if (judged < 0)
            say_fault(x, number, error.text);
        else if (judged > 0)
            tell(x, e, r.policy ? &r : NULL, stdout);
    }
}

static void on_fault(void *context, const struct diagnostic *d)
{
    struct explain *x = context;
    x->bad = true;
    fflush(stdout);
    say_error("%s:%zu:%zu: %s", d->file, d->line, d->column, d->text);
}

static void take_words(struct explain *x, const char *line, size_t len, size_t number)
{
    const struct policy_options options = {.diagnose = on_fault, .diagnose_context = x};
    struct reporter r = {.options = &options, .file = x->name, .line = number, .raw = line};
    struct span text = line_content((struct span){line, len, 0});
    struct event_words words = {0};
    bool was_bad = x->bad;
    if (line_check(&r, (struct span){line, len, 0}) && event_words_parse(&r, text, &words))
        tell(x, &words.event, NULL, stdout);
    else if (x->bad == was_bad)
        say_fault(x, number, "out of memory");
    event_words_release(&words);
}

static int take_line(void *context, const char *line, size_t len, size_t number)
{
    struct explain *x = context;
    size_t blank = 0;
    if (!line) {
        if (!x->looking)
            say_fault(x, number, "the line is longer than 1 MiB");
        return 0;
    }
    while (blank < len && strchr(" \t\r", line[blank]) && line[blank])
        blank++;
    if (blank == len)
        return 0;
    if (x->log || line[blank] == '{')
        take_json(x, line, len, number);
    else
        take_words(x, line, len, number);
    return 0;
}

/* The words of the command line are one event. */
static void take_arguments(struct explain *x, char **words, int n)
{
    CLEANUP_BUFFER struct buffer text = {0};
    x->name = "<event>";
    for (int i = 0; i < n; i++)
        buffer_printf(&text, "%s%s", i ? " " : "", words[i]);
    if (buffer_failed(&text) || text.len > RECORD_LINE_MAX)
        say_fault(x, 1, "the event is too long");
    else
        take_line(x, text.data, text.len, 1);
    if (!x->told && !x->bad)
        say_fault(x, 1, "the record is none that decides anything");
}

static void say_nothing_found(struct explain *x)
{
    x->bad = true;
    if (x->log && x->strange)
        say_error(
            "'%s' has %zu line%s that %s no record, and not what was asked for; name a log of "
            "egress-filter",
            x->name, x->strange, x->strange == 1 ? "" : "s", x->strange == 1 ? "is" : "are");
    else if (x->mentioned && x->log)
        say_error("'%s' has that record, but it decides nothing", x->name);
    else if (x->conn)
        say_error("'%s' has no connection %llu", x->name, (unsigned long long)x->conn);
    else if (x->seq)
        say_error("'%s' has no record %llu", x->name, (unsigned long long)x->seq);
    else if (x->log)
        say_error(
            "'%s' holds no denial; of what was allowed, say which record: --conn N or --seq N",
            x->name);
    else
        say_error("'%s' holds no event", x->name);
}

/* Finds the newest denial, so that no other one need be explained. Leaves a reader that has seen
 * nothing. Returns 0 or a negative errno. */
static int look_for_newest(struct explain *x, const char *path)
{
    x->looking = true;
    int result = lines_read(path, take_line, NULL, x);
    x->looking = false;
    event_reader_free(x->reader);
    x->reader = event_reader_new(EVENT_READER_NAMES);
    x->then[0] = '\0';
    x->strange = 0;
    return x->reader ? result : -ENOMEM;
}

static bool can_be_read_again(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void take_file(struct explain *x, const char *path)
{
    int result = 0;
    x->name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    if (x->log && !x->conn && !x->seq && can_be_read_again(path))
        result = look_for_newest(x, path);
    if (result == 0)
        result = lines_read(path, take_line, NULL, x);
    if (result < 0) {
        say_error("cannot read '%s': %s", x->name, strerror(-result));
        x->bad = true;
    } else if (!x->told && !x->bad) {
        say_nothing_found(x);
    } else if (x->newest) {
        fwrite(x->newest, 1, x->newest_len, stdout);
    }
    free(x->newest);
    x->newest = NULL;
}

static int set_number(void *field, const char *value)
{
    size_t len = strlen(value);
    uint64_t *number = field;
    bool good = len > 0 && record_number_parse(value, len, number) == len && *number > 0;
    return good ? 0 : -EINVAL;
}

static bool check_options(struct explain *x, int n_words)
{
    const char *fault = NULL;
    if (!policy_set_repo(x->repo, x->repo_room, &x->chosen.options))
        return false;
    if (!x->log && (x->conn || x->seq))
        fault = "--conn and --seq are numbers in a log; name it with --log FILE";
    else if (x->log && n_words > 0)
        fault = "give an event or a log, not both";
    if (fault)
        say_error("%s", fault);
    return !fault;
}

static void take_events(struct explain *x, char **words, int n)
{
    x->reader = event_reader_new(EVENT_READER_NAMES);
    if (!x->reader) {
        say_error("cannot explain: out of memory");
        x->bad = true;
    } else if (x->log) {
        take_file(x, x->log);
    } else if (n == 0 || (n == 1 && strcmp(words[0], "-") == 0)) {
        take_file(x, "-");
    } else {
        take_arguments(x, words, n);
    }
    event_reader_free(x->reader);
}

#define FIELD(name) offsetof(struct explain, name)

static const struct cli_option options[] = {
    {.name = "policy",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_add,
     .field = FIELD(chosen.paths),
     .help = "rules to judge by; may be repeated (default: ./egress.rules)"},
    {.name = "log",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_text,
     .field = FIELD(log),
     .help = "read the event from this log: its newest denial, or what --conn or --seq say"},
    {.name = "conn",
     .value = "N",
     .set = set_number,
     .field = FIELD(conn),
     .must = "it is a number of the log, from 1",
     .help = "of --log: the records of that connection or flow"},
    {.name = "seq",
     .value = "N",
     .set = set_number,
     .field = FIELD(seq),
     .must = "it is a number of the log, from 1",
     .help = "of --log: the record with that number"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = FIELD(chosen.options.context),
     .help = "start context, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = FIELD(repo),
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
    {.name = "lenient",
     .set = cli_flag,
     .field = FIELD(chosen.options.lenient),
     .help = "skip allow lines that have errors"},
    {.name = "json", .set = cli_flag, .field = FIELD(json), .help = "one object for each event"},
};

const struct cli_command explain_command = {
    .name = "explain",
    .summary = "say why something is allowed or denied, and what is lacking",
    .usage = "[--policy FILE]… [OPTION…] [EVENT]",
    .about =
        "Says why something is allowed or denied: which rule decides, or the nearest ones and\n"
        "what each of them lacks. EVENT is a record of a log, or words: [METHOD] URL,\n"
        "tls HOST[:PORT], tcp ADDRESS:PORT, udp ADDRESS:PORT or dns NAME, [at ADDRESS], then\n"
        "what is known of the process; what is not told is not known. Without EVENT, or with\n"
        "-, lines of either form are read from standard input.\n",
    .status =
        "Exit status: 0 explained, 2 the policy or the event cannot be read, or is not there.\n",
    .example = "Examples:\n"
               "  egress-filter explain https://github.com/x exe=/usr/bin/node\n"
               "  egress-filter explain --log egress.jsonl\n"
               "  egress-filter explain --log egress.jsonl --conn 9\n"
               "  grep '\"seq\":17,' egress.jsonl | egress-filter explain\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_TEXT,
    .most = -1,
    .main = explain_main,
};

int explain_main(int argc, char **argv)
{
    struct explain x = {.chosen.command = "explain"};
    struct cli_rest event;
    int code = cli_parse(&explain_command, argc, argv, &x, &event);
    if (code != CLI_GO)
        return code;
    if (!check_options(&x, event.n))
        return EXPLAIN_BAD;
    bool loaded = policy_chosen_load(&x.chosen);
    if (loaded)
        take_events(&x, event.list, event.n);
    policy_unref(x.chosen.policy);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the explanation: %s", strerror(errno));
        return EXPLAIN_BAD;
    }
    return loaded && !x.bad ? EXPLAIN_GOOD : EXPLAIN_BAD;
}
