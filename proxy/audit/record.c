/* SPDX-License-Identifier: MIT
 * The table of fields, and a record as bytes between roles. The bytes are canonical (fields in the
 * table's order, each once, no empty ones), so that there is one reading only. */
#include "audit/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "audit/record_fields.h"

static const char *const events[] = {"connect", "request", "query", "answer", "datagram", "close",
                                     "start",   "reload",  "stop",  "gap",    "trust",    "sudo"};
static const char *const types[] = {NULL,  "tcp",  "http", "https",  "dns",
                                    "udp", "icmp", "ipv6", "socket", "sudo"};
static const char *const policies[] = {NULL, "allow", "deny"};
static const char *const outcomes[] = {NULL, "allowed", "denied", "failed"};
static const char *const name_sources[] = {NULL, "sni", "request", "dns"};

static_assert(ARRAY_SIZE(events) == RECORD_SUDO + 1, "a word for each event");
static_assert(ARRAY_SIZE(types) == RECORD_TYPE_SUDO + 1, "a word for each type");
static_assert(ARRAY_SIZE(policies) == RECORD_POLICY_DENY + 1, "a word for each policy");
static_assert(ARRAY_SIZE(outcomes) == RECORD_FAILED + 1, "a word for each outcome");
static_assert(ARRAY_SIZE(name_sources) == RECORD_NAME_DNS + 1, "a word for each source");
static_assert(sizeof(enum record_event) == sizeof(uint32_t), "enums are read as 32 bits");
static_assert(sizeof(bool) == 1, "bools are read as one byte");

#define AT(member) offsetof(struct record, member)
/* One field a line. */
/* clang-format off */
#define FIELD(name, kind, member)           {name, FIELD_##kind, AT(member), 0, NULL, 0}
#define GUARDED(name, kind, member, guard_) {name, FIELD_##kind, AT(member), AT(guard_), NULL, 0}
#define WORDS(name, member, words_) \
    {name, FIELD_ENUM, AT(member), 0, words_, ARRAY_SIZE(words_)}

/* In the order of the line. */
const struct record_field record_fields[] = {
    FIELD("ts", TIME, ts_us),
    WORDS("event", event, events),
    WORDS("type", type, types),
    FIELD("conn", U64, conn),
    WORDS("policy", policy, policies),
    WORDS("outcome", outcome, outcomes),
    FIELD("reason", TEXT, reason),
    FIELD("file", TEXT, file),
    FIELD("line", U64, line),
    FIELD("rule", TEXT, rule),
    FIELD("expected", TRUE, expected),
    FIELD("count", COUNT, count),
    FIELD("proto", TEXT, proto),
    FIELD(NULL, GUARD, has_src),
    FIELD(NULL, GUARD, has_dst),
    GUARDED("src_ip", IP, src_ip, has_src),
    FIELD("src_port", U16, src_port),
    GUARDED("dst_ip", IP, dst_ip, has_dst),
    FIELD("dst_ip", IP6, dst_ip6),
    FIELD("dst_port", U16, dst_port),
    FIELD("dialed_ip", DIALED, dialed_ip),
    FIELD("host", TEXT, host),
    WORDS("name_from", name_from, name_sources),
    FIELD("first_bytes", TEXT, first_bytes),
    FIELD(NULL, GUARD, has_opened),
    GUARDED("opened", BOOL, opened, has_opened),
    FIELD("method", TEXT, method),
    FIELD("url", TEXT, url),
    FIELD("status", U64, status),
    FIELD("http_version", TEXT, http_version),
    FIELD("name", TEXT, name),
    FIELD("qtype", TEXT, qtype),
    FIELD("resolver", TEXT, resolver),
    FIELD("rcode", TEXT, rcode),
    FIELD("answers", ANSWERS, answers),
    FIELD("passthrough", TRUE, passthrough),
    FIELD("insecure", TRUE, insecure),
    FIELD("websocket", TRUE, websocket),
    FIELD("private", TRUE, private),
    FIELD("alpn", TEXT, alpn),
    FIELD("tls_version", TEXT, tls_version),
    FIELD("server_cert_sha256", TEXT, server_cert_sha256),
    FIELD(NULL, GUARD, has_totals),
    GUARDED("bytes_up", U64, bytes_up, has_totals),
    GUARDED("bytes_down", U64, bytes_down, has_totals),
    GUARDED("duration_ms", U64, duration_ms, has_totals),
    FIELD("error", TEXT, error),
    FIELD("version", TEXT, version),
    FIELD("run_id", TEXT, run_id),
    FIELD("host_name", TEXT, host_name),
    FIELD("boot_id", TEXT, boot_id),
    FIELD("kernel", TEXT, kernel),
    FIELD("mode", TEXT, mode),
    FIELD("attach", TEXT, attach),
    FIELD("attach_reason", TEXT, attach_reason),
    FIELD("policy_sha256", TEXT, policy_sha256),
    FIELD(NULL, GUARD, has_stop_totals),
    GUARDED("allowed", U64, allowed, has_stop_totals),
    GUARDED("denied", U64, denied, has_stop_totals),
    GUARDED("records", U64, records, has_stop_totals),
    FIELD("detail", TEXT, detail),
    FIELD("pid", U32, process.pid),
    FIELD(NULL, U32, process.exec_id),
    FIELD("start_ns", U64, process.start_ns),
    FIELD(NULL, U64, state.cgroup_id),
    FIELD(NULL, U32, state.uid),
    FIELD(NULL, U32, state.netns),
    FIELD(NULL, U32, state.mntns),
    FIELD(NULL, U32, state.userns),
};
/* clang-format on */
const size_t record_n_fields = ARRAY_SIZE(record_fields);
static_assert(ARRAY_SIZE(record_fields) < 256, "a field's number is one byte");

