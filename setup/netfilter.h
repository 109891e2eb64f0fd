/* SPDX-License-Identifier: MIT
 * Rules of netfilter, loaded by the host's own iptables-restore, whichever backend (nft or legacy)
 * it stands for. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"
#include "base/error.h"

/* Adds the rules (iptables-save's format) to the caller's network namespace; what is there stays.
 * `what` names them in the error. Atomic for each table, so put the closing table first. */
int netfilter_restore(const char *rules, const char *what, struct error *error) NODISCARD
    NONNULL(1, 2, 3);
/* What iptables-restore says of itself, one line: version and backend. Needs no right. Fails where
 * netfilter_restore would not find it, with the same sentence. */
int netfilter_version(char *line, size_t size, const char *what, struct error *error) NODISCARD
    NONNULL(1, 3, 4);
