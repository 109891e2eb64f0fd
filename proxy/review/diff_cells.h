/* SPDX-License-Identifier: MIT
 * What two policies can tell apart: the names, blocks of addresses and ranges of ports that their
 * own rules cut the world into. Within one cell every name, address or port is judged alike, so one
 * of each stands for all. */
#pragma once

#include "rules/arena.h"
#include "rules/rule.h"

/* The rules of both policies, those of the old one first. */
struct diff_rules {
    const struct rule **list;
    unsigned *same; /* rules that say the same have the same number */
    size_t n, n_old;
};

struct diff_name {
    const char *name; /* one of the cell */
    const char *text; /* what a policy would call it */
    size_t len;
};

struct diff_block {
    uint32_t low, high;
};

struct diff_ports {
    struct port_range *cells;
    size_t n;
};

struct diff_cells {
    struct diff_name *names;
    size_t n_names;
    struct diff_block *blocks; /* every address, in order, parted by address rules */
    size_t n_blocks;
    struct diff_block *lies; /* the same, and parted by where a name must not lie too */
    size_t n_lies;
    uint16_t *url_ports; /* 80, 443, and each that a URL rule of either names */
    size_t n_url_ports;
    bool url_ports_differ;
    bool exact; /* false: wildcards overlap in a way that was not followed */
};

/* Everything is taken from the arena; false without memory. */
bool diff_rules_collect(struct arena *arena, const struct policy *before,
                        const struct policy *after, struct diff_rules *out) NODISCARD
    NONNULL(1, 2, 3, 4);
bool diff_cells_make(struct arena *arena, const struct diff_rules *rules,
                     struct diff_cells *out) NODISCARD NONNULL(1, 2, 3);
/* The ports that some rules, and the URL ports of all, tell apart. */
bool diff_ports_make(struct arena *arena, const struct diff_rules *rules,
                     const struct diff_cells *cells, struct diff_ports *out) NODISCARD
    NONNULL(1, 2, 3, 4);

/* Those of the rules that are about a name (or NULL) or an address (where has_ip). */
bool diff_rules_about(struct arena *arena, const struct diff_rules *all,
                      const struct diff_name *name, bool has_ip, uint32_t ip,
                      struct diff_rules *out) NODISCARD NONNULL(1, 2, 6);
/* Whether there are any such. */
bool diff_rules_touch(const struct diff_rules *rules, const struct diff_name *name, bool has_ip,
                      uint32_t ip) NONNULL(1);
