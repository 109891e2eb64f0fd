/* SPDX-License-Identifier: MIT
 * The proxy's end of the packet role: judges what is neither TCP nor DNS, records what is denied,
 * and hands UDP that may pass to its flow. */
#pragma once

#include "base/attrib.h"
#include "session/engine.h"
#include "udp/udp.h"

struct datagrams;

/* Takes the channel's descriptor over, when it could be made. drained is called when the packet
 * role says that it has passed on its last packet, or has gone. */
struct datagrams *datagrams_new(struct engine *e, struct udp *udp, int fd,
                                void (*drained)(void *context), void *context) NODISCARD
    NONNULL(1, 2, 4);
/* Whether the packet role is there. */
bool datagrams_connected(const struct datagrams *d) NONNULL(1);
void datagrams_free(struct datagrams *d); /* accepts NULL */
