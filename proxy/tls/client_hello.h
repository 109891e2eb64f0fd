/* SPDX-License-Identifier: MIT
 * A strict reader of a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2; SNI
 * RFC 6066 section 3; ALPN RFC 7301). Pure: takes the bytes so far, says complete, incomplete or
 * bad. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

#define CLIENT_HELLO_MAX      65536 /* bytes of handshake message that are read at most */
#define CLIENT_HELLO_ALPN_MAX 256

struct client_hello {
    char sni[254]; /* normal form; "" where there was none */
    bool has_sni;
    bool sni_invalid; /* an SNI that is no name: an address, NUL, over-long, two names */
    char alpn[CLIENT_HELLO_ALPN_MAX]; /* comma separated; bytes that are not printable as \xNN */
    bool ech;                         /* encrypted_client_hello, real or GREASE */
    uint16_t legacy_version;
    uint16_t max_version; /* from supported_versions where given, GREASE left out */
    size_t consumed;      /* bytes of records that held the message */
};

enum client_hello_result { CLIENT_HELLO_OK, CLIENT_HELLO_INCOMPLETE, CLIENT_HELLO_BAD };

/* Reads data as a client's first TLS records, in any cut. On BAD, *why (may be NULL) is a short
 * stable word for the log. */
enum client_hello_result client_hello_parse(const void *data, size_t len, struct client_hello *out,
                                            const char **why) NODISCARD NONNULL(3);

/* Whether two hellos, each of which client_hello_parse takes, have the same server name and the
 * same protocols, byte for byte: the second one after a HelloRetryRequest must (RFC 8446
 * section 4.1.2). */
bool client_hello_same(const void *first, size_t first_len, const void *second,
                       size_t second_len) NODISCARD;

/* A fatal alert record (RFC 8446 section 6); 7 bytes. */
#define TLS_ALERT_LEN 7
enum tls_alert {
    TLS_ALERT_HANDSHAKE_FAILURE = 40,
    TLS_ALERT_ACCESS_DENIED = 49,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_UNRECOGNIZED_NAME = 112
};
void tls_alert_write(enum tls_alert alert, uint8_t out[TLS_ALERT_LEN]) NONNULL(2);
