/* SPDX-License-Identifier: MIT
 * From a command line's choice to a policy that can be asked. */
#include "review/policy_chosen.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"

#define DEFAULT_POLICY "egress.rules"

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    struct policy_chosen *c = context;
    c->errors += d->kind == DIAGNOSTIC_ERROR;
    /* Warnings are for `check` to tell, but for lines that are left out here. */
    if (d->kind == DIAGNOSTIC_ERROR || c->options.lenient)
        policy_say(d);
}

static bool read_files(struct policy_chosen *c, struct policy_files *files,
                       struct policy_source *sources)
{
    struct cli_list *list = &c->paths;
    if (list->n == 0 && access(DEFAULT_POLICY, F_OK) == 0)
        list->items[list->n++] = DEFAULT_POLICY;
    if (list->n == 0) {
        say_error("%s needs a policy: there is no ./" DEFAULT_POLICY " and no --policy FILE",
                  c->command);
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        int result = policy_files_read(files, list->items[i], &sources[i]);
        if (result < 0) {
            say_error("cannot read the policy '%s': %s", list->items[i], strerror(-result));
            return false;
        }
    }
    return true;
}

bool policy_chosen_load(struct policy_chosen *c)
{
    struct policy_source sources[CLI_LIST_MAX];
    struct policy_files files = {0};
    if (c->optional && c->paths.n == 0)
        return true;
    c->options.load = policy_files_load;
    c->options.load_context = &files;
    c->options.diagnose = on_diagnostic;
    c->options.diagnose_context = c;
    if (read_files(c, &files, sources)) {
        c->policy = policy_parse(sources, c->paths.n, &c->options);
        policy_files_digest(&files, c->sha256);
        if (!c->policy && c->errors)
            say_error("nothing is judged by a policy with errors; mend it, or skip bad allow "
                      "lines with --lenient");
        else if (!c->policy)
            say_error("cannot load the policy: out of memory");
        else if (policy_is_open(c->policy))
            say_error("the policy uses {owner} or {repo}, and neither --repo OWNER/REPO nor "
                      "GITHUB_REPOSITORY says what they are");
    }
    policy_files_release(&files);
    return c->policy && !policy_is_open(c->policy);
}
