/* SPDX-License-Identifier: MIT
 * Formatting of anything: no crash; of a policy: the same rules, a second time the same bytes, and
 * a diff whose lines are those of the text. */
#include <assert.h>
#include <string.h>

#include "review/dump_rules.h"
#include "review/fmt_diff.h"
#include "rules/format.h"
#include "rules/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source)
{
    (void)context, (void)from, (void)preset;
    *source = (struct policy_source){what, "", 0};
    return 0;
}

static bool dump(const void *data, size_t len, struct buffer *out)
{
    const struct policy_source source = {"t", data, len};
    const struct policy_options options = {.load = load};
    struct policy *p = policy_parse(&source, 1, &options);
    for (size_t i = 0; p && i < policy_rule_count(p); i++)
        dump_rule(policy_rule(p, i), 0, out);
    policy_unref(p);
    return p != NULL;
}

static bool same(const struct buffer *a, const struct buffer *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_BUFFER struct buffer out = {0}, again = {0}, before = {0}, after = {0}, diff = {0};
    struct format_map map = {0};
    if (size > 1 << 16)
        return 0;
    assert(policy_format(data, size, &out, &map) == 0);
    fmt_diff("t", &map, &out, &diff);
    bool changed = out.len != size || (size > 0 && memcmp(out.data, data, size) != 0);
    /* A byte order mark alone has no line to show. */
    assert(changed == (diff.len > 0) || (size == 3 && out.len == 0));
    format_map_release(&map);
    if (dump(data, size, &before)) {
        assert(dump(out.data, out.len, &after) && same(&before, &after));
        assert(policy_format(out.data, out.len, &again, &map) == 0 && same(&out, &again));
        format_map_release(&map);
    }
    return 0;
}
