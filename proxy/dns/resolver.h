/* SPDX-License-Identifier: MIT
 * A DNS server that the filter asks, and for which names: "192.0.2.1", "192.0.2.1:5353", or with a
 * zone that it answers for, "corp.example=192.0.2.1" (split horizon). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

struct resolver_address {
    uint32_t ip; /* host byte order */
    uint16_t port;
};

struct resolver {
    struct resolver_address address;
    char zone[254]; /* normal form; "": all names that lie in no other's */
};
#define RESOLVERS_MAX 16

/* Port 53 where none is written. Returns 0, or -EINVAL with *why (may be NULL) set to what is wrong
 * with it, in words that follow "cannot be 'TEXT': ". */
int resolver_parse(const char *text, struct resolver *out, const char **why) NODISCARD
    NONNULL(1, 2);
/* The other way, with the port. */
#define RESOLVER_TEXT 288
void resolver_text(const struct resolver *r, char out[RESOLVER_TEXT]) NONNULL(1, 2);

/* Those to ask for host (normal form; NULL: no name of a host), in the order in which they were
 * given: those of the longest zone that it lies in, else those without. Returns how many. */
size_t resolver_choose(const struct resolver *all, size_t n, const char *host,
                       struct resolver_address out[RESOLVERS_MAX]) NODISCARD NONNULL(4);
