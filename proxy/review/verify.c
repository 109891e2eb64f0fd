/* SPDX-License-Identifier: MIT
 * The command line of `verify`: reads the files in bounded pieces, prints what the walk finds. */
#include "review/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/json.h"
#include "base/fd.h"
#include "base/say.h"
#include "review/verify_walk.h"
#include "tls/digest.h"

#define FINDINGS_SHOWN 100

struct options {
    bool json, quiet;
    char **files;
    size_t n_files;
    struct walk walk; /* with the head that it shall end in */
};

struct report {
    const struct options *options;
    struct buffer findings; /* elements of the JSON list */
    uint64_t shown;
};

static void add_finding(struct buffer *out, const struct finding *f)
{
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_word(out, "file", f->file);
    json_put_number(out, "line", f->line);
    if (f->seq)
        json_put_number(out, "seq", f->seq);
    json_put_word(out, "kind", finding_word(f->kind));
    json_put_word(out, "text", f->text);
    buffer_add_char(out, '}');
}

static void on_finding(void *context, const struct finding *f)
{
    struct report *report = context;
    if (report->options->quiet || report->shown == FINDINGS_SHOWN)
        return;
    report->shown++;
    if (report->options->json)
        add_finding(&report->findings, f);
    else
        printf("%s:%" PRIu64 ": %s\n", f->file, f->line, f->text);
}

/* One file through a buffer that holds the longest record. */
struct reader {
    int fd;
    size_t len;
    bool skipping; /* within a line that is longer than any record */
    char data[RECORD_LINE_MAX];
};

/* Hands over the lines that are complete and moves the rest to the front. */
static void walk_buffer(struct reader *r, struct walk *w)
{
    size_t at = 0;
    for (;;) {
        ptrdiff_t n = record_line_length(r->data + at, r->len - at);
        if (n < 0) {
            if (!r->skipping)
                walk_long_line(w);
            r->skipping = true;
            n = RECORD_LINE_MAX;
        } else if (n == 0) {
            break;
        } else if (r->skipping) {
            r->skipping = false;
        } else {
            walk_line(w, r->data + at, (size_t)n - 1, true);
        }
        at += (size_t)n;
    }
    memmove(r->data, r->data + at, r->len - at);
    r->len -= at;
}

