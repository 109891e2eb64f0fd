/* SPDX-License-Identifier: MIT
 * Reads the first ClientHello as strictly as the strictest server would: a hello that two readers
 * could take for two different ones is refused, because the name in it is what gets judged. */
#include "tls/client_hello.h"

#include <string.h>

#include "rules/policy.h"
#include "tls/cursor.h"

enum {
    RECORD_HEADER = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_PAYLOAD_MAX = 16384,
    /* Enough for a large hello in records of one byte each. The bound keeps a caller that asks
     * again after every segment from walking tens of thousands of records each time. */
    RECORDS_MAX = 4096,
    MESSAGE_HEADER = 4,
    MESSAGE_CLIENT_HELLO = 1,
    BODY_MIN = 2 + 32 + 1 + 4 + 2,
    RANDOM_LEN = 32,
    SESSION_ID_MAX = 32,
    COMPRESSION_NULL = 0,
    NAME_TYPE_HOST = 0,
    TLS_1_2 = 0x0303,
};

enum {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    EXTENSION_PRE_SHARED_KEY = 41,
    EXTENSION_SUPPORTED_VERSIONS = 43,
    EXTENSION_ECH = 0xfe0d,
    EXTENSION_ESNI = 0xffce, /* the draft that came before ECH hides the name just as well */
};

_Static_assert(sizeof(((struct client_hello *)0)->sni) == NAME_MAX_LEN + 1,
               "name_normalize writes this many bytes");

/* HostName is ASCII (RFC 6066). Without this check other bytes would be mapped as in a policy, and
 * the name that is judged would not be the one that the server reads. */
static bool is_ascii_name(struct cursor name)
{
    for (size_t i = 0; i < name.left; i++)
        if (name.at[i] <= ' ' || name.at[i] >= 0x7f)
            return false;
    return true;
}

static const char *read_server_name(struct cursor body, struct client_hello *out)
{
    static const char why[] = "server-name";
    struct cursor list, name;
    size_t type;

    if (!take_only_vector(&body, 2, &list))
        return why;
    out->has_sni = true;
    for (bool first = true; list.left > 0; first = false) {
        if (!take_number(&list, 1, &type) || !take_vector(&list, 2, &name) || name.left == 0)
            return why;
        if (!first || type != NAME_TYPE_HOST || !is_ascii_name(name) ||
            name_normalize((const char *)name.at, name.left, out->sni) < 0)
            out->sni_invalid = true;
    }
    if (out->sni_invalid)
        memset(out->sni, 0, sizeof(out->sni));
    return NULL;
}

static size_t escape(struct cursor name, char *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < name.left; i++) {
        uint8_t c = name.at[i];
        if (c > ' ' && c < 0x7f && c != ',' && c != '\\') {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return n;
}

/* Whole names are kept as long as they fit; "..." stands for those behind. */
static const char *read_alpn(struct cursor body, struct client_hello *out)
{
    static const char why[] = "alpn", more[] = "...";
    struct cursor list, name;
    char text[4 * UINT8_MAX];
    size_t used = 0;
    bool cut = false;

    if (!take_only_vector(&body, 2, &list))
        return why;
    while (list.left > 0) {
        if (!take_vector(&list, 1, &name) || name.left == 0)
            return why;
        size_t n = escape(name, text);
        if (cut)
            continue;
        cut = used + n + 1 + sizeof(more) > sizeof(out->alpn);
        memcpy(out->alpn + used, cut ? more : text, cut ? sizeof(more) - 1 : n);
        used += cut ? sizeof(more) - 1 : n;
        if (!cut && list.left > 0)
            out->alpn[used++] = ',';
    }
    out->alpn[used] = '\0';
    return NULL;
}

/* Only versions of the form 3.x count: GREASE (RFC 8701), drafts and DTLS are of other forms. */
static const char *read_supported_versions(struct cursor body, struct client_hello *out)
{
    struct cursor list;
    size_t version, max = 0;

    if (!take_only_vector(&body, 1, &list))
        return "supported-versions";
    while (list.left > 0) {
        if (!take_number(&list, 2, &version))
            return "supported-versions";
        if (version >> 8 == 3)
            max = MAX(max, version);
    }
    out->max_version = (uint16_t)max;
    return NULL;
}

static const char *read_ech(struct cursor body UNUSED, struct client_hello *out)
{
    out->ech = true;
    return NULL;
}

static const struct extension {
    size_t type;
    const char *(*read)(struct cursor body, struct client_hello *out); /* NULL, or what is wrong */
} extensions[] = {
    {EXTENSION_SERVER_NAME, read_server_name},
    {EXTENSION_ALPN, read_alpn},
    {EXTENSION_SUPPORTED_VERSIONS, read_supported_versions},
    {EXTENSION_ECH, read_ech},
    {EXTENSION_ESNI, read_ech},
};

static const char *read_extensions(struct cursor list, struct client_hello *out)
{
    uint8_t seen[(UINT16_MAX + 1) / 8] = {0};
    bool psk = false;
    struct cursor body;
    size_t type;

    while (list.left > 0) {
        if (!take_number(&list, 2, &type) || !take_vector(&list, 2, &body))
            return "extensions";
        if (seen[type / 8] & 1u << type % 8)
            return "duplicate-extension";
        seen[type / 8] |= (uint8_t)(1u << type % 8);
        if (psk)
            return "psk-not-last"; /* RFC 8446 section 4.2.11: servers must check */
        psk = type == EXTENSION_PRE_SHARED_KEY;
        for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
            const char *wrong = extensions[i].type == type ? extensions[i].read(body, out) : NULL;
            if (wrong)
                return wrong;
        }
    }
    return NULL;
}

