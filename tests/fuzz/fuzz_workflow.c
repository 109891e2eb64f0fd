/* SPDX-License-Identifier: MIT
 * A workflow file from anywhere: read or refused, every place within the file, and each policy in
 * it parsed with diagnostics whose places are asked for. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "review/dump_rules.h"
#include "review/workflow.h"
#include "rules/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct place {
    const struct workflow *workflow;
    const struct workflow_text *text;
    size_t lines;
};

static void check_place(const struct place *p, size_t line, size_t column)
{
    workflow_place(p->workflow, p->text, &line, &column);
    assert(line >= 1 && line <= p->lines && column >= 1);
}

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    check_place(context, d->line, d->column);
}

static void check_text(const struct workflow *w, const struct workflow_text *t, size_t size,
                       size_t lines)
{
    struct place place = {w, t, lines};
    const struct policy_source source = {"w", t->data, t->len};
    const struct policy_options options = {.diagnose = on_diagnostic, .diagnose_context = &place};
    CLEANUP_BUFFER struct buffer out = {0};
    assert(t->map.len == t->len && t->line >= 1 && t->line <= lines);
    for (size_t i = 0; i <= t->len; i++)
        assert(t->map.at[i] <= size && (i == 0 || t->map.at[i] >= t->map.at[i - 1]));
    check_place(&place, SIZE_MAX, SIZE_MAX);
    struct policy *p = policy_parse(&source, 1, &options);
    for (size_t i = 0; p && i < policy_rule_count(p); i++)
        dump_rule(policy_rule(p, i), 1, &out);
    policy_unref(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct workflow w;
    struct workflow_fault fault = {0};
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    int result = workflow_parse((const char *)data, size, &w, &fault);
    if (result == -EINVAL)
        assert(fault.text[0] && fault.line >= 1 && fault.line <= lines && fault.column >= 1);
    for (size_t i = 0; i < w.n_steps; i++) {
        if (w.steps[i].policy.data && w.steps[i].policy.map.at)
            check_text(&w, &w.steps[i].policy, size, lines);
        if (w.steps[i].context.data && w.steps[i].context.map.at)
            check_text(&w, &w.steps[i].context, size, lines);
    }
    workflow_release(&w);
    return 0;
}
