/* SPDX-License-Identifier: MIT
 * Whether bytes have the form of a DNS query, wherever they go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"

/* Whether a resolver could take these bytes for a query. Generous where dns_read_query is strict:
 * whatever some resolver answers, and more, has the form; what is judged and passed on is for the
 * strict reader to say. Random bytes have it once in some millions. Pure. */
bool dns_has_query_form(const void *data, size_t len) NODISCARD;
