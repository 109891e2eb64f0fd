/* SPDX-License-Identifier: MIT
 * A record's line taken apart by its fixed beginning and end. */
#include "audit/record_line.h"

#include <errno.h>
#include <string.h>

#define HEAD     "{\"ts\":\""
#define TIME     "0000-00-00T00:00:00.000000Z" /* 0 stands for a digit */
#define SEQ      "\",\"seq\":"
#define EVENT    ",\"event\":\""
#define HASH     ",\"hash\":\""
#define HASH_HEX (2 * RECORD_HASH_LEN)
#define TAIL     "\"}"

#define LENGTH(literal) (sizeof(literal) - 1)

ptrdiff_t record_line_length(const char *data, size_t len)
{
    size_t looked = MIN(len, RECORD_LINE_MAX);
    const char *end = looked ? memchr(data, '\n', looked) : NULL;
    if (end)
        return end - data + 1;
    return looked == RECORD_LINE_MAX ? -EMSGSIZE : 0;
}

bool record_line_begins(const char *data, size_t len)
{
    return len == 0 || memcmp(data, HEAD, MIN(len, LENGTH(HEAD))) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool record_hash_parse(const char *hex, size_t len, uint8_t out[RECORD_HASH_LEN])
{
    if (len != HASH_HEX)
        return false;
    for (size_t i = 0; i < RECORD_HASH_LEN; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

size_t record_number_parse(const char *data, size_t len, uint64_t *out)
{
    size_t n = 0;
    *out = 0;
    for (; n < len && data[n] >= '0' && data[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(data[n] - '0');
        if (*out > ((uint64_t)INT64_MAX - digit) / 10)
            return 0;
        *out = *out * 10 + digit;
    }
    return n > 1 && data[0] == '0' ? 0 : n;
}

/* What is still to be read of a line. */
struct rest {
    const char *at;
    size_t len;
};

static bool take(struct rest *rest, const char *literal)
{
    size_t n = strlen(literal);
    if (rest->len < n || memcmp(rest->at, literal, n) != 0)
        return false;
    rest->at += n;
    rest->len -= n;
    return true;
}

static bool take_time(struct rest *rest)
{
    if (rest->len < LENGTH(TIME))
        return false;
    for (size_t i = 0; i < LENGTH(TIME); i++) {
        char c = rest->at[i];
        if (TIME[i] == '0' ? c < '0' || c > '9' : c != TIME[i])
            return false;
    }
    rest->at += LENGTH(TIME);
    rest->len -= LENGTH(TIME);
    return true;
}

static bool take_number(struct rest *rest, uint64_t *out)
{
    size_t n = record_number_parse(rest->at, rest->len, out);
    rest->at += n;
    rest->len -= n;
    return n;
}

int record_line_parse(const char *line, size_t len, struct line_parts *out)
{
    const size_t end = LENGTH(HASH) + HASH_HEX + LENGTH(TAIL);
    *out = (struct line_parts){0};
    if (len < end)
        return -EBADMSG;
    struct rest tail = {line + len - end, end};
    if (!take(&tail, HASH) || !record_hash_parse(tail.at, HASH_HEX, out->hash) ||
        memcmp(tail.at + HASH_HEX, TAIL, LENGTH(TAIL)) != 0)
        return -EBADMSG;
    out->hashed = len - end;
    struct rest rest = {line, out->hashed};
    if (!take(&rest, HEAD) || !take_time(&rest) || !take(&rest, SEQ) ||
        !take_number(&rest, &out->seq) || out->seq == 0 || !take(&rest, EVENT))
        return -EBADMSG;
    const char *quote = memchr(rest.at, '"', rest.len);
    if (!quote)
        return -EBADMSG;
    out->event = rest.at;
    out->event_len = (size_t)(quote - rest.at);
    return 0;
}
