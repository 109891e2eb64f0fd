/* SPDX-License-Identifier: MIT
 * Accepting: takes a connection with its original destination and its process, and hands it to the
 * stage that it is for. */
#pragma once

#include <stdint.h>

#include "base/attrib.h"
#include "dns/forward.h"
#include "dns/server.h"
#include "session/engine.h"

enum listener_kind {
    LISTENER_GATE,       /* everything that leaves the command's namespace */
    LISTENER_CLIENT_DNS, /* DNS over TCP to the loopback of the command's namespace */
    LISTENER_HOST_PORT,  /* --host-port */
};

struct listener;

/* Borrows the listening descriptor. `dns` takes connections to port 53. */
struct listener *listener_new(struct engine *e, struct dns_server *dns, int fd,
                              enum listener_kind kind) NODISCARD NONNULL(1, 2);
/* Stops accepting; accepts NULL. */
void listener_free(struct listener *l);
/* Takes everything that waits in the backlog now. */
void listener_drain(struct listener *l) NONNULL(1);
