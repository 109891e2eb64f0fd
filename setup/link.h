/* SPDX-License-Identifier: MIT
 * Network devices, addresses and routes of one namespace, by rtnetlink. A conversation belongs to
 * the namespace that its maker was in when it was opened. Addresses are in host byte order. */
#pragma once

#include <stdint.h>

#include "base/attrib.h"

struct link;

/* Every verb returns 0 or a negative errno, the kernel's own where it answered. */
int link_open(struct link **out) NODISCARD NONNULL(1);
void link_close(struct link *l); /* accepts NULL */

/* A pair of wired devices: name here, peer in the namespace of the descriptor. */
int link_add_veth(struct link *l, const char *name, const char *peer, int peer_ns) NODISCARD
    NONNULL(1, 2, 3);
int link_up(struct link *l, const char *name) NODISCARD NONNULL(1, 2);
int link_add_address(struct link *l, const char *name, uint32_t ip, uint8_t prefix) NODISCARD
    NONNULL(1, 2);
int link_add_default(struct link *l, const char *name, uint32_t gateway) NODISCARD NONNULL(1, 2);
/* `local 0.0.0.0/0 dev lo`: every address without a nearer route is one of our own. */
int link_add_all_local(struct link *l) NODISCARD NONNULL(1);

#define CLEANUP_LINK CLEANUP(link_cleanup)
static inline void link_cleanup(struct link **l)
{
    link_close(*l);
}
