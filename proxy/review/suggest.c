/* SPDX-License-Identifier: MIT
 * The command line of `suggest`: logs in, one summary of all of them, its lines out. */
#include "review/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/suggest.h"
#include "base/new_file.h"
#include "base/say.h"
#include "review/event_json.h"
#include "review/log_input.h"
#include "review/log_record.h"
#include "review/policy_chosen.h"

struct suggest {
    struct policy_chosen chosen; /* its policy NULL: the log's word counts */
    const char *output, *repo;
    bool json;
    char repo_room[REPO_ROOM];
    struct event_reader *reader;
    struct summary *summary;
    struct log_input input;
    uint64_t run, files; /* which one the line at hand is of */
};

static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* A start record names its run, which may go on in another file. */
static void take_start(struct suggest *s, struct fields *f)
{
    const char *event = fields_text(f, "event"), *run = fields_text(f, "run_id");
    if (event && run && strcmp(event, "start") == 0)
        s->run = text_hash(run);
}

static void take_event(struct suggest *s, struct fields *f, const struct event *e)
{
    struct log_record r;
    bool decided = log_record_read(f, e, &r), denied;
    if (f->error->code)
        return;
    r.who.run = s->run;
    denied = r.record.policy == RECORD_POLICY_DENY || r.record.outcome == RECORD_DENIED;
    if (s->chosen.policy)
        denied = log_record_judge(s->chosen.policy, e, &r);
    if (denied && (decided || s->chosen.policy))
        summary_count(s->summary, &r.record, &r.who);
}

static void take_line(void *context, const char *line, size_t len)
{
    struct suggest *s = context;
    const struct event *e = NULL;
    struct error error = {0};
    int result = event_reader_line(s->reader, line, len, &e, &error);
    struct fields f = {event_reader_object(s->reader), &error};
    if (result >= 0 && f.object)
        take_start(s, &f);
    if (result > 0 && !error.code)
        take_event(s, &f, e);
    if (error.code)
        log_input_fault(&s->input, error.text);
}

static void begin_file(void *context)
{
    struct suggest *s = context;
    s->run = ++s->files;
}

static bool put_out(const struct suggest *s, const struct new_file *file, const struct buffer *text)
{
    struct error error = {0};
    if (!s->output) {
        fwrite(text->data, 1, text->len, stdout);
        if (fflush(stdout) == 0 && !ferror(stdout))
            return true;
        say_error("cannot write the suggestions: %s", strerror(errno));
        return false;
    }
    if (new_file_write(file, text->data, text->len, &error) == 0)
        return true;
    say_error("%s", error.text);
    return false;
}

static bool write_out(const struct suggest *s, const struct new_file *file)
{
    CLEANUP_BUFFER struct buffer text = {0};
    struct suggestions *found = suggestions_new(s->summary);
    if (found && s->json) {
        suggestions_json(found, &text);
        buffer_add_char(&text, '\n');
    } else if (found) {
        suggestions_policy(found, &text);
    }
    suggestions_free(found);
    if (found && !buffer_failed(&text))
        return put_out(s, file, &text);
    say_error("out of memory");
    return false;
}

/* A log that cannot be read to its end makes no policy: what is missing would not be seen. */
static bool suggest(struct suggest *s, const struct new_file *file, char **logs, int n)
{
    s->input = (struct log_input){.take = take_line, .begin = begin_file, .context = s};
    s->reader = event_reader_new(EVENT_READER_NAMES);
    s->summary = summary_new();
    bool good = s->reader && s->summary;
    if (good)
        log_input_read(&s->input, logs, n);
    else
        say_error("out of memory");
    good = good && !s->input.bad && write_out(s, file);
    event_reader_free(s->reader);
    summary_free(s->summary);
    return good;
}

static const struct cli_option options[] = {
    {.name = "policy",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_add,
     .field = offsetof(struct suggest, chosen.paths),
     .help =
         "judge everything anew by these rules, and leave out what they allow; may be repeated"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_any,
     .field = offsetof(struct suggest, chosen.options.context),
     .help = "start context of that policy, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = cli_any,
     .field = offsetof(struct suggest, repo),
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
    {.name = "lenient",
     .set = cli_flag,
     .field = offsetof(struct suggest, chosen.options.lenient),
     .help = "skip allow lines of that policy that have errors"},
    {.name = "output",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_text,
     .field = offsetof(struct suggest, output),
     .help = "write to this new file"},
    {.name = "json",
     .set = cli_flag,
     .field = offsetof(struct suggest, json),
     .help = "print one JSON object instead"},
};

const struct cli_command suggest_command = {
    .name = "suggest",
    .summary = "say which lines of a policy would allow what logs say was denied",
    .usage = "[OPTION…] LOG…",
    .about =
        "Prints what logs say was denied, or would have been under --audit, as a policy: for each\n"
        "the narrowest line that allows it, with who asked, how often and when. What no line can\n"
        "allow is a comment that says why. - is standard input.\n",
    .status = "Exit status: 0 done, 2 a log or policy cannot be read or has errors, or the output\n"
              "cannot be written.\n",
    .example = "Example:\n"
               "  egress-filter suggest --policy egress.rules egress.jsonl\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_FILE,
    .least = 1,
    .most = -1,
    .needs = "needs a log, such as egress.jsonl, or - for standard input",
    .main = suggest_main,
};

int suggest_main(int argc, char **argv)
{
    struct suggest s = {.chosen = {.command = "suggest", .optional = true}};
    struct new_file file = NEW_FILE_INIT;
    struct error error = {0};
    struct cli_rest logs;
    int code = cli_parse(&suggest_command, argc, argv, &s, &logs);
    if (code != CLI_GO)
        return code;
    bool good =
        policy_set_repo(s.repo, s.repo_room, &s.chosen.options) && policy_chosen_load(&s.chosen);
    if (good && s.output && new_file_prepare(s.output, &file, &error)) {
        say_error("%s", error.text);
        good = false;
    }
    good = good && suggest(&s, &file, logs.list, logs.n);
    new_file_release(&file);
    policy_unref(s.chosen.policy);
    return good ? SUGGEST_GOOD : SUGGEST_BAD;
}
