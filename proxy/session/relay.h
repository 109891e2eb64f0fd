/* SPDX-License-Identifier: MIT
 * Bytes both ways between two sockets: copied while there is little of them, by splice(2) when
 * there is much. A pipe is held only while there is something in it. As long as the session must
 * know what is said, it pushes the client's bytes itself and sees the server's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct event_base;
struct holder;
struct pipes;
struct relay;

/* A store of empty pipes, shared by the relays of one loop. */
struct pipes *pipes_new(void) NODISCARD;
void pipes_free(struct pipes *p);

enum relay_direction { RELAY_UP, RELAY_DOWN }; /* client → server, server → client */

/* Called from the loop, while bytes are moved: from all but done the relay may not be stopped,
 * started or freed. */
struct relay_events {
    /* The end. failed: 0 when both sides ended in order, else a negative errno. Called once. */
    void (*done)(void *context, int failed);
    /* What the server said, before the client gets it; len 0: the end of its stream. Not called
     * before relay_observe. */
    void (*seen)(void *context, const void *data, size_t len);
    /* Everything that was pushed has been sent. */
    void (*pushed)(void *context);
    void *context;
};

/* Borrows both sockets (non-blocking) until relay_free. Nothing moves before relay_start. Pipes and
 * bytes are of holder's share; when that is spent a direction waits, and so does who sends. */
struct relay *relay_new(struct event_base *base, struct pipes *pipes, const struct holder *holder,
                        int client_fd, int server_fd, const struct relay_events *events) NODISCARD
    NONNULL(1, 2, 3, 6);
void relay_free(struct relay *r); /* accepts NULL */

/* Begins one direction: first sends `first` (copied; may be NULL), then everything that comes.
 * Returns 0, -ENOMEM, or -ENOBUFS when the holder has too much. */
int relay_start(struct relay *r, enum relay_direction d, const void *first, size_t len) NODISCARD
    NONNULL(1);
/* Sends these bytes (copied) to the server, and takes none from the client by itself: before
 * relay_start(RELAY_UP). Returns as that does. */
int relay_push(struct relay *r, const void *data, size_t len) NODISCARD NONNULL(1, 2);
/* Whether all that was taken from that side has been sent to the other. */
bool relay_flushed(const struct relay *r, enum relay_direction d) NONNULL(1);
/* While on, what the server says is seen, and none of it is spliced. May be called at any time. */
void relay_observe(struct relay *r, bool on) NONNULL(1);
/* Moves nothing more, for good. */
void relay_stop(struct relay *r) NONNULL(1);
/* Bytes that were taken from that side so far. */
uint64_t relay_bytes(const struct relay *r, enum relay_direction d) NONNULL(1);
