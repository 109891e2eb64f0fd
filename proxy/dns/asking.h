/* SPDX-License-Identifier: MIT
 * Whether a look-up that the policy allows may leave: by the budget of its wildcard, where nothing
 * but a wildcard allows it (name_limits.h). For the client's questions and for those that the
 * filter asks on its behalf alike. */
#pragma once

#include <stdbool.h>

#include "attribution/process.h"
#include "base/attrib.h"
#include "dns/kept.h"
#include "session/engine.h"

/* The word for it in the log. */
#define ASKING_TOO_MUCH "name-limit"

enum asking {
    ASKING_FREE, /* only the kept answer may be given: nothing may leave */
    ASKING_PAID, /* it may leave, once */
    ASKING_OVER, /* too much was asked */
};

/* zone: of the verdict; key: what is asked, as forward_key has it, or as a question of our own for
 * addresses (`asking_own`). process NULL: not known. What is kept as an answer costs nothing. */
enum asking asking_pay(struct engine *e, const struct process *process, const char *zone,
                       const struct kept_key *key) NODISCARD NONNULL(1, 4);
/* The key of what forward_resolve asks for host; borrows host. */
struct kept_key asking_own(const char *host) NONNULL(1);
