/* SPDX-License-Identifier: MIT
 * The other roles as the keeper sees them: spawned as this program executed anew, with named
 * descriptors, on a channel, watched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attrib.h"
#include "base/error.h"

#define ROLE_NAMES_MAX 256

/* What a role is started with. Descriptors are borrowed; settings are KEY=VALUE. What cannot be
 * kept is remembered instead of returned: role_spawn refuses to start a role with less. */
struct role_start {
    const char *role;  /* "proxy", "packet" or "digest" */
    int executable_fd; /* of this program */
    int netns_fd;      /* to run in, or -1 */
    struct {
        char *name; /* owned, as are the settings */
        int fd;
    } fds[ROLE_NAMES_MAX];
    size_t n_fds;
    char *settings[ROLE_NAMES_MAX];
    size_t n_settings;
    int failed; /* 0 or a negative errno */
};

/* fd -1 is none to hand over. */
void role_start_fd(struct role_start *s, int fd, const char *name, ...) PRINTF(3, 4) NONNULL(1, 3);
void role_start_setting(struct role_start *s, const char *format, ...) PRINTF(2, 3) NONNULL(1, 2);
void role_start_release(struct role_start *s) NONNULL(1);

/* Executes the role. Returns its pid, or a negative errno with *error. */
pid_t role_spawn(const struct role_start *s, struct error *error) NODISCARD NONNULL(1, 2);

/* On the other side: what the role was started with, from its arguments. */
struct role_args {
    int argc;
    char **argv;
};
/* The descriptor of that name, -1 when there is none. */
int role_fd(const struct role_args *a, const char *name) NONNULL(1, 2);
/* The n-th value of that key, NULL beyond the last. */
const char *role_setting(const struct role_args *a, const char *key, size_t n) NONNULL(1, 2);
