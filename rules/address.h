/* SPDX-License-Identifier: MIT
 * IPv4 addresses as the language writes them. inet_pton is close but takes no length, and its
 * relatives read octal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

/* Four decimal octets without leading zeros; host byte order. */
bool address_parse(const char *text, size_t len, uint32_t *ip) NODISCARD NONNULL(1, 3);
/* Digits and dots only: somebody meant an address, whether or not it is one. */
bool address_looks_like(const char *text, size_t len) NONNULL(1);
/* A decimal number without leading zeros, at most max. */
bool decimal_parse(const char *text, size_t len, uint32_t max, uint32_t *number) NODISCARD
    NONNULL(1, 4);
/* The mask of a prefix of 0 to 32 bits. */
uint32_t address_mask(unsigned prefix);
/* The i-th block of what address_is_private() means; false where there are no more. */
bool address_private_block(size_t i, uint32_t *low, uint32_t *high) NONNULL(2, 3);
