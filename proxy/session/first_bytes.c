/* SPDX-License-Identifier: MIT
 * Tells protocols apart by a client's first bytes. An answer, once given, holds whatever follows.
 * What a lenient server could take for an HTTP request is called HTTP, so that the strict parser
 * refuses it: as unknown bytes it would walk past the rules for URLs. */
#include "session/first_bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
    LINE_MAX_LEN = 8192, /* of a request line, empty lines before it included */
    METHOD_MAX_LEN = 64,
    DNS_HEAD = 2 + 12,
};

struct span {
    const char *at;
    size_t len;
};

/* The methods of RFC 9110, RFC 5789: with these one look at the target's first byte is enough. */
static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};

enum prefix { PREFIX_NO, PREFIX_MAYBE, PREFIX_YES };

static enum prefix match_prefix(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (s.len > 0 && memcmp(s.at, prefix, MIN(s.len, n)) != 0)
        return PREFIX_NO;
    return s.len < n ? PREFIX_MAYBE : PREFIX_YES;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* What lenient servers take for a blank in a request line (RFC 9112 section 3). */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static bool is_known_method(struct span method)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strlen(methods[i]) == method.len && memcmp(methods[i], method.at, method.len) == 0)
            return true;
    return false;
}

/* Whether the last word of a whole line begins with HTTP/. */
static bool ends_in_version(struct span line)
{
    static const char version[] = "HTTP/";
    while (line.len > 0 && is_blank(line.at[line.len - 1]))
        line.len--;
    size_t word = line.len;
    while (word > 0 && !is_blank(line.at[word - 1]))
        word--;
    return line.len - word >= sizeof(version) - 1 &&
           strncasecmp(line.at + word, version, sizeof(version) - 1) == 0;
}

/* The line behind its method: a target and a version, or a target alone (HTTP/0.9) behind a method
 * that everybody knows. */
static enum first_bytes classify_target(struct span rest, bool known_method, bool full)
{
    size_t start = 0;
    while (start < rest.len && is_blank(rest.at[start]))
        start++;
    if (start == rest.len)
        return full ? FIRST_BYTES_UNKNOWN : FIRST_BYTES_NONE;
    if (known_method && rest.at[start] == '/')
        return FIRST_BYTES_HTTP1;
    for (size_t i = start; i < rest.len; i++) {
        unsigned char c = (unsigned char)rest.at[i];
        if (c == '\n')
            return ends_in_version((struct span){rest.at, i}) ? FIRST_BYTES_HTTP1
                                                              : FIRST_BYTES_UNKNOWN;
        if ((c < ' ' && !is_blank((char)c)) || c == 0x7f)
            return FIRST_BYTES_UNKNOWN;
    }
    if (!full)
        return FIRST_BYTES_NONE;
    return known_method ? FIRST_BYTES_HTTP1 : FIRST_BYTES_UNKNOWN;
}

static enum first_bytes classify_request_line(struct span s)
{
    bool full = s.len >= LINE_MAX_LEN;
    s.len = MIN(s.len, (size_t)LINE_MAX_LEN);

    /* Empty lines before a request are skipped by servers (RFC 9112 section 2.2). */
    while (s.len > 0 && (*s.at == '\r' || *s.at == '\n'))
        s = (struct span){s.at + 1, s.len - 1};
    size_t n = 0;
    while (n < s.len && is_token_char(s.at[n]))
        n++;
    if (n > METHOD_MAX_LEN)
        return FIRST_BYTES_UNKNOWN;
    if (n == s.len)
        return full ? FIRST_BYTES_UNKNOWN : FIRST_BYTES_NONE;
    if (n == 0 || !is_blank(s.at[n]))
        return FIRST_BYTES_UNKNOWN;
    return classify_target((struct span){s.at + n, s.len - n},
                           is_known_method((struct span){s.at, n}), full);
}

/* QUERY, NOTIFY, UPDATE (RFC 1035, 1996, 2136). */
static bool is_answered_opcode(uint8_t flags)
{
    unsigned opcode = flags >> 3 & 15;
    return opcode == 0 || opcode == 4 || opcode == 5;
}

/* The header of a DNS question, whatever its id and length: QR 0, an opcode that servers answer,
 * one question, and of other records fewer than 256. No text has a NUL so early. */
static enum prefix match_dns(struct span s)
{
    static const struct {
        uint8_t mask, value;
    } form[DNS_HEAD] = {[4] = {0x80, 0}, [6] = {0xff, 0},  [7] = {0xff, 1},
                        [8] = {0xff, 0}, [10] = {0xff, 0}, [12] = {0xff, 0}};
    const uint8_t *at = (const uint8_t *)s.at;
    size_t n = MIN(s.len, (size_t)DNS_HEAD);
    for (size_t i = 0; i < n; i++)
        if ((at[i] & form[i].mask) != form[i].value)
            return PREFIX_NO;
    if ((n > 1 && (at[0] << 8 | at[1]) < DNS_HEAD - 2) || (n > 4 && !is_answered_opcode(at[4])))
        return PREFIX_NO;
    return n < DNS_HEAD ? PREFIX_MAYBE : PREFIX_YES;
}

enum first_bytes first_bytes_classify(const void *data, size_t len)
{
    static const struct {
        const char *prefix;
        enum first_bytes is;
    } table[] = {
        {"\x16\x03", FIRST_BYTES_TLS},
        {"SSH-", FIRST_BYTES_SSH},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FIRST_BYTES_H2C},
    };
    struct span s = {data, len};

    if (len == 0)
        return FIRST_BYTES_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        enum prefix p = match_prefix(s, table[i].prefix);
        if (p != PREFIX_NO)
            return p == PREFIX_YES ? table[i].is : FIRST_BYTES_NONE;
    }
    enum first_bytes line = classify_request_line(s);
    if (line != FIRST_BYTES_UNKNOWN)
        return line;
    enum prefix p = match_dns(s);
    return p == PREFIX_NO      ? FIRST_BYTES_UNKNOWN
           : p == PREFIX_MAYBE ? FIRST_BYTES_NONE
                               : FIRST_BYTES_DNS;
}

const char *first_bytes_name(enum first_bytes f)
{
    static const char *const names[] = {
        [FIRST_BYTES_NONE] = "none",       [FIRST_BYTES_TLS] = "tls", [FIRST_BYTES_HTTP1] = "http",
        [FIRST_BYTES_H2C] = "h2c",         [FIRST_BYTES_SSH] = "ssh", [FIRST_BYTES_DNS] = "dns",
        [FIRST_BYTES_UNKNOWN] = "unknown",
    };
    return (size_t)f < ARRAY_SIZE(names) ? names[f] : "unknown";
}
