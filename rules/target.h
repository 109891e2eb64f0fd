/* SPDX-License-Identifier: MIT
 * What a rule is about: the one word of a line that must be there. */
#pragma once

#include "rules/arena.h"
#include "rules/reporter.h"
#include "rules/rule.h"
#include "rules/service.h"

struct target {
    enum target_type type;
    struct host_pattern host; /* also that of a URL by name */
    uint32_t ip, mask;
    struct url_base url;
    struct span path;  /* of url and path, as typed */
    struct span typed; /* without ports and protocol */
    struct service service;
};

bool target_parse(struct reporter *r, struct arena *arena, struct span s,
                  struct target *out) NODISCARD NONNULL(1, 2, 4);
/* `https://host[:port][path]`; what follows the authority is handed back unread. */
bool url_base_parse(struct reporter *r, struct arena *arena, struct span s, struct url_base *out,
                    struct span *path) NODISCARD NONNULL(1, 2, 4, 5);

static inline bool span_has(struct span s, const char *text, size_t len)
{
    for (size_t i = 0; i + len <= s.len; i++)
        if (__builtin_memcmp(s.text + i, text, len) == 0)
            return true;
    return false;
}

static inline bool span_is_url(struct span s)
{
    return span_find(s, ':') < s.len && span_has(s, "://", 3);
}
