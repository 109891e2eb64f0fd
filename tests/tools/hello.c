/* SPDX-License-Identifier: MIT
 * Writes a ClientHello as one wants it, honest or not, to standard output; or the HelloRetryRequest
 * that a server would answer it with. Real libraries send neither two names nor 60 KiB. */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 18, RECORD_MAX = 16384 };

struct bytes {
    uint8_t at[ROOM];
    size_t len;
};

static void add(struct bytes *b, const void *data, size_t n)
{
    if (n > sizeof(b->at) - b->len) {
        fputs("hello: too large\n", stderr);
        exit(2);
    }
    memcpy(b->at + b->len, data, n);
    b->len += n;
}

static void add_number(struct bytes *b, size_t value, unsigned size)
{
    while (size-- > 0)
        add(b, &(uint8_t){(uint8_t)(value >> 8 * size)}, 1);
}

static void add_extension(struct bytes *b, unsigned type, const void *body, size_t n)
{
    add_number(b, type, 2);
    add_number(b, n, 2);
    add(b, body, n);
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10) & 15;
}

/* The text with \xNN as that byte. */
static size_t unescape(const char *text, uint8_t *out)
{
    size_t n = 0;
    while (*text) {
        if (text[0] == '\\' && text[1] == 'x' && text[2] && text[3]) {
            out[n++] = (uint8_t)(hex_digit(text[2]) << 4 | hex_digit(text[3]));
            text += 4;
        } else {
            out[n++] = (uint8_t)*text++;
        }
    }
    return n;
}

static void add_name(struct bytes *list, const char *text)
{
    uint8_t name[4096];
    size_t n = unescape(text, name);
    add_number(list, 0, 1);
    add_number(list, n, 2);
    add(list, name, n);
}

static void add_server_name(struct bytes *b, const struct bytes *names)
{
    add_number(b, 0, 2);
    add_number(b, names->len + 2, 2);
    add_number(b, names->len, 2);
    add(b, names->at, names->len);
}

/* "h2,http/1.1" */
static void add_alpn(struct bytes *b, const char *text)
{
    static struct bytes list;
    list.len = 0;
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = strchrnul(text, ',');
        add_number(&list, (size_t)(end - text), 1);
        add(&list, text, (size_t)(end - text));
    }
    add_number(b, 16, 2);
    add_number(b, list.len + 2, 2);
    add_number(b, list.len, 2);
    add(b, list.at, list.len);
}

