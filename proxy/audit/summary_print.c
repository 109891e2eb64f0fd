/* SPDX-License-Identifier: MIT
 * A summary as text for people, in the form that an issue or a terminal takes, and as JSON. Names
 * and paths in it were chosen by those who are being watched: only printable ASCII goes out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/json.h"
#include "audit/suggest_line.h"
#include "audit/summary_rows.h"

#define SHOWN_MAX 100 /* rows; a table longer than that is read in the log */
#define LINES_MAX 100 /* lines that are proposed */
#define NARROWEST 16  /* columns that a text column keeps */
#define NUMBERS   29  /* columns of the three numbers, and the blanks behind them */

void summary_put_safe(struct buffer *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            buffer_add_char(out, (char)c);
        else
            buffer_printf(out, "\\x%02x", c);
    }
}

void summary_put_destination(const struct summary_row *row, struct buffer *out)
{
    if (row->kind == ROW_URL) {
        summary_put_safe(out, row->method, strlen(row->method));
        buffer_add_char(out, ' ');
    }
    if (row->destination.cut)
        buffer_add_string(out, "...");
    summary_put_safe(out, row->destination.data, row->destination.len);
    if (!row->destination.len)
        buffer_add_string(out, "(no address)");
    if (row->kind == ROW_DNS) {
        buffer_add_string(out, " (dns");
        if (row->ip)
            buffer_printf(out, " at %u.%u.%u.%u", row->ip >> 24, row->ip >> 16 & 255,
                          row->ip >> 8 & 255, row->ip & 255);
        buffer_add_char(out, ')');
    } else if (row->kind == ROW_IPV6 && row->port) {
        buffer_printf(out, " port %u", row->port);
    } else if (row->kind != ROW_URL) {
        if (row->port && (row->port != 443 || row->udp))
            buffer_printf(out, ":%u", row->port);
        if (row->udp)
            buffer_add_string(out, "/udp");
    }
    if (row->called.len) {
        buffer_add_string(out, " (");
        summary_put_safe(out, row->called.data, row->called.len);
        buffer_add_char(out, ')');
    }
}

void summary_put_program(const struct summary_row *row, struct buffer *out)
{
    if (row->program.cut)
        buffer_add_string(out, "...");
    summary_put_safe(out, row->program.data, row->program.len);
    if (!row->program.len)
        buffer_add_string(out, row->kind == ROW_OTHERS ? "(several)" : "(not known)");
}

/* `egress.rules:3 *.example`, with the log's word for it where it was denied. */
static void put_decision(const struct summary_row *row, struct buffer *out)
{
    const char *glue = "";
    if (row->reason[0]) {
        summary_put_safe(out, row->reason, strlen(row->reason));
        glue = " ";
    }
    if (!row->rule_file.len)
        return;
    buffer_add_string(out, glue);
    summary_put_safe(out, row->rule_file.data, row->rule_file.len);
    buffer_printf(out, ":%" PRIu64 " ", row->line);
    summary_put_safe(out, row->rule.data ? row->rule.data : "", row->rule.len);
    if (row->rule.cut)
        buffer_add_string(out, "...");
}

/* Of a destination that is too long the end stays, which says more of a name. */
static void print_cell(FILE *out, const struct buffer *text, size_t width)
{
    const char *s = text->data ? text->data : "";
    if (text->len <= width)
        fprintf(out, "%-*s", (int)width, s);
    else
        fprintf(out, "...%s", s + text->len - (width - 3));
}

/* Columns of the destinations; those of the decisions get what is left. */
static size_t fit(const struct summary_row *rows, size_t n, unsigned width)
{
    CLEANUP_BUFFER struct buffer text = {0};
    size_t widest = NARROWEST;
    for (size_t i = 0; i < n; i++) {
        buffer_clear(&text);
        summary_put_destination(&rows[i], &text);
        widest = MAX(widest, text.len);
    }
    size_t room = MAX(width, NUMBERS + 2 * NARROWEST) - NUMBERS;
    return width ? MIN(widest, room - MIN(room / 3, (size_t)NARROWEST * 2)) : widest;
}

static void print_row(FILE *out, const struct summary_row *row, size_t column, unsigned width,
                      bool colour)
{
    CLEANUP_BUFFER struct buffer text = {0};
    CLEANUP_BUFFER struct buffer decision = {0};
    const char *start = "";
    if (colour && (row->denied || row->failed))
        start = row->denied ? "\033[31m" : "\033[33m";
    fprintf(out, "%s%9" PRIu64 "%9" PRIu64 "%9" PRIu64 "  ", start, row->allowed,
            row->denied + row->expected, row->failed);
    summary_put_destination(row, &text);
    put_decision(row, &decision);
    print_cell(out, &text, decision.len ? column : MIN(text.len, column));
    if (decision.len) {
        size_t taken = NUMBERS + column + 2;
        size_t room = width ? MAX(width, taken) - taken : decision.len;
        fprintf(out, "  %.*s", (int)MIN(room, decision.len), decision.data);
    }
    fprintf(out, "%s\n", *start ? "\033[0m" : "");
}

