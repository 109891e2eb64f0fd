/* SPDX-License-Identifier: MIT
 * What a client says after a HelloRetryRequest: a second ClientHello, perhaps behind records that
 * the server skips (RFC 8446 sections 4.2.10 and 5, appendix D.4). Pure. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"
#include "tls/client_hello.h"

/* Early data that was under way when the server asked: servers announce 16 KiB or less. */
#define SECOND_HELLO_SKIP_MAX 32768

/* Reads data as everything that came from the client since its first hello, in any cut. *at
 * receives where the second hello begins, which is where out->consumed counts from: before it are
 * only whole records of change_cipher_spec, alerts and early data. Results and *why as in
 * client_hello_parse; INCOMPLETE with *at == len says that nothing of a hello has come. */
enum client_hello_result second_hello_parse(const void *data, size_t len, struct client_hello *out,
                                            size_t *at, const char **why) NODISCARD NONNULL(3, 4);