#define HEAD_LEN   3 /* number of the field, length of what follows in two bytes */
#define ANSWER_LEN 8

struct text text_of(const char *s)
{
    return s ? (struct text){s, strlen(s)} : (struct text){NULL, 0};
}

/* Bytes of the kinds that have a fixed size; 0 for the others. */
static size_t kind_size(enum field_kind kind)
{
    static const uint8_t sizes[] = {
        [FIELD_TIME] = 8, [FIELD_U64] = 8,    [FIELD_COUNT] = 8,  [FIELD_U32] = 4,
        [FIELD_U16] = 2,  [FIELD_IP] = 4,     [FIELD_DIALED] = 4, [FIELD_ENUM] = 4,
        [FIELD_TRUE] = 1, [FIELD_BOOL] = 1,   [FIELD_GUARD] = 1,  [FIELD_TEXT] = 0,
        [FIELD_IP6] = 0,  [FIELD_ANSWERS] = 0};
    return sizes[kind];
}

uint64_t field_value(const struct record *r, const struct record_field *f)
{
    const char *at = (const char *)r + f->offset;
    switch (kind_size(f->kind)) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)(const void *)at;
    case 4:
        return *(const uint32_t *)(const void *)at;
    case 8:
        return *(const uint64_t *)(const void *)at;
    default:
        return 0;
    }
}

static void field_set(struct record *r, const struct record_field *f, uint64_t value)
{
    char *at = (char *)r + f->offset;
    switch (kind_size(f->kind)) {
    case 1:
        *(bool *)at = value != 0;
        break;
    case 2:
        *(uint16_t *)(void *)at = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)(void *)at = (uint32_t)value;
        break;
    case 8:
        *(uint64_t *)(void *)at = value;
        break;
    default:
        break;
    }
}

const struct text *field_text(const struct record *r, const struct record_field *f)
{
    return (const struct text *)(const void *)((const char *)r + f->offset);
}

static bool is_text(const struct record_field *f)
{
    return f->kind == FIELD_TEXT || f->kind == FIELD_IP6;
}

