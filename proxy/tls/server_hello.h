/* SPDX-License-Identifier: MIT
 * What a server's first flight says about what the client may say next: a HelloRetryRequest asks
 * for a second ClientHello in the clear (RFC 8446 section 4.1.4), every other ServerHello does not.
 * Pure: fed with the bytes as they come, in any cut. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

enum server_hello_result {
    SERVER_HELLO_INCOMPLETE,
    SERVER_HELLO_FINAL, /* no HelloRetryRequest; of which version does not matter */
    SERVER_HELLO_RETRY,
    SERVER_HELLO_OTHER, /* nothing that a TLS server says first */
};

/* Type and length of the message, its version, its random: nothing behind them is looked at. */
#define SERVER_HELLO_READ (4 + 2 + 32)

struct server_hello {
    enum server_hello_result result;
    uint8_t header[5]; /* of the record that is being read */
    uint8_t n_header, n_alerts;
    uint8_t n_message; /* bytes of the message that were read */
    uint16_t left;     /* bytes of the record's payload still to come */
};

/* An all-zero struct server_hello is ready for the first byte. Returns what is known after these
 * bytes; once that is not SERVER_HELLO_INCOMPLETE it stays, whatever follows. */
enum server_hello_result server_hello_feed(struct server_hello *s, const void *data, size_t len)
    NONNULL(1);
