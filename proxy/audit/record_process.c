/* SPDX-License-Identifier: MIT
 * The part of a line that says which process it was: everything here was chosen by that process or
 * its parents, so it is escaped, and secrets on the command line are left out. */
#include <string.h>

#include "audit/json.h"
#include "audit/record_fields.h"
#include "audit/redact.h"

static void write_string(struct buffer *out, const char *name, const char *s)
{
    if (s)
        json_put_text(out, name, s, strlen(s));
}

struct command_line {
    struct buffer plain, raw, redacted; /* elements of the three lists */
    bool all_utf8;
};

static void command_line_release(struct command_line *c)
{
    buffer_release(&c->plain);
    buffer_release(&c->raw);
    buffer_release(&c->redacted);
}

static void collect_args(const struct process *p, enum log_args args, struct command_line *c)
{
    CLEANUP_BUFFER struct buffer one = {0};
    struct redact redact = {0};
    for (size_t i = 0; i < p->n_args; i++) {
        buffer_clear(&one);
        if (args == LOG_ARGS_FULL) {
            buffer_add_string(&one, p->args[i]);
        } else if (redact_arg(&redact, p->args[i], &one)) {
            json_put_comma(&c->redacted);
            buffer_add_number(&c->redacted, i);
        }
        c->plain.failed |= buffer_failed(&one);
        json_put_comma(&c->plain);
        if (!json_put_string(&c->plain, one.data, one.len))
            c->all_utf8 = false;
        /* Of the redacted text, so that what was taken out is not beside it in base64. */
        json_put_comma(&c->raw);
        json_put_base64(&c->raw, one.data, one.len);
    }
}

static void write_list(struct buffer *out, const char *name, const struct buffer *elements)
{
    json_put_key(out, name);
    buffer_add_char(out, '[');
    buffer_add(out, elements->data, elements->len);
    buffer_add_char(out, ']');
    out->failed |= buffer_failed(elements);
}

static void write_args(const struct process *p, enum log_args args, struct buffer *out)
{
    if (!p->n_args || args == LOG_ARGS_NONE)
        return;
    CLEANUP(command_line_release) struct command_line c = {.all_utf8 = true};
    collect_args(p, args, &c);
    write_list(out, "cmdline", &c.plain);
    if (!c.all_utf8)
        write_list(out, "cmdline_raw", &c.raw);
    if (p->flags & PROCESS_ARGS_CUT)
        json_put_bool(out, "cmdline_truncated", true);
    if (c.redacted.len)
        write_list(out, "cmdline_redacted", &c.redacted);
}

static void write_ancestors(const struct process *p, struct buffer *out)
{
    if (!p->n_ancestors)
        return;
    json_put_key(out, "ancestors");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < p->n_ancestors; i++) {
        json_put_comma(out);
        buffer_add_char(out, '{');
        json_put_number(out, "pid", p->ancestors[i].pid);
        write_string(out, "exe", p->ancestors[i].exe);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

void record_process_json(const struct process *p, enum log_args args, struct buffer *out)
{
    if (p->ns_pid && p->ns_pid != p->key.pid)
        json_put_number(out, "ns_pid", p->ns_pid);
    write_string(out, "exe", p->exe);
    if (p->flags & PROCESS_FOREIGN)
        json_put_bool(out, "foreign", true);
    if (p->exe && !(p->known & FACT_EXE)) { /* told, but no rule relied on it */
        json_put_key(out, "unknown");
        buffer_add_string(out, "[\"exe\"]");
    }
    write_string(out, "sha256", p->sha256);
    write_args(p, args, out);
    write_string(out, "cwd", p->cwd);
    write_string(out, "user", p->user);
    if (p->known & FACT_USER)
        json_put_number(out, "uid", p->uid);
    write_ancestors(p, out);
    write_string(out, "cgroup", p->cgroup);
    if (p->mntns)
        json_put_number(out, "mntns", p->mntns);
    if (p->netns)
        json_put_number(out, "netns", p->netns);
    const char *id = process_container_id(p);
    if (id)
        json_put_text(out, "container_id", id, PROCESS_CONTAINER_ID_LEN);
}
