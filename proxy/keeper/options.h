/* SPDX-License-Identifier: MIT
 * The command line of `run`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attribution/hooks.h"
#include "audit/record.h"
#include "base/attrib.h"
#include "base/cli.h"
#include "dns/resolver.h"

#define OPTIONS_LIST_MAX CLI_LIST_MAX

struct options {
    struct cli_list policies, shares;
    uint16_t host_ports[OPTIONS_LIST_MAX];
    size_t n_host_ports;
    struct resolver resolvers[RESOLVERS_MAX]; /* of --resolver; the host's where none is for all */
    size_t n_resolvers;
    const char *log, *suggest, *user, *context, *repo;
    enum log_args log_args;
    enum attach_way attach;
    unsigned loops; /* 1 to GATE_LOOPS_MAX */
    bool audit, quiet, json, fail_on_deny, allow_privileges, lenient, no_name_limits;
    pid_t environ_pid;
    char **command; /* NULL-terminated, of argv */
};

/* Reads argv (argv[0] is the sub-command). CLI_GO, or what to exit with. */
int options_parse(int argc, char **argv, struct options *out) NODISCARD NONNULL(2, 3);
