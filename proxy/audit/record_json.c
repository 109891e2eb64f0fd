/* SPDX-License-Identifier: MIT
 * A record as the JSON object that people and log shippers read. The names and their order come
 * from the table of fields. */
#include <time.h>

#include "audit/json.h"
#include "audit/record_fields.h"

/* Grows when a field changes its name or meaning, not when one is added. */
#define SCHEMA 1

/* A number of so many digits, with zeros before it. */
static void put_digits(char *at, unsigned value, size_t digits)
{
    while (digits--) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void write_time(struct buffer *out, uint64_t us)
{
    char text[] = "\"0000-00-00T00:00:00.000000Z\"";
    us = MIN(us, RECORD_TIME_MAX);
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    put_digits(text + 1, (unsigned)(tm.tm_year + 1900), 4);
    put_digits(text + 6, (unsigned)(tm.tm_mon + 1), 2);
    put_digits(text + 9, (unsigned)tm.tm_mday, 2);
    put_digits(text + 12, (unsigned)tm.tm_hour, 2);
    put_digits(text + 15, (unsigned)tm.tm_min, 2);
    put_digits(text + 18, (unsigned)tm.tm_sec, 2);
    put_digits(text + 21, (unsigned)(us % 1000000), 6);
    json_put_key(out, "ts");
    buffer_add(out, text, sizeof(text) - 1);
}

static void write_ip(struct buffer *out, const char *name, uint32_t ip)
{
    json_put_key(out, name);
    for (unsigned shift = 32; shift; shift -= 8) {
        buffer_add_char(out, shift == 32 ? '"' : '.');
        buffer_add_number(out, ip >> (shift - 8) & 255);
    }
    buffer_add_char(out, '"');
}

static void write_answers(struct buffer *out, const struct record *r)
{
    json_put_key(out, "answers");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < MIN(r->n_answers, RECORD_ANSWERS_MAX); i++) {
        json_put_comma(out);
        buffer_add_char(out, '{');
        write_ip(out, "ip", r->answers[i].ip);
        json_put_number(out, "ttl", r->answers[i].ttl);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

static bool is_present(const struct record *r, const struct record_field *f)
{
    if (!f->name)
        return false;
    if (f->guard)
        return *((const uint8_t *)r + f->guard);
    switch (f->kind) {
    case FIELD_TIME:
        return true;
    case FIELD_TEXT:
        return field_text(r, f)->data;
    case FIELD_IP6:
        return field_text(r, f)->data && !r->has_dst;
    case FIELD_ANSWERS:
        return r->n_answers;
    case FIELD_COUNT:
        return field_value(r, f) > 1;
    case FIELD_DIALED:
        return field_value(r, f) && !(r->has_dst && r->dialed_ip == r->dst_ip);
    case FIELD_ENUM:
        return field_value(r, f) < f->n_words && f->words[field_value(r, f)];
    default:
        return field_value(r, f);
    }
}

static void write_field(struct buffer *out, const struct record *r, const struct record_field *f)
{
    switch (f->kind) {
    case FIELD_TIME:
        write_time(out, r->ts_us);
        break;
    case FIELD_IP:
    case FIELD_DIALED:
        write_ip(out, f->name, (uint32_t)field_value(r, f));
        break;
    case FIELD_ENUM:
        json_put_word(out, f->name, f->words[field_value(r, f)]);
        break;
    case FIELD_TEXT:
    case FIELD_IP6:
        json_put_text(out, f->name, field_text(r, f)->data, field_text(r, f)->len);
        break;
    case FIELD_ANSWERS:
        write_answers(out, r);
        break;
    case FIELD_TRUE:
    case FIELD_BOOL:
    case FIELD_GUARD:
        json_put_bool(out, f->name, field_value(r, f));
        break;
    case FIELD_U64:
    case FIELD_COUNT:
    case FIELD_U32:
    case FIELD_U16:
        json_put_number(out, f->name, field_value(r, f));
        break;
    }
}

void record_json(const struct record *r, const struct record_line *line, struct buffer *out)
{
    buffer_add_char(out, '{');
    for (size_t i = 0; i < record_n_fields; i++) {
        const struct record_field *f = &record_fields[i];
        if (is_present(r, f))
            write_field(out, r, f);
        if (f->kind == FIELD_TIME)
            json_put_number(out, "seq", line->seq);
    }
    if (line->told && line->told->len) {
        json_put_comma(out);
        buffer_add(out, line->told->data, line->told->len);
    } else if (line->process && !line->told) {
        record_process_json(line->process, line->args, out);
    }
    if (r->event == RECORD_START) {
        json_put_number(out, "schema", SCHEMA);
        if (line->prev)
            json_put_word(out, "prev", line->prev);
    }
}
