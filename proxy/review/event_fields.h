/* SPDX-License-Identifier: MIT
 * Members of a JSON object by the type that they must have. The first one that is wrong is told in
 * a sentence and remembered, so that readers ask for what they need and look once, at the end. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"

struct fields {
    json_t *object;
    struct error *error; /* code 0 while nothing is wrong */
};

/* Remembers a sentence, unless there is one already. */
void fields_bad(struct fields *f, const char *format, ...) PRINTF(2, 3) NONNULL(1, 2);

/* A member that is not there and one that is null are the same to all of these but the last. */
const char *fields_text(struct fields *f, const char *name) NONNULL(1, 2); /* or NULL */
/* Whether it is there; out is not touched otherwise. */
bool fields_number(struct fields *f, const char *name, uint64_t max, uint64_t *out)
    NONNULL(1, 2, 4);
bool fields_flag(struct fields *f, const char *name) NONNULL(1, 2);
json_t *fields_list(struct fields *f, const char *name) NONNULL(1, 2); /* or NULL */
bool fields_is_null(struct fields *f, const char *name) NONNULL(1, 2);

/* The text of a value that may be anything; NULL where it is none, or holds a NUL. */
const char *value_text(json_t *value);