static int read_file(struct reader *r, struct walk *w)
{
    r->len = 0;
    r->skipping = false;
    for (;;) {
        ssize_t n = read(r->fd, r->data + r->len, sizeof(r->data) - r->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        r->len += (size_t)n;
        walk_buffer(r, w);
    }
    if (r->len && !r->skipping)
        walk_line(w, r->data, r->len, false);
    return 0;
}

static int walk_files(const struct options *o, struct walk *w)
{
    struct reader *r = malloc(sizeof(*r));
    int result = r ? 0 : -ENOMEM;
    for (size_t i = 0; result == 0 && i < o->n_files; i++) {
        walk_file(w, o->files[i]);
        r->fd = open(o->files[i], O_RDONLY | O_CLOEXEC);
        result = r->fd < 0 ? -errno : read_file(r, w);
        fd_close(&r->fd);
        if (result < 0)
            say_error("cannot read the log '%s': %s", o->files[i], strerror(-result));
    }
    free(r);
    return result;
}

static void print_json(const struct walk *w, struct report *report, int code)
{
    CLEANUP_BUFFER struct buffer out = {0};
    char hex[SHA256_HEX + 1];
    digest_hex(w->hash, hex);
    buffer_add_char(&out, '{');
    json_put_bool(&out, "good", code != VERIFY_BROKEN);
    json_put_bool(&out, "stopped", code == VERIFY_GOOD);
    json_put_number(&out, "records", w->records);
    json_put_number(&out, "runs", w->runs);
    json_put_key(&out, "head");
    buffer_add_char(&out, '{');
    json_put_number(&out, "seq", w->seq);
    json_put_word(&out, "hash", w->seq ? hex : "");
    buffer_add_char(&out, '}');
    json_put_number(&out, "faults", w->findings);
    json_put_key(&out, "findings");
    buffer_add_char(&out, '[');
    buffer_add(&out, report->findings.data, report->findings.len);
    buffer_add_string(&out, "]}\n");
    if (buffer_failed(&out) || buffer_failed(&report->findings))
        say_error("out of memory");
    else
        fputs(out.data, stdout);
}

static void print_text(const struct walk *w, const struct report *report, int code)
{
    char hex[SHA256_HEX + 1];
    digest_hex(w->hash, hex);
    if (w->findings > report->shown)
        printf("and %" PRIu64 " more\n", w->findings - report->shown);
    printf("%" PRIu64 " record%s, %" PRIu64 " run%s", w->records, w->records == 1 ? "" : "s",
           w->runs, w->runs == 1 ? "" : "s");
    if (w->seq)
        printf(", newest %" PRIu64 ":%s", w->seq, hex);
    if (code == VERIFY_BROKEN)
        printf("\nNOT as written: %" PRIu64 " fault%s\n", w->findings, w->findings == 1 ? "" : "s");
    else if (code == VERIFY_NO_STOP)
        printf("\ngood, but %s\n",
               w->running ? "the last run has no stop record: it is still going on, or was killed"
                          : "an earlier run has no stop record: it was killed");
    else
        printf("\ngood\n");
}

static int verify(const struct options *o, struct walk *w)
{
    struct report report = {.options = o};
    w->found = on_finding;
    w->context = &report;
    if (walk_start(w) < 0) {
        say_error("out of memory");
        return VERIFY_USAGE;
    }
    int code = VERIFY_USAGE;
    if (walk_files(o, w) == 0) {
        walk_end(w);
        code = w->findings ? VERIFY_BROKEN : w->runs > w->stops ? VERIFY_NO_STOP : VERIFY_GOOD;
        if (!o->quiet && o->json)
            print_json(w, &report, code);
        else if (!o->quiet)
            print_text(w, &report, code);
        fflush(stdout);
    }
    walk_release(w);
    buffer_release(&report.findings);
    return code;
}

static int set_head(void *field, const char *value)
{
    struct walk *w = field;
    size_t n = record_number_parse(value, strlen(value), &w->head_seq);
    w->has_head = n && w->head_seq && value[n] == ':' &&
                  record_hash_parse(value + n + 1, strlen(value + n + 1), w->head_hash);
    return w->has_head ? 0 : -EINVAL;
}

static const struct cli_option options[] = {
    {.name = "head",
     .value = "SEQ:HASH",
     .set = set_head,
     .field = offsetof(struct options, walk),
     .help = "the newest record as it was told elsewhere (at the end of the run, in a CI step's "
             "output): finds also an end that was cut off and a log that was written anew as a "
             "whole",
     .must = "it is SEQ:HASH, a number and 64 hex digits in lower case"},
    {.name = "json",
     .set = cli_flag,
     .field = offsetof(struct options, json),
     .help = "the result as one JSON object"},
    {.name = "quiet",
     .set = cli_flag,
     .field = offsetof(struct options, quiet),
     .help = "the exit status only"},
};

const struct cli_command verify_command = {
    .name = "verify",
    .summary = "check that a log is whole and unchanged",
    .usage = "LOG… [--head SEQ:HASH] [--json] [--quiet]",
    .about = "Says whether an audit log is as it was written: finds records that were changed,\n"
             "removed, reordered, cut off or torn, and names file and line. Several files are\n"
             "one chain, in the order given.\n",
    .status = "Exit status:\n"
              "  0  good\n"
              "  1  not as it was written\n"
              "  2  wrong usage, or a file cannot be read\n"
              "  3  good, but a run has no stop record: it is still going on, or was killed\n",
    .example = "Example:\n"
               "  egress-filter verify egress.jsonl --head 340:5f0c…\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .takes = CLI_FILE,
    .least = 1,
    .most = -1,
    .needs = "needs a log to read",
    .main = verify_main,
};

int verify_main(int argc, char **argv)
{
    struct options o = {0};
    struct cli_rest files;
    int code = cli_parse(&verify_command, argc, argv, &o, &files);
    if (code != CLI_GO)
        return code;
    o.files = files.list;
    o.n_files = (size_t)files.n;
    return verify(&o, &o.walk);
}
