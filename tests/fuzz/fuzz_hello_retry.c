/* SPDX-License-Identifier: MIT
 * Both sides of a HelloRetryRequest on any bytes: the server's answer must read the same in every
 * cut, and nothing but whole records that a server skips may stand before the second hello. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/second_hello.h"
#include "tls/server_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static enum server_hello_result answer(const uint8_t *data, size_t size, size_t step)
{
    struct server_hello s = {0};
    for (size_t at = 0; at < size; at += step) {
        enum server_hello_result before = s.result;
        enum server_hello_result now = server_hello_feed(&s, data + at, MIN(step, size - at));
        require(before == SERVER_HELLO_INCOMPLETE || now == before);
        require(s.n_message <= SERVER_HELLO_READ);
    }
    return s.result;
}

static void check_skipped(const uint8_t *data, size_t at)
{
    size_t n = 0;
    while (n < at) {
        require(data[n] == 20 || data[n] == 21 || data[n] == 23);
        require(at - n > 5);
        n += 5 + ((size_t)data[n + 3] << 8 | data[n + 4]);
    }
    require(n == at && at <= SECOND_HELLO_SKIP_MAX);
}

/* The answer for the first n bytes, from a copy of exact size, must not be taken back later. */
static void check_prefix(const uint8_t *data, size_t n, enum client_hello_result whole,
                         const struct client_hello *of_whole, size_t end)
{
    struct client_hello h;
    size_t at;
    uint8_t *copy = malloc(n ? n : 1);
    require(copy);
    if (n)
        memcpy(copy, data, n);
    enum client_hello_result r = second_hello_parse(copy, n, &h, &at, NULL);
    free(copy);
    require(at <= n);
    require(r != CLIENT_HELLO_BAD || whole == CLIENT_HELLO_BAD);
    require(r != CLIENT_HELLO_OK ||
            (whole == CLIENT_HELLO_OK && memcmp(&h, of_whole, sizeof(h)) == 0));
    require(r != CLIENT_HELLO_INCOMPLETE || whole != CLIENT_HELLO_OK || n < end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_hello h;
    const char *why;
    size_t at, step = size / 8 + 1;
    enum server_hello_result whole = answer(data, size, size ? size : 1);
    require(answer(data, size, 1) == whole && answer(data, size, step) == whole);

    enum client_hello_result r = second_hello_parse(data, size, &h, &at, &why);
    require((r == CLIENT_HELLO_BAD) == (why != NULL));
    require(at <= size);
    check_skipped(data, at);
    if (r == CLIENT_HELLO_OK) {
        require(client_hello_same(data + at, size - at, data + at, size - at));
        check_prefix(data, at + h.consumed - 1, r, &h, at + h.consumed);
    }
    for (size_t n = 0; n < size; n += step)
        check_prefix(data, n, r, &h, r == CLIENT_HELLO_OK ? at + h.consumed : size + 1);
    return 0;
}
