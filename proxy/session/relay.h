/* SPDX-License-Identifier: MIT
 * Bytes both ways between two sockets, moved by splice(2) without a copy. A pipe is held only while
 * there is something in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct event_base;
struct pipes;
struct relay;

/* A store of empty pipes, shared by the relays of one loop. */
struct pipes *pipes_new(void) NODISCARD;
void pipes_free(struct pipes *p);

enum relay_direction { RELAY_UP, RELAY_DOWN }; /* client → server, server → client */

/* failed: 0 when both sides ended in order, else a negative errno. Called once, from the loop. */
typedef void relay_done(void *context, int failed);

/* Borrows both sockets (non-blocking) until relay_free. Nothing moves before relay_start. */
struct relay *relay_new(struct event_base *base, struct pipes *pipes, int client_fd, int server_fd,
                        relay_done *done, void *context) NODISCARD NONNULL(1, 2, 5);
void relay_free(struct relay *r); /* accepts NULL */

/* Begins one direction: first sends `first` (copied; may be NULL), then everything that comes.
 * Returns 0 or -ENOMEM. */
int relay_start(struct relay *r, enum relay_direction d, const void *first, size_t len) NODISCARD
    NONNULL(1);
/* Moves nothing more, for good. */
void relay_stop(struct relay *r) NONNULL(1);
/* Bytes that were taken from that side so far. */
uint64_t relay_bytes(const struct relay *r, enum relay_direction d) NONNULL(1);
