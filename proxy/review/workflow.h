/* SPDX-License-Identifier: MIT
 * The policies that a GitHub workflow (or composite action) gives to the filter's steps. Pure:
 * bytes in, texts out, each with where it stood. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attrib.h"
#include "review/workflow_map.h"

/* Workflows that GitHub takes are far smaller. */
#define WORKFLOW_MAX (1u << 20)

struct workflow_text {
    char *data; /* owned; NULL: not given */
    size_t len;
    size_t line, column; /* of its first byte, from 1; columns count bytes */
    struct scalar_map map;
};

/* One step whose `uses:` names the filter. */
struct workflow_step {
    size_t line;                 /* of its `uses:` */
    struct workflow_text policy; /* data NULL: the step gives none */
    struct workflow_text context;
    bool lenient;
};

struct workflow {
    struct workflow_step *steps;
    size_t n_steps;
    size_t *lines; /* offsets at which lines begin; owned */
    size_t n_lines;
};

struct workflow_fault {
    size_t line, column;
    char text[160]; /* what is wrong; what to write instead */
};

/* 0; -EINVAL with *fault where it is no YAML, or a policy is no text; -EFBIG; -ENOMEM. The caller
 * releases out in any case. */
int workflow_parse(const char *data, size_t len, struct workflow *out,
                   struct workflow_fault *fault) NODISCARD NONNULL(3, 4);
void workflow_release(struct workflow *w) NONNULL(1);

/* From a place in the text (line and column from 1, columns in bytes) to one in the file. */
void workflow_place(const struct workflow *w, const struct workflow_text *t, size_t *line,
                    size_t *column) NONNULL(1, 2, 3, 4);