/* Shares that a server can use: the base points of the curves. */
static void add_share(struct bytes *b, const char *group)
{
    static const uint8_t x25519[] = {0, 36, 0, 29, 0, 32, 9, [37] = 0};
    static const uint8_t p256[] = {
        0,    69,   0,    23,   0,    65,   4,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47,
        0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33,
        0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
        0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b,
        0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
    bool p = strcmp(group, "p256") == 0;
    add_extension(b, 51, p ? p256 : x25519, p ? sizeof(p256) : sizeof(x25519));
}

struct options {
    struct bytes extensions, names;
    const char *front;
    size_t record;
};

static void add_common(struct bytes *b)
{
    static const uint8_t groups[] = {0, 4, 0, 29, 0, 23}, versions[] = {2, 3, 4},
                         signatures[] = {0, 6, 4, 3, 8, 4, 4, 1};
    add_extension(b, 10, groups, sizeof(groups));
    add_extension(b, 13, signatures, sizeof(signatures));
    add_extension(b, 43, versions, sizeof(versions));
}

static void write_records(const struct bytes *message, size_t record)
{
    for (size_t at = 0; at < message->len;) {
        size_t n = message->len - at < record ? message->len - at : record;
        const uint8_t header[] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
        fwrite(header, sizeof(header), 1, stdout);
        fwrite(message->at + at, n, 1, stdout);
        at += n;
    }
}

/* Random and session id are always the same: a second hello must repeat them, and the server of
 * --retry does. */
static const uint8_t session_id[33] = {32, 's', 'e', 's', 's', 'i', 'o', 'n'};

static void write_hello(struct options *o)
{
    static const uint8_t suites[] = {0, 6, 0x13, 1, 0x13, 2, 0xc0, 0x2b, 1, 0};
    static struct bytes message;
    size_t body;
    add_common(&o->extensions);
    body = 2 + 32 + sizeof(session_id) + sizeof(suites) + 2 + o->extensions.len;
    add_number(&message, 1, 1);
    add_number(&message, body, 3);
    add_number(&message, 0x0303, 2);
    add(&message, "a random of thirty-two bytes ....", 32);
    add(&message, session_id, sizeof(session_id));
    add(&message, suites, sizeof(suites));
    add_number(&message, o->extensions.len, 2);
    add(&message, o->extensions.at, o->extensions.len);
    write_records(&message, o->record);
}

/* Asks for a share of P-256. */
static void write_retry(void)
{
    static const uint8_t random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                     0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                     0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                     0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    static const uint8_t rest[] = {0x13, 1, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 23};
    static struct bytes message;
    add_number(&message, 2, 1);
    add_number(&message, 2 + 32 + sizeof(session_id) + sizeof(rest), 3);
    add_number(&message, 0x0303, 2);
    add(&message, random, sizeof(random));
    add(&message, session_id, sizeof(session_id));
    add(&message, rest, sizeof(rest));
    write_records(&message, RECORD_MAX);
}

static int usage(void)
{
    fputs("usage: hello [--name NAME]… [--again NAME] [--alpn LIST] [--share x25519|p256] [--ech]\n"
          "             [--grease] [--fill BYTES] [--record BYTES] [--front ccs|early] | --retry\n",
          stderr);
    return 2;
}

static int take_option(struct options *o, int c, const char *arg)
{
    static const uint8_t filler[65535], ech[] = {0, 0, 1, 0, 1, 7, 0, 0, 0, 0};
    static struct bytes again;
    switch (c) {
    case 'n': /* all in one extension */
        add_name(&o->names, arg);
        return 0;
    case 'A': /* in an extension of its own */
        add_name(&again, arg);
        add_server_name(&o->extensions, &again);
        return 0;
    case 'a':
        add_alpn(&o->extensions, arg);
        return 0;
    case 's':
        add_share(&o->extensions, arg);
        return 0;
    case 'e':
        add_extension(&o->extensions, 0xfe0d, ech, sizeof(ech));
        return 0;
    case 'g':
        add_extension(&o->extensions, 0x3a3a, NULL, 0);
        return 0;
    case 'f':
        add_extension(&o->extensions, 21, filler, strtoul(arg, NULL, 10) & 0xffff);
        return 0;
    case 'r':
        o->record = strtoul(arg, NULL, 10);
        return o->record == 0 || o->record > RECORD_MAX;
    case 'F':
        o->front = arg;
        return 0;
    default:
        return 1;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"name", required_argument, NULL, 'n'},
                                          {"again", required_argument, NULL, 'A'},
                                          {"alpn", required_argument, NULL, 'a'},
                                          {"share", required_argument, NULL, 's'},
                                          {"ech", no_argument, NULL, 'e'},
                                          {"grease", no_argument, NULL, 'g'},
                                          {"fill", required_argument, NULL, 'f'},
                                          {"record", required_argument, NULL, 'r'},
                                          {"front", required_argument, NULL, 'F'},
                                          {"retry", no_argument, NULL, 'R'},
                                          {0}};
    static struct options o = {.record = RECORD_MAX};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'R') {
            write_retry();
            return 0;
        }
        if (take_option(&o, c, optarg))
            return usage();
    }
    if (o.names.len)
        add_server_name(&o.extensions, &o.names);
    if (o.front && strcmp(o.front, "early") == 0)
        fwrite("\x17\x03\x03\0\5hello", 10, 1, stdout);
    else if (o.front)
        fwrite("\x14\x03\x03\0\1\1", 6, 1, stdout);
    write_hello(&o);
    return 0;
}
