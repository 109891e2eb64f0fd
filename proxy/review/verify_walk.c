/* SPDX-License-Identifier: MIT
 * One step a line. After a finding the walk takes the line's own word for its number and hash, so
 * that one edit gives one finding and not one for each record behind it. */
#include "review/verify_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/chain.h"
#include "tls/digest.h"

_Static_assert(RECORD_HASH_LEN == SHA256_LEN, "the chain is SHA-256");

const char *finding_word(enum finding_kind kind)
{
    static const char *const words[] = {
        [FINDING_CHANGED] = "changed",     [FINDING_MISSING] = "missing",
        [FINDING_REORDERED] = "reordered", [FINDING_TORN] = "torn",
        [FINDING_FORM] = "form",           [FINDING_CUT_OFF] = "cut-off",
    };
    return words[kind];
}

int walk_start(struct walk *w)
{
    w->digest = digest_new();
    return w->digest ? 0 : -ENOMEM;
}

void walk_release(struct walk *w)
{
    digest_free(w->digest);
    w->digest = NULL;
}

void walk_file(struct walk *w, const char *name)
{
    w->file = name;
    w->line = 0;
}

static void tell(struct walk *w, enum finding_kind kind, uint64_t seq, const char *format, ...)
    PRINTF(4, 5);
static void tell(struct walk *w, enum finding_kind kind, uint64_t seq, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct finding f = {.kind = kind, .file = w->file, .line = w->line, .seq = seq, .text = text};
    w->findings++;
    w->found(w->context, &f);
}

/* What is wrong with a line as JSON, or NULL. jansson's own text quotes the line, which may hold
 * anything, so it is not shown. */
static const char *json_fault(const char *line, size_t len, json_t **out)
{
    json_error_t error;
    *out = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!*out)
        return json_error_code(&error) == json_error_duplicate_key ? "it has the same field twice"
                                                                   : "it is not valid JSON";
    return json_is_object(*out) ? NULL : "it is not a JSON object";
}

static void check_seq(struct walk *w, uint64_t seq)
{
    uint64_t next = w->seq + 1;
    if (seq == next)
        return;
    if (seq < next)
        tell(w, FINDING_REORDERED, seq, "record %" PRIu64 " stands after record %" PRIu64, seq,
             w->seq);
    else if (seq == next + 1)
        tell(w, FINDING_MISSING, next, "record %" PRIu64 " is missing before this line", next);
    else
        tell(w, FINDING_MISSING, next,
             "records %" PRIu64 " to %" PRIu64 " are missing before this line", next, seq - 1);
}

static bool check_hash(struct walk *w, const char *line, const struct line_parts *parts)
{
    uint8_t hash[RECORD_HASH_LEN];
    chain_hash(w->digest, w->hash, line, parts->hashed, hash);
    if (memcmp(hash, parts->hash, sizeof(hash)) == 0)
        return true;
    tell(w, FINDING_CHANGED, parts->seq,
         w->seq ? "record %" PRIu64 " was changed: its hash does not follow from its bytes and "
                  "the record before it"
                : "record %" PRIu64 " was changed: its hash does not follow from its bytes",
         parts->seq);
    return false;
}

static bool event_is(const struct line_parts *parts, const char *event)
{
    return parts->event_len == strlen(event) && memcmp(parts->event, event, parts->event_len) == 0;
}

/* A start record names the hash before it, also across files. */
static void check_start(struct walk *w, const struct line_parts *parts, const json_t *record)
{
    const json_t *prev = json_object_get(record, "prev");
    uint8_t hash[RECORD_HASH_LEN];
    if (!json_is_string(prev) ||
        !record_hash_parse(json_string_value(prev), json_string_length(prev), hash))
        tell(w, FINDING_FORM, parts->seq, "start record %" PRIu64 " does not name the hash before",
             parts->seq);
    else if (parts->seq == w->seq + 1 && memcmp(hash, w->hash, sizeof(hash)) != 0)
        tell(w, FINDING_CHANGED, parts->seq,
             "start record %" PRIu64 " names another hash before it than there is", parts->seq);
}

static void check_head(struct walk *w, const struct line_parts *parts)
{
    if (!w->has_head || parts->seq != w->head_seq)
        return;
    w->head_found = true;
    if (memcmp(parts->hash, w->head_hash, sizeof(w->head_hash)) != 0)
        tell(w, FINDING_CHANGED, parts->seq,
             "record %" PRIu64 " has another hash than --head says: it, or records before it, "
             "were written anew",
             parts->seq);
}

/* Keeps count of runs. A run that has no stop record is not a finding: it may be live. */
static void count_run(struct walk *w, const struct line_parts *parts)
{
    if (event_is(parts, "start")) {
        w->runs++;
        w->running = true;
    } else if (event_is(parts, "stop")) {
        w->stops++;
        w->running = false;
    }
}

static void walk_record(struct walk *w, const char *line, const struct line_parts *parts,
                        const json_t *record)
{
    bool first = w->records == 0, next = parts->seq == w->seq + 1;
    w->records++;
    check_seq(w, parts->seq);
    /* Behind a gap nothing is known that the hash could be held against. */
    if (next)
        check_hash(w, line, parts);
    if (event_is(parts, "start"))
        check_start(w, parts, record);
    else if (first && next)
        tell(w, FINDING_FORM, parts->seq, "the log does not begin with a start record");
    check_head(w, parts);
    count_run(w, parts);
    if (parts->seq <= w->seq)
        return; /* out of place: the chain goes on behind the newest one */
    w->seq = parts->seq;
    memcpy(w->hash, parts->hash, sizeof(w->hash));
}

void walk_line(struct walk *w, const char *line, size_t len, bool ended)
{
    struct line_parts parts;
    json_t *record = NULL;
    w->line++;
    if (!ended) {
        tell(w, FINDING_TORN, 0, "torn: the line has no end%s",
             record_line_parse(line, len, &parts) == 0 ? ", though its record is whole"
                                                       : ", its record was not written wholly");
        return;
    }
    if (record_line_parse(line, len, &parts) < 0) {
        bool begins = len && record_line_begins(line, len);
        bool closed = len && line[len - 1] == '}';
        if (begins && !closed)
            tell(w, FINDING_TORN, 0, "torn: the record was not written wholly");
        else
            tell(w, FINDING_FORM, 0, "this line is not a record%s", len ? "" : ": it is empty");
        return;
    }
    const char *fault = json_fault(line, len, &record);
    if (fault)
        tell(w, FINDING_FORM, parts.seq, "record %" PRIu64 " is none: %s", parts.seq, fault);
    walk_record(w, line, &parts, record);
    json_decref(record);
}

void walk_long_line(struct walk *w)
{
    w->line++;
    tell(w, FINDING_FORM, 0, "this line is longer than any record");
}

void walk_end(struct walk *w)
{
    if (!w->records)
        tell(w, FINDING_CUT_OFF, 0, "there is no record: a log begins with a start record");
    else if (w->has_head && !w->head_found && w->head_seq > w->seq)
        tell(w, FINDING_CUT_OFF, w->seq,
             "cut off: the log ends with record %" PRIu64 ", --head names record %" PRIu64, w->seq,
             w->head_seq);
}
