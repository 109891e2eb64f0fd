/* SPDX-License-Identifier: MIT
 * One record of the audit log (AUDIT-LOG.md), typed. Stages fill it in; one table of fields turns
 * it into bytes for another role and into JSON. All strings are borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "base/buffer.h"

enum record_event {
    RECORD_CONNECT,
    RECORD_REQUEST,
    RECORD_QUERY,
    RECORD_ANSWER,
    RECORD_DATAGRAM,
    RECORD_CLOSE,
    RECORD_START,
    RECORD_RELOAD,
    RECORD_STOP,
    RECORD_GAP,
    RECORD_TRUST,
    RECORD_SUDO,
};
enum record_type {
    RECORD_TYPE_NONE,
    RECORD_TCP,
    RECORD_HTTP,
    RECORD_HTTPS,
    RECORD_DNS,
    RECORD_UDP,
    RECORD_ICMP,
    RECORD_IPV6,
    RECORD_SOCKET,
    RECORD_TYPE_SUDO,
};
enum record_policy { RECORD_POLICY_NONE, RECORD_POLICY_ALLOW, RECORD_POLICY_DENY };
enum record_outcome { RECORD_OUTCOME_NONE, RECORD_ALLOWED, RECORD_DENIED, RECORD_FAILED };
enum record_name_from { RECORD_NAME_NONE, RECORD_NAME_SNI, RECORD_NAME_REQUEST, RECORD_NAME_DNS };

/* A string that may hold any bytes; data NULL means absent. */
struct text {
    const char *data;
    size_t len;
};
struct text text_of(const char *s); /* of a C string; NULL gives an absent text */

#define RECORD_ANSWERS_MAX 32
struct record_answer {
    uint32_t ip; /* host byte order */
    uint32_t ttl;
};

struct record {
    uint64_t ts_us; /* Unix time in microseconds; the writer of the log sets it where it is 0 */
    enum record_event event;
    enum record_type type;
    uint64_t conn; /* 0: absent */
    enum record_policy policy;
    enum record_outcome outcome;
    struct text reason, file, rule;
    uint64_t line; /* 0: absent */
    bool expected;
    bool has_src, has_dst;              /* for IPv4; ipv6 records carry dst_ip6 instead */
    uint32_t src_ip, dst_ip, dialed_ip; /* host byte order; dialed_ip 0: absent */
    uint16_t src_port, dst_port;        /* 0: absent (ICMP) */
    struct text dst_ip6;                /* presentation form, in place of dst_ip */
    struct text proto;                  /* "tcp", "udp", or a protocol's number as text */
    struct text host;
    enum record_name_from name_from;
    struct text first_bytes; /* raw TCP: what the client's were, where it spoke and that counted */
    bool has_opened, opened;
    struct text url, method, http_version;
    uint64_t status;
    struct text name, qtype, resolver, rcode; /* name in presentation form */
    struct record_answer answers[RECORD_ANSWERS_MAX];
    size_t n_answers;
    bool passthrough, insecure, websocket, private;
    struct text alpn, tls_version, server_cert_sha256;
    bool has_totals; /* the next three are present */
    uint64_t bytes_up, bytes_down, duration_ms;
    uint64_t count;             /* 0 and 1: absent */
    struct process_key process; /* pid 0: not attributed */
    struct process_state state; /* of that process then; all zero: as at its exec */
    struct text error;
    /* Life-cycle records only: */
    struct text version, run_id, host_name, boot_id, kernel, mode, attach, attach_reason,
        policy_sha256;
    uint64_t denied, allowed, records; /* totals of a stop record */
    bool has_stop_totals;
    struct text detail; /* what happened, on gap records: "proxy restarted" */
};

/* Bytes for another role, at most RECORD_PACK_MAX (strings are cut to fit), and back.
 * record_unpack trusts nothing: returns 0 or -EBADMSG; strings borrow from data. */
#define RECORD_PACK_MAX 16384
void record_pack(const struct record *r, struct buffer *out) NONNULL(1, 2);
int record_unpack(const void *data, size_t len, struct record *out) NODISCARD NONNULL(3);

enum log_args { LOG_ARGS_REDACTED, LOG_ARGS_FULL, LOG_ARGS_NONE };

/* Everything of a line that the record itself does not hold. */
struct record_line {
    uint64_t seq;
    const struct process *process; /* NULL: not attributed */
    enum log_args args;
    const char *prev;          /* start records: the hash before this one, 64 hex digits */
    const struct buffer *told; /* the members about the process, if they are written already */
};

/* Appends the JSON object from `{` up to, and without, `,"hash"` (which the chain adds). */
void record_json(const struct record *r, const struct record_line *line, struct buffer *out)
    NONNULL(1, 2, 3);
