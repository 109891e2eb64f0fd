/* SPDX-License-Identifier: MIT
 * The URL of a request in an event, taken apart; what its parts mean is the policy's business. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attrib.h"

/* A path longer than this is longer than any request line. */
#define EVENT_PATH_MAX 65536

struct event_url {
    bool https;
    bool ipv6; /* host is an IPv6 address, and not kept */
    uint16_t port;
    char host[254];
    char path[EVENT_PATH_MAX]; /* without query and fragment; "/" where there was none */
};

/* NULL, or what is wrong, to stand behind "'url' ". */
const char *event_url_parse(const char *url, struct event_url *out) NODISCARD NONNULL(1, 2);
