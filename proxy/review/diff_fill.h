/* SPDX-License-Identifier: MIT
 * Texts that stand for all which a pattern matches. What a wildcard is filled with must not by
 * chance be what another rule is about, or a difference would go unseen: so each text is held
 * against one with a byte in it that no policy can have. */
#pragma once

#include <stdbool.h>

#include "rules/arena.h"

/* No UTF-8, so in no rule: what matches it has a wildcard there. */
#define DIFF_FRESH "\xff"

struct diff_filling {
    const void *pattern;
    const void *rules; /* that the text is held against */
    /* The text with this for its wildcards; NULL where there is none, or no memory. */
    char *(*make)(struct arena *arena, const void *pattern, const char *with);
    /* Whether the same of the rules match both texts. */
    bool (*alike)(const void *rules, const char *a, const char *b);
    const char *const *fillers; /* to be tried in turn, up to a NULL; or NULL: a list of its own */
};

/* Where every filler is what some rule is about, *exact becomes false, and the text is the last one
 * that was tried. NULL as make's. */
char *diff_fill_fresh(struct arena *arena, const struct diff_filling *f, bool *exact) NODISCARD
    NONNULL(1, 2, 3);

/* A text that a pattern with * matches: each * filled. */
char *diff_fill(struct arena *arena, const char *pattern, const char *with) NODISCARD
    NONNULL(1, 2, 3);
/* One that matches two patterns with a single * each; NULL where that is not to be had. */
char *diff_fill_both(struct arena *arena, const char *a, const char *b, const char *with) NODISCARD
    NONNULL(1, 2, 3, 4);
