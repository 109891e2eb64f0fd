/* SPDX-License-Identifier: MIT
 * The writing half of JSON. jansson would take only valid UTF-8 and builds a tree for each record;
 * a record is written once, from bytes that others chose. */
#include "audit/json.h"

#include <inttypes.h>
#include <string.h>

void json_put_comma(struct buffer *out)
{
    const char last = out->len ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[' && last != ':')
        buffer_add_char(out, ',');
}

void json_put_key(struct buffer *out, const char *name)
{
    json_put_comma(out);
    buffer_add_char(out, '"');
    buffer_add_string(out, name);
    buffer_add(out, "\":", 2);
}

size_t utf8_length(const char *data, size_t len, uint32_t *code)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least; /* less than this is an overlong form */
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    if (!len)
        return 0;
    uint8_t first = (uint8_t)data[0];
    for (size_t n = 1; n <= ARRAY_SIZE(forms); n++) {
        if ((first & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        if (n > len)
            return 0;
        *code = first & (uint8_t)~forms[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            uint8_t next = (uint8_t)data[i];
            if ((next & 0xc0) != 0x80)
                return 0;
            *code = *code << 6 | (next & 0x3f);
        }
        bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
        return *code < forms[n - 1].least || surrogate || *code > 0x10ffff ? 0 : n;
    }
    return 0;
}

/* Characters that break lines, move the cursor or turn the direction of text: valid in JSON, but
 * people look at logs in terminals and editors. */
static bool must_escape(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x2069}, {0xfeff, 0xfeff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static void add_escaped(struct buffer *out, uint32_t code)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (code < sizeof(letters) && letters[code])
        buffer_printf(out, "\\%c", letters[code]);
    else
        buffer_printf(out, "\\u%04" PRIx32, code);
}

/* Bytes from the start that stand as they are; most strings are all of this kind. */
static size_t plain_run(const char *data, size_t len)
{
    size_t n = 0;
    while (n < len && data[n] >= 0x20 && data[n] < 0x7f && data[n] != '"' && data[n] != '\\')
        n++;
    return n;
}

bool json_put_string(struct buffer *out, const char *data, size_t len)
{
    bool valid = true;
    buffer_add_char(out, '"');
    for (size_t at = 0; at < len;) {
        size_t plain = plain_run(data + at, len - at);
        buffer_add(out, data + at, plain);
        at += plain;
        if (at == len)
            break;
        uint32_t code = 0;
        size_t n = utf8_length(data + at, len - at, &code);
        if (!n) {
            buffer_add_string(out, "\xef\xbf\xbd");
            valid = false;
            n = 1;
        } else if (code == '"' || code == '\\') {
            buffer_printf(out, "\\%c", (int)code);
        } else if (must_escape(code)) {
            add_escaped(out, code);
        } else {
            buffer_add(out, data + at, n);
        }
        at += n;
    }
    buffer_add_char(out, '"');
    return valid;
}

void json_put_base64(struct buffer *out, const char *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buffer_add_char(out, '"');
    for (size_t at = 0; at < len; at += 3) {
        size_t n = MIN(len - at, 3);
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < n ? (uint8_t)data[at + i] : 0);
        for (size_t i = 0; i < 4; i++)
            buffer_add_char(out, i > n ? '=' : digits[bits >> (18 - 6 * i) & 63]);
    }
    buffer_add_char(out, '"');
}

void json_put_text(struct buffer *out, const char *name, const char *data, size_t len)
{
    json_put_key(out, name);
    if (json_put_string(out, data, len))
        return;
    json_put_comma(out);
    buffer_printf(out, "\"%s_raw\":", name);
    json_put_base64(out, data, len);
}

void json_put_text_or_null(struct buffer *out, const char *name, const char *text)
{
    if (text) {
        json_put_text(out, name, text, strlen(text));
        return;
    }
    json_put_key(out, name);
    buffer_add_string(out, "null");
}

void json_put_word(struct buffer *out, const char *name, const char *word)
{
    json_put_text(out, name, word, strlen(word));
}

void json_put_bool(struct buffer *out, const char *name, bool value)
{
    json_put_key(out, name);
    buffer_add_string(out, value ? "true" : "false");
}

void json_put_number(struct buffer *out, const char *name, uint64_t value)
{
    json_put_key(out, name);
    buffer_add_number(out, MIN(value, (uint64_t)INT64_MAX));
}
