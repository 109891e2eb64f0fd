/* SPDX-License-Identifier: MIT
 * A summary as text for people, in the form that an issue or a terminal takes, and as JSON. Names
 * and paths in it were chosen by those who are being watched: only printable ASCII goes out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/json.h"
#include "audit/summary_rows.h"

#define SHOWN_MAX 100 /* rows; a table longer than that is read in the log */
#define NARROWEST 12  /* columns that a text column keeps */
#define NUMBERS   30  /* columns of the three numbers */
#define RULE_MAX  (SUMMARY_TEXT_MAX + 16)

/* Appends with every byte that is not printable ASCII as \xNN. */
static void add_safe(struct buffer *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            buffer_add_char(out, (char)c);
        else
            buffer_printf(out, "\\x%02x", c);
    }
}

static void safe_destination(const struct summary_row *row, struct buffer *out)
{
    buffer_clear(out);
    add_safe(out, row->destination, row->destination_len);
    if (!row->destination_len)
        buffer_add_string(out, "(no address)");
    if (row->kind == ROW_IPV6 && row->port)
        buffer_printf(out, " port %u", row->port);
    else if (row->port && (row->port != 443 || row->udp))
        buffer_printf(out, ":%u", row->port);
    if (row->udp)
        buffer_add_string(out, "/udp");
    if (row->kind == ROW_DNS)
        buffer_add_string(out, " (dns)");
}

static void safe_program(const struct summary_row *row, struct buffer *out)
{
    buffer_clear(out);
    add_safe(out, row->program, row->program_len);
    if (!row->program_len && row->kind != ROW_OTHERS)
        buffer_add_string(out, "(not known)");
}

/* Whether a name can stand in a rule as it is. Narrower than the language, which also takes names
 * beyond ASCII: what is printed here is made to be copied. */
static bool is_rule_name(const char *name, size_t len)
{
    size_t label = 0;
    if (!len || len > 253)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' ? i == label || i + 1 == len : !letter && !other)
            return false;
        if (c == '.')
            label = i + 1;
        if (i + 1 - label > 63)
            return false;
    }
    char first = name[label];
    return ((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z')) &&
           !strchr(name + label, '_') && name[len - 1] != '-';
}

/* Why no line would allow it, for the reasons that a new allow rule does not answer. */
static const char *why_not(const struct summary_row *row)
{
    static const struct {
        const char *reason, *why;
    } reasons[] = {
        {"veto", "a deny rule stands against it"},
        {"unattributed", "the process is not known"},
        {"sni-mismatch", "the names in TLS and in the request differ"},
        {"dst-mismatch", "the address is not one of that name"},
        {"tls-verify", "the server's certificate is not valid"},
        {"ech", "the true name is encrypted (ECH)"},
        {"doh", "DNS over HTTPS is judged by the name inside"},
        {"malformed", "the bytes were malformed"},
        {"limit", "a limit was reached"},
        {"unsupported", "a rule allows it, but UDP to groups and to the filter is not relayed"},
        {"name-limit", "too much was asked below a wildcard; name what is needed exactly"},
        {"inspect", "URL rules name it, and TLS and HTTP are not opened in this release"},
        {"zone-transfer", "zone transfers are refused"},
        {"metadata-address", "metadata services are reached by address rules only"},
        {"loopback", "it lies at this machine's loopback; --host-port N lets in one port of it"},
        {"resolver", "the name is allowed, its resolver is not"},
    };
    static const char *const kinds[] = {
        [ROW_IPV6] = "IPv6 is closed; no rule opens it",
        [ROW_OTHER] = "no rule opens this protocol",
        [ROW_OTHERS] = "see the log",
    };
    if (row->kind < ARRAY_SIZE(kinds) && kinds[row->kind])
        return kinds[row->kind];
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strcmp(row->reason, reasons[i].reason) == 0)
            return reasons[i].why;
    if (row->udp && row->kind == ROW_HOST)
        return "UDP is allowed by address; see dst_ip in the log";
    bool named = row->kind == ROW_HOST || row->kind == ROW_DNS;
    if (named && !is_rule_name(row->destination, row->destination_len))
        return "a rule cannot hold this name";
    return NULL;
}

/* The line that would allow what the row denies; returns NULL and fills rule in, or why not. */
static const char *suggest(const struct summary_row *row, char rule[RULE_MAX])
{
    const char *why = why_not(row);
    if (why)
        return why;
    char port[8] = "";
    if (row->port && (row->port != 443 || row->udp))
        snprintf(port, sizeof(port), ":%u", row->port);
    snprintf(rule, RULE_MAX, "%s%s%s%s", row->destination, port, row->udp ? "/udp" : "",
             strcmp(row->reason, "private-address") == 0 ? " private" : "");
    return NULL;
}

