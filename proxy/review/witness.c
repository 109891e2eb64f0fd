/* SPDX-License-Identifier: MIT
 * Patterns filled in, in the plainest way that they match. */
#include "review/witness.h"

#include <stdio.h>
#include <string.h>

#include "review/diff_fill.h"
#include "review/event_facts.h"

const char *witness_of_selector(struct arena *arena, const struct selector *s)
{
    if (s->classes)
        return event_facts_cgroup(s->value, strlen(s->value));
    if (s->literal || !strchr(s->value, '*'))
        return s->value;
    if (s->kind == SELECTOR_SHA256) {
        char zeros[65];
        size_t fixed = 0;
        const char *star = strchr(s->value, '*');
        for (const char *c = s->value; *c; c++)
            fixed += *c != '*';
        snprintf(zeros, sizeof(zeros), "%0*d", fixed < 64 ? (int)(64 - fixed) : 1, 0);
        char *text = arena_alloc(arena, 130);
        if (text && fixed <= 64)
            snprintf(text, 130, "%.*s%s%s", (int)(star - s->value), s->value,
                     fixed < 64 ? zeros : "", star + strspn(star, "*"));
        return text;
    }
    bool path = s->kind == SELECTOR_EXE || s->kind == SELECTOR_PARENT || s->kind == SELECTOR_CGROUP;
    char *filled = diff_fill(arena, s->value, path && s->value[0] == '*' ? "/x" : "x");
    return filled;
}

const char *witness_of_host(struct arena *arena, const struct host_pattern *h)
{
    const char *label = h->glob ? diff_fill(arena, h->glob, "x") : "";
    size_t room = (label ? strlen(label) : 0) + h->suffix_len + 4;
    char *name = label ? arena_text(arena, room) : NULL;
    if (name)
        snprintf(name, room, "%s%s%s%.*s", h->subdomains ? "x." : "", label, h->glob ? "." : "",
                 (int)h->suffix_len, h->suffix);
    return name;
}
