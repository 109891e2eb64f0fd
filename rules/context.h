/* SPDX-License-Identifier: MIT
 * What a header gives to the rules below it. */
#pragma once

#include "rules/line.h"
#include "rules/rule.h"
#include "rules/service.h"

enum context_part {
    PART_METHODS = 1 << 0,
    PART_SERVICE = 1 << 1,
    PART_BASE = 1 << 2,
    PART_WHO = 1 << 3, /* selectors */
};

struct context {
    unsigned methods; /* 0: not given */
    struct service service;
    bool has_base;
    struct url_base base;
    const char *base_path; /* normal form, or NULL */
    const char *base_text; /* as typed */
    unsigned keywords;
    const struct selector *selectors;
    size_t n_selectors;
    bool open;       /* a placeholder in it has no value */
    unsigned unsaid; /* enum context_part: given by this header, and no warning said yet about
                        what it does to a rule */
    bool closed;     /* the header was bad and skipped: so are the rules below it */
    bool broken;     /* the header was bad: what it would have given is not missed */
};

/* A header with its brackets, laid over start. The result is good for further reading even when
 * there was an error. False then. */
bool context_parse(struct reporter *r, struct arena *arena, const struct context *start,
                   struct span header, struct words *words, struct context *out) NODISCARD
    NONNULL(1, 2, 3, 5, 6);

/* `own` with what it leaves open from `inherited`, and `added` behind: the selectors of a rule. */
bool selectors_merge(struct arena *arena, const struct selector *own, size_t n_own,
                     const struct selector *inherited, size_t n_inherited,
                     const struct selector *added, size_t n_added, const struct selector **out,
                     size_t *n_out) NODISCARD NONNULL(1, 8, 9);
