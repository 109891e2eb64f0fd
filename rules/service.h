/* SPDX-License-Identifier: MIT
 * Ports, protocols and methods: `:80|443/tcp`, `GET|HEAD`. Targets and headers share them. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"
#include "rules/rule.h"

struct service {
    bool has_ports;
    struct port_list ports;
    unsigned protos; /* enum rule_proto; 0: not written */
};

/* What follows a target: `:PORTS`, `:PORTS/PROTO`, `/PROTO` or nothing. */
bool service_parse(struct reporter *r, struct arena *arena, struct span s,
                   struct service *out) NODISCARD NONNULL(1, 2, 4);

/* 0 where the word is no list of methods; METHOD_ALL for `*`. */
unsigned methods_parse(struct span s);
/* Of a request; compared exactly. */
unsigned method_of_request(const char *method) NONNULL(1);

bool ports_contain(const struct port_list *ports, uint16_t port) NONNULL(1);
bool ports_cover(const struct port_list *a, const struct port_list *b) NONNULL(1, 2);