/* Prints a cell; of a text that is too long the end stays, which says more of paths and names. */
static void print_cell(FILE *out, const struct buffer *text, size_t width)
{
    const char *s = text->data ? text->data : "";
    if (text->len <= width)
        fprintf(out, "%-*s", (int)width, s);
    else
        fprintf(out, "...%s", s + text->len - (width - 3));
}

struct widths {
    size_t destination, program;
};

static struct widths fit(const struct summary_row *rows, size_t n, unsigned width)
{
    CLEANUP_BUFFER struct buffer text = {0};
    struct widths w = {NARROWEST, NARROWEST};
    for (size_t i = 0; i < n; i++) {
        safe_destination(&rows[i], &text);
        w.destination = MAX(w.destination, text.len);
        safe_program(&rows[i], &text);
        w.program = MAX(w.program, text.len);
    }
    if (!width)
        return w;
    size_t room = MAX(width, NUMBERS + 2 * NARROWEST + 2) - NUMBERS - 2;
    if (w.destination + w.program <= room)
        return w;
    /* The shorter column keeps what it needs up to a half. */
    if (w.program <= room / 2)
        w.destination = room - w.program;
    else if (w.destination <= room / 2)
        w.program = room - w.destination;
    else
        w = (struct widths){room - room / 2, room / 2};
    return w;
}

static void print_row(FILE *out, const struct summary_row *row, struct widths w, bool colour)
{
    CLEANUP_BUFFER struct buffer text = {0};
    const char *start = "";
    if (colour && (row->denied || row->failed))
        start = row->denied ? "\033[31m" : "\033[33m";
    fputs(start, out);
    safe_destination(row, &text);
    print_cell(out, &text, w.destination);
    fputs("  ", out);
    safe_program(row, &text);
    print_cell(out, &text, w.program);
    fprintf(out, "%10" PRIu64 "%10" PRIu64 "%10" PRIu64, row->allowed, row->denied + row->expected,
            row->failed);
    fprintf(out, "%s\n", *start ? "\033[0m" : "");
}

static void print_table(FILE *out, const struct summary_row *rows, size_t n, unsigned width,
                        bool colour)
{
    struct widths w = fit(rows, n, width);
    fprintf(out, "%s%-*s  %-*s%10s%10s%10s%s\n", colour ? "\033[1m" : "", (int)w.destination,
            "DESTINATION", (int)w.program, "PROGRAM", "ALLOWED", "DENIED", "FAILED",
            colour ? "\033[0m" : "");
    for (size_t i = 0; i < n; i++)
        print_row(out, &rows[i], w, colour);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each line once, whatever the number of programs that ran into it. What no rule allows stands as
 * a comment, so that the whole block can be pasted into a policy. */
static void print_rules(FILE *out, const struct summary_row *rows, size_t n)
{
    char **lines = calloc(n + 1, sizeof(*lines)), *last = NULL;
    size_t n_lines = 0;
    bool through = false;
    for (size_t i = 0; lines && i < n; i++) {
        CLEANUP_BUFFER struct buffer name = {0};
        char rule[RULE_MAX];
        if (!rows[i].denied)
            continue;
        through |= rows[i].let_through;
        const char *why = suggest(&rows[i], rule);
        safe_destination(&rows[i], &name);
        int len = why ? asprintf(&lines[n_lines], "# %s: %s", name.data ? name.data : "", why)
                      : asprintf(&lines[n_lines], "%s", rule);
        n_lines += len >= 0;
    }
    if (n_lines) {
        qsort(lines, n_lines, sizeof(*lines), compare_lines);
        fprintf(out, "\n%s; what would allow it, as lines of a policy:\n\n",
                through ? "The policy denies this (it was let through: audit mode)" : "Denied");
    }
    /* Comments sort before names and addresses; they come last. */
    for (int comments = 0; comments < 2; comments++)
        for (size_t i = 0; i < n_lines; i++) {
            if ((lines[i][0] == '#') != comments || (last && strcmp(lines[i], last) == 0))
                continue;
            fprintf(out, "    %s\n", lines[i]);
            last = lines[i];
        }
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i]);
    free(lines);
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
        print_rules(out, rows, shown);
    }
    free(rows);
}

static void row_json(const struct summary_row *row, struct buffer *out)
{
    char rule[RULE_MAX];
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_text(out, "destination", row->destination, row->destination_len);
    if (row->port)
        json_put_number(out, "port", row->port);
    if (row->kind == ROW_HOST || row->kind == ROW_IP)
        json_put_word(out, "proto", row->udp ? "udp" : "tcp");
    if (row->kind == ROW_DNS)
        json_put_bool(out, "dns", true);
    json_put_text(out, "program", row->program, row->program_len);
    json_put_number(out, "allowed", row->allowed);
    json_put_number(out, "denied", row->denied);
    json_put_number(out, "expected", row->expected);
    json_put_number(out, "failed", row->failed);
    if (row->denied) {
        json_put_word(out, "reason", row->reason);
        const char *why = suggest(row, rule);
        json_put_word(out, why ? "why" : "suggest", why ? why : rule);
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
