/* SPDX-License-Identifier: MIT
 * Reads as much of a server's first flight as tells a HelloRetryRequest from another ServerHello:
 * the two differ in their random alone (RFC 8446 section 4.1.3). The server is not the one who
 * wants to deceive here; but every form that an honest one may choose must be read right. */
#include "tls/server_hello.h"

enum {
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_PAYLOAD_MAX = 16384,
    ALERT_LEN = 2,
    /* Warnings may come before a ServerHello (RFC 6066 section 3), but not without end. */
    ALERTS_MAX = 4,
    MESSAGE_SERVER_HELLO = 2,
};

/* Version and random of a HelloRetryRequest: SHA-256 of that word, RFC 8446 section 4.1.3. */
static const uint8_t retry[] = {
    0x03, 0x03, 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d,
    0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
    0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static enum server_hello_result take_header(struct server_hello *s, uint8_t byte)
{
    s->header[s->n_header++] = byte;
    uint8_t type = s->header[0];
    if (type != RECORD_HANDSHAKE && type != RECORD_ALERT)
        return SERVER_HELLO_OTHER;
    if (s->n_header >= 2 && s->header[1] != 3)
        return SERVER_HELLO_OTHER;
    if (s->n_header < sizeof(s->header))
        return SERVER_HELLO_INCOMPLETE;
    s->left = (uint16_t)(s->header[3] << 8 | s->header[4]);
    if (type == RECORD_ALERT)
        return s->left == ALERT_LEN && ++s->n_alerts <= ALERTS_MAX ? SERVER_HELLO_INCOMPLETE
                                                                   : SERVER_HELLO_OTHER;
    return s->left > 0 && s->left <= RECORD_PAYLOAD_MAX ? SERVER_HELLO_INCOMPLETE
                                                        : SERVER_HELLO_OTHER;
}

static enum server_hello_result take_message(struct server_hello *s, uint8_t byte)
{
    unsigned at = s->n_message++;
    switch (at) {
    case 0:
        return byte == MESSAGE_SERVER_HELLO ? SERVER_HELLO_INCOMPLETE : SERVER_HELLO_OTHER;
    case 1:
    case 2:
        /* 64 KiB and more are no ServerHello, whose fields come to less than that. */
        return at == 1 && byte ? SERVER_HELLO_OTHER : SERVER_HELLO_INCOMPLETE;
    case 3:
        return SERVER_HELLO_INCOMPLETE;
    default:
        if (byte != retry[at - 4])
            return SERVER_HELLO_FINAL;
        return s->n_message == SERVER_HELLO_READ ? SERVER_HELLO_RETRY : SERVER_HELLO_INCOMPLETE;
    }
}

static enum server_hello_result take_byte(struct server_hello *s, uint8_t byte)
{
    if (s->n_header < sizeof(s->header))
        return take_header(s, byte);
    if (--s->left == 0)
        s->n_header = 0;
    return s->header[0] == RECORD_HANDSHAKE ? take_message(s, byte) : SERVER_HELLO_INCOMPLETE;
}

enum server_hello_result server_hello_feed(struct server_hello *s, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len && s->result == SERVER_HELLO_INCOMPLETE; i++)
        s->result = take_byte(s, bytes[i]);
    return s->result;
}
