/* SPDX-License-Identifier: MIT
 * --suggest FILE: what was denied, as a policy. The file is the user's, in a directory that the
 * command may rearrange, and we are root: everything here is done with the user's own rights. */
#include "keeper/keeper.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "audit/suggest.h"
#include "base/say.h"

/* Whose files we may touch, for a while. Nobody else's rights change, neither do those of signals
 * and tracing. */
struct rights {
    gid_t *groups;
    int n_groups;
};

/* The only word of failure is that nothing changed. */
static int set_rights(uid_t uid, gid_t gid, const gid_t *groups, int n)
{
    if (setgroups((size_t)n, groups) < 0)
        return -errno;
    setfsgid(gid);
    setfsuid(uid);
    bool set = (gid_t)setfsgid((gid_t)-1) == gid && (uid_t)setfsuid((uid_t)-1) == uid;
    return set ? 0 : -EPERM;
}

static int take_rights(const struct caller *c, struct rights *ours)
{
    ours->n_groups = getgroups(0, NULL);
    ours->groups = ours->n_groups < 0 ? NULL : calloc((size_t)ours->n_groups + 1, sizeof(gid_t));
    if (!ours->groups || getgroups(ours->n_groups, ours->groups) < 0)
        return -ENOMEM;
    return set_rights(c->uid, c->gid, c->groups, c->n_groups);
}

/* Without them nothing that follows would be ours, so that is the end. */
static void give_back_rights(struct rights *ours)
{
    if (ours->groups && set_rights(geteuid(), getegid(), ours->groups, ours->n_groups)) {
        say_error("cannot take the filter's own rights back");
        _exit(125);
    }
    free(ours->groups);
}

int keeper_prepare_suggestions(struct keeper *k, struct error *error)
{
    struct rights ours = {0};
    if (!k->options.suggest)
        return 0;
    int failed = take_rights(&k->caller, &ours);
    failed = failed ? error_set(error, failed, "cannot take the rights of user %u", k->caller.uid)
                    : new_file_prepare(k->options.suggest, &k->suggestions, error);
    give_back_rights(&ours);
    return failed;
}

int keeper_write_suggestions(struct keeper *k, struct error *error)
{
    CLEANUP_BUFFER struct buffer text = {0};
    struct rights ours = {0};
    size_t lines, without;
    if (!k->options.suggest)
        return 0;
    struct suggestions *found = suggestions_new(k->summary);
    if (!found)
        return error_set(error, -ENOMEM, "cannot write '%s'", k->options.suggest);
    suggestions_policy(found, &text);
    lines = suggestions_count(found, &without);
    suggestions_free(found);
    if (buffer_failed(&text))
        return error_set(error, -ENOMEM, "cannot write '%s'", k->options.suggest);
    int failed = take_rights(&k->caller, &ours);
    failed = failed ? error_set(error, failed, "cannot take the rights of user %u", k->caller.uid)
                    : new_file_write(&k->suggestions, text.data, text.len, error);
    give_back_rights(&ours);
    if (!failed && !k->options.quiet && !k->options.json)
        say_note(
            without ? "suggestions in %s: %zu line%s; for %zu more of what was denied there is none"
                    : "suggestions in %s: %zu line%s",
            k->options.suggest, lines, lines == 1 ? "" : "s", without);
    return failed;
}
