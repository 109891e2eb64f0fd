/* SPDX-License-Identifier: MIT
 * Finds the second ClientHello behind what a server skips, and nothing else: a record that is
 * neither makes the whole unreadable. */
#include "tls/second_hello.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    RECORD_HEADER = 5,
    RECORD_CHANGE_CIPHER_SPEC = 20,
    RECORD_ALERT = 21,
    RECORD_APPLICATION_DATA = 23,
    RECORD_CIPHERTEXT_MAX = 16384 + 256,
    /* Besides early data a client sends one or two such records. */
    RECORDS_MAX = 64,
};

static bool is_skipped(uint8_t type)
{
    return type == RECORD_CHANGE_CIPHER_SPEC || type == RECORD_ALERT ||
           type == RECORD_APPLICATION_DATA;
}

/* What is wrong with so much of a record that is skipped; NULL for nothing. */
static const char *check_skipped(const uint8_t *record, size_t have, size_t *payload)
{
    if (have > 1 && record[1] != 3)
        return "record-version";
    if (have < RECORD_HEADER)
        return NULL;
    *payload = (size_t)record[3] << 8 | record[4];
    switch (record[0]) {
    case RECORD_CHANGE_CIPHER_SPEC:
        return *payload != 1 || (have > RECORD_HEADER && record[RECORD_HEADER] != 1)
                   ? "change-cipher-spec"
                   : NULL;
    case RECORD_ALERT:
        return *payload != 2 ? "alert" : NULL;
    default:
        return *payload == 0 || *payload > RECORD_CIPHERTEXT_MAX ? "record-length" : NULL;
    }
}

/* *at goes behind whole records; INCOMPLETE where one is cut, OK where a hello may begin. */
static enum client_hello_result skip(const uint8_t *data, size_t len, size_t *at, const char **why)
{
    for (size_t n = 0; *at < len && is_skipped(data[*at]); n++) {
        size_t left = len - *at, payload = 0;
        *why = check_skipped(data + *at, left, &payload);
        if (!*why && (n == RECORDS_MAX || *at + RECORD_HEADER + payload > SECOND_HELLO_SKIP_MAX))
            *why = "early-data";
        if (*why)
            return CLIENT_HELLO_BAD;
        if (left < RECORD_HEADER || left - RECORD_HEADER < payload)
            return CLIENT_HELLO_INCOMPLETE;
        *at += RECORD_HEADER + payload;
    }
    return CLIENT_HELLO_OK;
}

enum client_hello_result second_hello_parse(const void *data, size_t len, struct client_hello *out,
                                            size_t *at, const char **why)
{
    const char *unread = NULL;
    why = why ? why : &unread;
    *why = NULL;
    *at = 0;
    memset(out, 0, sizeof(*out));
    enum client_hello_result result = skip(data, len, at, why);
    if (result != CLIENT_HELLO_OK || *at == len)
        return result == CLIENT_HELLO_OK ? CLIENT_HELLO_INCOMPLETE : result;
    return client_hello_parse((const uint8_t *)data + *at, len - *at, out, why);
}
