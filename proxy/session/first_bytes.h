/* SPDX-License-Identifier: MIT
 * What protocol a client's first bytes are. Pure. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"

enum first_bytes {
    FIRST_BYTES_NONE,    /* nothing yet, or too little to tell */
    FIRST_BYTES_TLS,     /* a TLS handshake record begins (client_hello_parse goes on) */
    FIRST_BYTES_HTTP1,   /* an HTTP/1 request line begins */
    FIRST_BYTES_H2C,     /* the HTTP/2 connection preface, RFC 9113 section 3.4 */
    FIRST_BYTES_SSH,     /* an SSH identification string, RFC 4253 section 4.2 */
    FIRST_BYTES_DNS,     /* a query behind its length, RFC 1035 section 4.2.2 */
    FIRST_BYTES_UNKNOWN, /* no protocol we know */
};

enum first_bytes first_bytes_classify(const void *data, size_t len) NODISCARD;
const char *first_bytes_name(enum first_bytes f);
