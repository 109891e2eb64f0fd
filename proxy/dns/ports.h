/* SPDX-License-Identifier: MIT
 * Sockets for questions to resolvers, each question from a port of its own that the kernel picks at
 * random. To make and close a socket costs more than all else that a question needs, so one that is
 * done is taken off its port and used again. */
#pragma once

#include <stdint.h>

#include "base/attrib.h"

struct event_base;
struct ports;
struct port;

/* Something to read (EV_READ), or the end of port_wait's time (EV_TIMEOUT). */
typedef void port_ready(void *context, short what);

struct ports *ports_new(struct event_base *base) NODISCARD NONNULL(1);
/* Every port was given back; accepts NULL. */
void ports_free(struct ports *p);

/* A UDP socket that is bound to nothing and holds nothing: connecting it draws its port anew.
 * now_ms: of a clock that does not jump. Returns 0 or a negative errno. */
int port_take(struct ports *p, int64_t now_ms, port_ready *ready, void *context,
              struct port **out) NODISCARD NONNULL(1, 3, 5);
/* Its descriptor, which stays its own. */
int port_fd(const struct port *p) NODISCARD NONNULL(1);
/* Calls ready for as long as it is not given back, and once more when ms milliseconds have passed.
 * Returns 0 or -ENOMEM. */
int port_wait(struct port *p, int64_t ms) NODISCARD NONNULL(1);
/* Off its port: what is on its way to that reaches nobody. Accepts NULL. */
void port_give(struct port *p, int64_t now_ms);
