/* SPDX-License-Identifier: MIT
 * What `doctor` looks at: one function for each thing that a run needs, which does what the run
 * itself would do, and leaves nothing. Internal to this folder. */
#pragma once

#include <stdbool.h>

#include "base/attrib.h"
#include "base/error.h"
#include "keeper/options.h"

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_WARN,   /* a run works, but something about it should be known */
    DOCTOR_BAD,    /* a run fails */
    DOCTOR_UNSEEN, /* cannot be looked at without root */
};

struct finding {
    enum doctor_level level;
    char seen[1024];   /* what was seen; of a failure, the sentence with which a run ends */
    const char *means; /* for a run; NULL where that is plain */
    const char *todo;  /* NULL: nothing */
};

struct doctor {
    struct options options; /* as the run would have them */
    bool root;
};

/* doctor_kernel.c */
void doctor_kernel(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_btf(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_hooks(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_frames(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_cgroup(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_namespaces(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_limits(const struct doctor *d, struct finding *f) NONNULL(1, 2);
/* doctor_net.c */
void doctor_iptables(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_gate(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_resolver(const struct doctor *d, struct finding *f) NONNULL(1, 2);
/* doctor_host.c */
void doctor_rights(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_users(const struct doctor *d, struct finding *f) NONNULL(1, 2);
void doctor_log(const struct doctor *d, struct finding *f) NONNULL(1, 2);
/* doctor_run.c: a run of `true`, with a log in a directory of its own that is taken away again. */
void doctor_run(const struct doctor *d, struct finding *f) NONNULL(1, 2);

/* Fills in what was seen. */
void finding_set(struct finding *f, enum doctor_level level, const char *format, ...) PRINTF(3, 4)
    NONNULL(1, 3);
/* Adds to what was seen. */
void finding_add(struct finding *f, const char *format, ...) PRINTF(2, 3) NONNULL(1, 2);
/* Only root can look. */
void finding_unseen(struct finding *f) NONNULL(1);
/* Runs look in a child, whose namespaces and descriptors go with it. 0, or a negative errno with
 * *error: what look returned and said, or why there is no child. */
int doctor_apart(int (*look)(const void *context, struct error *error), const void *context,
                 struct error *error) NODISCARD NONNULL(1, 3);
