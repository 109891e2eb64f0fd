/* SPDX-License-Identifier: MIT
 * The ClientHello reader, and the classifier in front of it, on any bytes: besides memory errors it
 * looks for answers that change when the same bytes come in other pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/first_bytes.h"
#include "tls/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_sound(const struct client_hello *h, size_t size)
{
    require(h->consumed > 0 && h->consumed <= size);
    require(memchr(h->sni, 0, sizeof(h->sni)) && memchr(h->alpn, 0, sizeof(h->alpn)));
    require(!h->sni_invalid || h->has_sni);
    require((h->sni[0] != '\0') == (h->has_sni && !h->sni_invalid));
    require(h->legacy_version >> 8 == 3);
    require(h->max_version == 0 || h->max_version >> 8 == 3);
}

/* The answer for the first n bytes, from a copy of exact size. */
static enum client_hello_result parse(const uint8_t *data, size_t n, struct client_hello *h,
                                      const char **why)
{
    uint8_t *copy = malloc(n ? n : 1);
    require(copy);
    if (n > 0)
        memcpy(copy, data, n);
    enum client_hello_result result = client_hello_parse(copy, n, h, why);
    free(copy);
    return result;
}

static void check_prefix(const uint8_t *data, size_t n, enum client_hello_result whole,
                         const struct client_hello *of_whole, const char *why_whole)
{
    struct client_hello h;
    const char *why;
    switch (parse(data, n, &h, &why)) {
    case CLIENT_HELLO_OK:
        require(whole == CLIENT_HELLO_OK && memcmp(&h, of_whole, sizeof(h)) == 0);
        break;
    case CLIENT_HELLO_BAD:
        require(whole == CLIENT_HELLO_BAD && why == why_whole);
        break;
    case CLIENT_HELLO_INCOMPLETE:
        require(whole != CLIENT_HELLO_OK || n < of_whole->consumed);
        break;
    }
}

/* The same message, cut into records anew, must read the same. */
static void check_recut(const uint8_t *data, const struct client_hello *h)
{
    static uint8_t again[CLIENT_HELLO_MAX * 2];
    struct client_hello other;
    size_t used = 0, step = 40;
    for (size_t at = 0; at < h->consumed;) {
        size_t payload = (size_t)data[at + 3] << 8 | data[at + 4];
        for (size_t done = 0; done < payload; done += step) {
            size_t n = MIN(step, payload - done);
            const uint8_t header[] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
            if (used + sizeof(header) + n > sizeof(again))
                return;
            memcpy(again + used, header, sizeof(header));
            memcpy(again + used + sizeof(header), data + at + sizeof(header) + done, n);
            used += sizeof(header) + n;
        }
        at += 5 + payload;
    }
    const char *why;
    enum client_hello_result result = client_hello_parse(again, used, &other, &why);
    if (result == CLIENT_HELLO_BAD && strcmp(why, "record-count") == 0)
        return;
    require(result == CLIENT_HELLO_OK && other.consumed == used);
    other.consumed = h->consumed;
    require(memcmp(&other, h, sizeof(other)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_hello h;
    const char *why;
    enum client_hello_result result = parse(data, size, &h, &why);
    enum first_bytes first = first_bytes_classify(data, size);

    require((result == CLIENT_HELLO_BAD) == (why != NULL));
    require(result != CLIENT_HELLO_OK || first == FIRST_BYTES_TLS);
    if (result == CLIENT_HELLO_OK) {
        check_sound(&h, size);
        check_recut(data, &h);
        check_prefix(data, h.consumed - 1, result, &h, why);
        check_prefix(data, h.consumed, result, &h, why);
    }
    for (size_t n = size / 8 + 1, at = 0; at < size; at += n) {
        enum first_bytes early = first_bytes_classify(data, at);
        require(early == FIRST_BYTES_NONE || early == first);
        check_prefix(data, at, result, &h, why);
    }
    return 0;
}
