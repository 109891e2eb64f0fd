/* SPDX-License-Identifier: MIT
 * Names of users, asked for once each: a look-up loads the host's name services into the one
 * process that is root, and may wait for a server, at every exec that is recorded. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

#define USERS_MAX 16

struct users {
    struct {
        uint32_t uid;
        char *name; /* owned; NULL: there is none */
    } list[USERS_MAX];
    size_t n, next; /* next: which one gives way when all are taken */
};

/* Fills one in that is known. name NULL: it has none. */
void users_add(struct users *u, uint32_t uid, const char *name) NONNULL(1);
/* NULL where the user has no name. Valid until the next call. */
const char *users_name(struct users *u, uint32_t uid) NONNULL(1);
void users_release(struct users *u) NONNULL(1);
