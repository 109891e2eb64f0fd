/* SPDX-License-Identifier: MIT
 * The hidden sub-command by which the keeper executes the other roles. */
#pragma once

#include "keeper/roles.h"
#include "roles/confine.h"

/* `role NAME fd:…=N KEY=VALUE …`; returns the exit status. */
int role_main(int argc, char **argv);

/* roles/proxy.c, roles/packet.c, roles/digest.c */
int proxy_main(const struct role_args *args);
int packet_main(const struct role_args *args);
int digest_main(const struct role_args *args);

/* Tells the keeper why the role cannot start. Returns the exit status. */
int role_fail(int control_fd, const struct error *error);
/* The number in that setting, or fallback. */
unsigned long long role_number(const struct role_args *args, const char *key,
                               unsigned long long fallback);
/* Who to become; fallback is user and group where the keeper named none. */
struct confine_as role_identity(const struct role_args *args, uid_t fallback);