/* Returns NULL, or a word for what is wrong. */
static const char *read_body(struct cursor body, struct client_hello *out)
{
    struct cursor random, session_id, suites, compression, list;
    size_t version;

    if (!take_number(&body, 2, &version) || version >> 8 != 3)
        return "version";
    out->legacy_version = (uint16_t)version;
    /* Without supported_versions nothing above 1.2 is offered, whatever stands here (RFC 8446
     * section 4.2.1). */
    out->max_version = (uint16_t)MIN(version, (size_t)TLS_1_2);
    if (!take(&body, RANDOM_LEN, &random) || !take_vector(&body, 1, &session_id) ||
        session_id.left > SESSION_ID_MAX)
        return "session-id";
    if (!take_vector(&body, 2, &suites) || suites.left == 0 || suites.left % 2 != 0)
        return "cipher-suites";
    if (!take_vector(&body, 1, &compression) || compression.left == 0 ||
        !memchr(compression.at, COMPRESSION_NULL, compression.left))
        return "compression";
    if (body.left == 0)
        return NULL; /* no extensions: legal up to TLS 1.2 */
    if (!take_vector(&body, 2, &list) || body.left > 0)
        return "extensions";
    return read_extensions(list, out);
}

/* Where the message stands in the records. */
struct layout {
    size_t message_len; /* with its header; 0 until that was read */
    size_t n_records;
    size_t consumed;
};

