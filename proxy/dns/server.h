/* SPDX-License-Identifier: MIT
 * The DNS stage: every query is read strictly, judged, and answered, forwarded or denied; what
 * comes back teaches which names lie at which addresses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "dns/forward.h"
#include "session/engine.h"

struct dns_server;

/* self: addresses that the client's resolv.conf names; a query to one of them is a query to the
 * filter itself, and the host's resolvers are asked. Copied. files: descriptors that may be open,
 * of which streams have a part. */
struct dns_server *dns_server_new(struct engine *e, const struct resolver *self, size_t n,
                                  size_t files) NODISCARD NONNULL(1);
void dns_server_free(struct dns_server *s); /* accepts NULL */

/* Serves a UDP socket that is bound to port 53 with IP_PKTINFO (borrowed). loopback: it is in the
 * command's namespace, so whoever asks there asks the filter. Returns 0 or -ENOMEM. */
int dns_server_udp(struct dns_server *s, int fd, bool loopback) NODISCARD NONNULL(1);
/* Takes every datagram that waits now. */
void dns_server_drain(struct dns_server *s) NONNULL(1);
/* Serves one TCP connection; takes descriptor and process over. */
void dns_server_stream(struct dns_server *s, int fd, const struct flow_key *flow,
                       struct process *process, bool loopback) NONNULL(1, 3);
/* The same for a connection to any port whose first bytes, read already, are DNS by their form: len
 * bytes at said, which are borrowed. Each message in it is judged by both halves of the rule, name
 * and resolver. */
void dns_server_take(struct dns_server *s, int fd, const struct flow_key *flow,
                     struct process *process, const void *said, size_t len) NONNULL(1, 3);
