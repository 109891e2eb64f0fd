/* SPDX-License-Identifier: MIT
 * Policy files as the review commands read them: whole, from disk or standard input, with what they
 * include; and what the parser says of them, printed. */
#pragma once

#include <stddef.h>

#include "base/attrib.h"
#include "rules/policy.h"

struct policy_file;

/* Every file that was read. Sources point into it, so it is released after they were parsed. */
struct policy_files {
    struct policy_file *list;
};

/* Reads a file whole ("-": standard input). 0 or a negative errno. */
int policy_files_read(struct policy_files *f, const char *path, struct policy_source *out) NODISCARD
    NONNULL(1, 2, 3);
void policy_files_release(struct policy_files *f) NONNULL(1);
/* The text of a preset, by its name without @; that of @system-resolver is made from this machine's
 * resolv.conf. 0, or a negative errno: -ENOENT where there is none of that name. */
int policy_files_preset(struct policy_files *f, const char *name,
                        struct policy_source *out) NODISCARD NONNULL(1, 2, 3);

/* One digest over all files that were read, as `run` records it: of one file its own, of several
 * that of their lines as `sha256sum` would print them. hex is "" without memory. */
void policy_files_digest(const struct policy_files *f, char hex[65]) NONNULL(1, 2);

/* For struct policy_options: what an include names, relative to the file that includes it, or a
 * preset. The context is a struct policy_files. */
int policy_files_load(void *context, const char *from, const char *what, bool preset,
                      struct policy_source *source);
/* The same for a policy that stands within another file: presets only. */
int policy_files_load_inline(void *context, const char *from, const char *what, bool preset,
                             struct policy_source *source);

/* Prints a line on stderr: FILE:LINE:COLUMN: error: what is wrong. */
void policy_say(const struct diagnostic *d) NONNULL(1);

/* Values of {owner} and {repo} from OWNER/REPO; repo NULL: from GITHUB_REPOSITORY, where that is
 * set. room holds the two halves. Returns false where repo is not OWNER/REPO, which is
 * then said. */
#define REPO_ROOM 512
bool policy_set_repo(const char *repo, char room[REPO_ROOM], struct policy_options *o) NODISCARD
    NONNULL(2, 3);