static const char *read_message_header(const uint8_t *header, size_t have, struct layout *l)
{
    if (have > 0 && header[0] != MESSAGE_CLIENT_HELLO)
        return "not-client-hello";
    if (have < MESSAGE_HEADER)
        return NULL;
    size_t body = (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    if (body < BODY_MIN)
        return "too-short";
    if (body > CLIENT_HELLO_MAX - MESSAGE_HEADER)
        return "too-long";
    l->message_len = MESSAGE_HEADER + body;
    return NULL;
}

/* What can be told from so much of a record's header. */
static const char *check_record_header(const uint8_t *header, size_t have, size_t *payload)
{
    if (have > 0 && header[0] != RECORD_HANDSHAKE)
        return "not-handshake";
    if (have > 1 && header[1] != 3)
        return "record-version";
    if (have < RECORD_HEADER)
        return NULL;
    *payload = (size_t)header[3] << 8 | header[4];
    return *payload == 0 || *payload > RECORD_PAYLOAD_MAX ? "record-length" : NULL;
}

/* Walks the records without copying. The message must end where a record does: nothing may follow
 * a ClientHello before the server has answered. */
static enum client_hello_result walk(const uint8_t *data, size_t len, struct layout *l,
                                     const char **wrong)
{
    uint8_t header[MESSAGE_HEADER];
    size_t have = 0, total = 0, payload = 0;

    for (;;) {
        const uint8_t *record = data + l->consumed;
        size_t left = len - l->consumed;
        if (left == 0)
            return CLIENT_HELLO_INCOMPLETE;
        if ((*wrong = check_record_header(record, left, &payload)))
            return CLIENT_HELLO_BAD;
        if (left < RECORD_HEADER)
            return CLIENT_HELLO_INCOMPLETE;
        if (++l->n_records > RECORDS_MAX) {
            *wrong = "record-count";
            return CLIENT_HELLO_BAD;
        }
        size_t here = MIN(payload, left - RECORD_HEADER);
        for (size_t i = 0; i < here && have < MESSAGE_HEADER; i++)
            header[have++] = record[RECORD_HEADER + i];
        if ((*wrong = read_message_header(header, have, l)))
            return CLIENT_HELLO_BAD;
        total += payload;
        if (l->message_len > 0 && total > l->message_len) {
            *wrong = "trailing-bytes";
            return CLIENT_HELLO_BAD;
        }
        if (here < payload)
            return CLIENT_HELLO_INCOMPLETE;
        l->consumed += RECORD_HEADER + payload;
        if (total == l->message_len)
            return CLIENT_HELLO_OK;
    }
}

/* Puts the payloads of complete records behind each other. */
static void join(const uint8_t *data, const struct layout *l, uint8_t *message)
{
    for (size_t i = 0; i < l->n_records; i++) {
        size_t payload = (size_t)data[3] << 8 | data[4];
        memcpy(message, data + RECORD_HEADER, payload);
        message += payload;
        data += RECORD_HEADER + payload;
    }
}

enum client_hello_result client_hello_parse(const void *data, size_t len, struct client_hello *out,
                                            const char **why)
{
    uint8_t joined[CLIENT_HELLO_MAX];
    const uint8_t *message = joined;
    struct layout l = {0};
    const char *wrong = NULL;

    memset(out, 0, sizeof(*out));
    if (why)
        *why = NULL;
    if (len == 0)
        return CLIENT_HELLO_INCOMPLETE;
    enum client_hello_result result = walk(data, len, &l, &wrong);
    if (result == CLIENT_HELLO_OK) {
        if (l.n_records == 1)
            message = (const uint8_t *)data + RECORD_HEADER;
        else
            join(data, &l, joined);
        wrong = read_body((struct cursor){message + MESSAGE_HEADER, l.message_len - MESSAGE_HEADER},
                          out);
        out->consumed = l.consumed;
    }
    if (!wrong)
        return result;
    /* Nothing half-read is left for a caller to judge by. */
    memset(out, 0, sizeof(*out));
    if (why)
        *why = wrong;
    return CLIENT_HELLO_BAD;
}

/* The message of a hello that client_hello_parse has taken; of several records in joined. */
static struct cursor message_of(const uint8_t *data, size_t len, uint8_t joined[CLIENT_HELLO_MAX])
{
    struct layout l = {0};
    const char *wrong = NULL;
    if (walk(data, len, &l, &wrong) != CLIENT_HELLO_OK)
        return (struct cursor){NULL, 0};
    if (l.n_records == 1)
        return (struct cursor){data + RECORD_HEADER, l.message_len};
    join(data, &l, joined);
    return (struct cursor){joined, l.message_len};
}

/* The body of the extension; at NULL where there is none. */
static struct cursor find_extension(struct cursor message, size_t wanted)
{
    static const struct cursor none = {NULL, 0};
    struct cursor skipped, list, body;
    size_t type;
    if (!take(&message, MESSAGE_HEADER + 2 + RANDOM_LEN, &skipped) ||
        !take_vector(&message, 1, &skipped) || !take_vector(&message, 2, &skipped) ||
        !take_vector(&message, 1, &skipped) || !take_vector(&message, 2, &list))
        return none;
    while (take_number(&list, 2, &type) && take_vector(&list, 2, &body))
        if (type == wanted)
            return body;
    return none;
}

static bool same_extension(struct cursor a, struct cursor b, size_t type)
{
    struct cursor in_a = find_extension(a, type), in_b = find_extension(b, type);
    return !in_a.at == !in_b.at && in_a.left == in_b.left &&
           (in_a.left == 0 || memcmp(in_a.at, in_b.at, in_a.left) == 0);
}

bool client_hello_same(const void *first, size_t first_len, const void *second, size_t second_len)
{
    uint8_t room_a[CLIENT_HELLO_MAX], room_b[CLIENT_HELLO_MAX];
    struct cursor a = message_of(first, first_len, room_a);
    struct cursor b = message_of(second, second_len, room_b);
    return a.at && b.at && same_extension(a, b, EXTENSION_SERVER_NAME) &&
           same_extension(a, b, EXTENSION_ALPN);
}