static bool same_program(const struct summary_row *a, const struct summary_row *b)
{
    return (a->kind == ROW_OTHERS) == (b->kind == ROW_OTHERS) &&
           strcmp(a->program.data, b->program.data) == 0;
}

static void print_table(FILE *out, const struct summary_row *rows, size_t n, unsigned width,
                        bool colour)
{
    CLEANUP_BUFFER struct buffer text = {0};
    size_t column = fit(rows, n, width);
    fprintf(out, "%s%9s%9s%9s  %-*s  %s%s\n", colour ? "\033[1m" : "", "ALLOWED", "DENIED",
            "FAILED", (int)column, "DESTINATION", "DECIDED BY", colour ? "\033[0m" : "");
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same_program(&rows[i - 1], &rows[i])) {
            buffer_clear(&text);
            summary_put_program(&rows[i], &text);
            print_cell(out, &text, width ? MIN(text.len, MAX(width, NARROWEST)) : text.len);
            fputc('\n', out);
        }
        print_row(out, &rows[i], column, width, colour);
    }
}

static void print_lines(FILE *out, const struct summary *s)
{
    CLEANUP_BUFFER struct buffer text = {0};
    struct suggestions *found = suggestions_new(s);
    size_t without;
    if (found && suggestions_count(found, &without) + without) {
        fprintf(out, "\n%s; what would allow it, as lines of a policy:\n\n",
                found->let_through ? "The policy denies this (it was let through: audit mode)"
                                   : "Denied");
        suggestions_lines(found, LINES_MAX, &text);
        if (!buffer_failed(&text))
            fwrite(text.data, 1, text.len, out);
    }
    suggestions_free(found);
}

void summary_print(const struct summary *s, FILE *out, unsigned width, bool colour)
{
    struct summary_row *rows = NULL;
    size_t n = summary_sorted(s, &rows), shown = MIN(n, SHOWN_MAX);
    struct summary_totals t = summary_totals(s);
    fprintf(out, "%" PRIu64 " allowed, %" PRIu64 " denied", t.allowed, t.denied);
    if (t.expected)
        fprintf(out, ", %" PRIu64 " denied as expected", t.expected);
    if (t.failed)
        fprintf(out, ", %" PRIu64 " failed", t.failed);
    fputc('\n', out);
    if (shown) {
        fputc('\n', out);
        print_table(out, rows, shown, width, colour);
        if (n > shown)
            fprintf(out, "and %zu more; the log has them all\n", n - shown);
        print_lines(out, s);
    }
    free(rows);
}

static void row_json(const struct summary_row *row, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer text = {0};
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_text(out, "destination", row->destination.data, row->destination.len);
    if (row->port)
        json_put_number(out, "port", row->port);
    if (row->kind == ROW_HOST || row->kind == ROW_IP)
        json_put_word(out, "proto", row->udp ? "udp" : "tcp");
    if (row->kind == ROW_URL)
        json_put_text(out, "method", row->method, strlen(row->method));
    if (row->kind == ROW_DNS)
        json_put_bool(out, "dns", true);
    json_put_text(out, "program", row->program.data, row->program.len);
    json_put_number(out, "allowed", row->allowed);
    json_put_number(out, "denied", row->denied);
    json_put_number(out, "expected", row->expected);
    json_put_number(out, "failed", row->failed);
    if (row->rule_file.len) {
        json_put_text(out, "file", row->rule_file.data, row->rule_file.len);
        json_put_number(out, "line", row->line);
        json_put_text(out, "rule", row->rule.data ? row->rule.data : "", row->rule.len);
    }
    if (row->denied) {
        json_put_text(out, "reason", row->reason, strlen(row->reason));
        bool good = suggest_row(row, &text);
        json_put_text(out, good ? "suggest" : "why", text.data ? text.data : "", text.len);
    }
    buffer_add_char(out, '}');
}

void summary_json(const struct summary *s, const char *log, const char *head, FILE *out)
{
    CLEANUP_BUFFER struct buffer b = {0};
    struct summary_row *rows = NULL;
    size_t n = summary_sorted(s, &rows);
    struct summary_totals t = summary_totals(s);
    buffer_add_char(&b, '{');
    json_put_number(&b, "allowed", t.allowed);
    json_put_number(&b, "denied", t.denied);
    json_put_number(&b, "expected", t.expected);
    json_put_number(&b, "failed", t.failed);
    json_put_key(&b, "log");
    json_put_string(&b, log, strlen(log));
    json_put_key(&b, "head");
    json_put_string(&b, head, strlen(head));
    json_put_key(&b, "rows");
    buffer_add_char(&b, '[');
    for (size_t i = 0; i < n; i++)
        row_json(&rows[i], &b);
    buffer_add_string(&b, "]}\n");
    if (!buffer_failed(&b))
        fwrite(b.data, 1, b.len, out);
    free(rows);
}
