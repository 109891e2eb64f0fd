/* SPDX-License-Identifier: MIT
 * From what is known of a connection to an event, a verdict, and the words of the record. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "attribution/process.h"
#include "audit/record.h"
#include "session/engine.h"

/* Who asks, for where. Borrowed by every judgement. */
struct subject {
    struct flow_key flow;    /* as the client meant it */
    struct process *process; /* NULL: not attributed */
};

/* What the client has said so far, where that is not TLS. */
enum client_bytes { CLIENT_SILENT, CLIENT_KNOWN, CLIENT_HTTP, CLIENT_UNKNOWN };

/* Raw TCP or UDP: by address, and by the names that were learnt for it. name (may be NULL; 254
 * bytes) receives the learnt name that decided, else the newest, "" where there is none. */
struct verdict judge_address(const struct engine *e, const struct subject *s,
                             enum client_bytes bytes, char *name);
/* A ClientHello with that SNI (NULL: none), as if it went to dst_ip (host order). */
struct verdict judge_tls(const struct engine *e, const struct subject *s, const char *sni,
                         uint32_t dst_ip);
/* A query; host NULL: the name asked for is no host name. self: the filter is the resolver. */
struct verdict judge_query(const struct engine *e, const struct subject *s, const char *host,
                           bool self);
/* A packet that is neither TCP nor UDP. */
struct verdict judge_other(const struct engine *e, const struct subject *s);

/* Fills in everything that a verdict and its subject say: policy, outcome (denied or allowed by the
 * mode), reason, rule, addresses, process. */
void judge_record(const struct engine *e, const struct subject *s, const struct verdict *v,
                  struct record *out);
/* Whether it goes on: allowed, or the mode only records. */
bool judge_passes(const struct engine *e, const struct verdict *v);