/* How much of a text goes out under a limit; a character is never cut in two. */
static size_t text_cut(const struct text *t, size_t limit)
{
    if (t->len <= limit)
        return t->len;
    size_t len = limit;
    while (len && limit - len < 3 && ((uint8_t)t->data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static size_t packed_size(const struct record *r, size_t limit)
{
    size_t size = HEAD_LEN + ANSWER_LEN * MIN(r->n_answers, RECORD_ANSWERS_MAX);
    for (size_t i = 0; i < record_n_fields; i++) {
        const struct record_field *f = &record_fields[i];
        size += HEAD_LEN + kind_size(f->kind);
        if (is_text(f) && field_text(r, f)->data)
            size += text_cut(field_text(r, f), limit);
    }
    return size;
}

static void add_int(struct buffer *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_add_char(out, (char)(value >> (8 * i) & 0xff));
}

static uint64_t get_int(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

static void add_head(struct buffer *out, size_t number, size_t len)
{
    add_int(out, number, 1);
    add_int(out, len, 2);
}

void record_pack(const struct record *r, struct buffer *out)
{
    /* Only hostile or absurd texts are ever cut, so halving is fine enough. */
    size_t limit = RECORD_PACK_MAX;
    while (limit > 1 && packed_size(r, limit) > RECORD_PACK_MAX)
        limit /= 2;
    for (size_t i = 0; i < record_n_fields; i++) {
        const struct record_field *f = &record_fields[i];
        if (is_text(f)) {
            const struct text *t = field_text(r, f);
            if (!t->data)
                continue;
            size_t len = text_cut(t, limit);
            add_head(out, i, len);
            buffer_add(out, t->data, len);
        } else if (f->kind == FIELD_ANSWERS) {
            size_t n = MIN(r->n_answers, RECORD_ANSWERS_MAX);
            if (!n)
                continue;
            add_head(out, i, n * ANSWER_LEN);
            for (size_t k = 0; k < n; k++) {
                add_int(out, r->answers[k].ip, 4);
                add_int(out, r->answers[k].ttl, 4);
            }
        } else if (field_value(r, f)) {
            add_head(out, i, kind_size(f->kind));
            add_int(out, field_value(r, f), kind_size(f->kind));
        }
    }
}

static int unpack_answers(const uint8_t *data, size_t len, struct record *out)
{
    if (!len || len % ANSWER_LEN || len / ANSWER_LEN > RECORD_ANSWERS_MAX)
        return -EBADMSG;
    out->n_answers = len / ANSWER_LEN;
    for (size_t i = 0; i < out->n_answers; i++, data += ANSWER_LEN)
        out->answers[i] = (struct record_answer){.ip = (uint32_t)get_int(data, 4),
                                                 .ttl = (uint32_t)get_int(data + 4, 4)};
    return 0;
}

static int unpack_field(const struct record_field *f, const uint8_t *data, size_t len,
                        struct record *out)
{
    if (is_text(f)) {
        struct text *t = (struct text *)(void *)((char *)out + f->offset);
        *t = (struct text){(const char *)data, len};
        return 0;
    }
    if (f->kind == FIELD_ANSWERS)
        return unpack_answers(data, len, out);
    size_t size = kind_size(f->kind);
    if (len != size)
        return -EBADMSG;
    uint64_t value = get_int(data, size);
    bool bad = value == 0 || (size == 1 && value > 1) ||
               (f->kind == FIELD_ENUM && value >= f->n_words) ||
               (f->kind == FIELD_TIME && value > RECORD_TIME_MAX);
    if (bad)
        return -EBADMSG;
    field_set(out, f, value);
    return 0;
}

int record_unpack(const void *data, size_t len, struct record *out)
{
    *out = (struct record){0};
    const uint8_t *at = data;
    if (len > RECORD_PACK_MAX)
        return -EBADMSG;
    for (size_t least = 0; len;) {
        if (len < HEAD_LEN)
            return -EBADMSG;
        size_t number = at[0], size = (size_t)get_int(at + 1, 2);
        at += HEAD_LEN;
        len -= HEAD_LEN;
        if (number < least || number >= record_n_fields || size > len)
            return -EBADMSG;
        int r = unpack_field(&record_fields[number], at, size, out);
        if (r < 0)
            return r;
        at += size;
        len -= size;
        least = number + 1;
    }
    return 0;
}
