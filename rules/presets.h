/* SPDX-License-Identifier: MIT
 * Rule sets that come with the program: the files of rules/presets, held in the binary, so that
 * `include @npm` means the same on every machine that runs this release. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/buffer.h"
#include "rules/policy.h"

/* The one that is not a file: it is made where the addresses are known, by whoever loads. */
#define PRESET_RESOLVER      "system-resolver"
#define PRESET_RESOLVER_FILE "@" PRESET_RESOLVER

size_t preset_count(void);
/* i below preset_count(), in the order of their names; without @. */
const char *preset_name(size_t i);
/* Its text, named "@NAME", all of it constant. 0, or -ENOENT. */
int preset_find(const char *name, struct policy_source *out) NODISCARD NONNULL(1, 2);

/* Appends the text of @system-resolver for these addresses, host byte order. */
void preset_write_resolvers(const uint32_t *ips, size_t n, struct buffer *out) NONNULL(3);
/* Appends the same for the IPv4 `nameserver` lines of a resolv.conf(5). */
void preset_read_resolv_conf(const char *text, size_t len, struct buffer *out) NONNULL(1, 3);
