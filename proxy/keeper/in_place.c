/* SPDX-License-Identifier: MIT
 * Whether log and policies are still where they were. The command cannot touch the files, but where
 * it may write above their directory it can rename that and lay another in its place. */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* The path is taken from the root: the directory that we are in may be what was renamed. The file
 * is held open, so its number cannot have become another's. */
static bool is_in_place(const struct keeper *k, const char *name, int opened, int flags)
{
    char path[sizeof k->directory + PATH_MAX];
    struct stat now, then;
    const char *from = name[0] == '/' ? "" : k->directory;
    snprintf(path, sizeof path, "%s/%s", from, name);
    return fstat(opened, &then) == 0 && fstatat(AT_FDCWD, path, &now, flags) == 0 &&
           now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

static const char *first_replaced(const struct keeper *k)
{
    if (!is_in_place(k, log_path(k->log), k->log_place, AT_SYMLINK_NOFOLLOW))
        return log_path(k->log);
    for (size_t i = 0; i < k->n_policies; i++)
        if (k->policies[i].opened >= 0 &&
            !is_in_place(k, k->policies[i].name, k->policies[i].opened, 0))
            return k->policies[i].name;
    return NULL;
}

int keeper_check_places(struct keeper *k, struct error *error)
{
    const char *name = first_replaced(k);
    if (!name)
        return 0;
    error_say(error, -ESTALE,
              "'%s' was moved or replaced while the command ran; what is there now is not what "
              "this run used",
              name);
    struct record r = {.event = RECORD_GAP, .detail = text_of(error->text)};
    keeper_record(k, &r, NULL);
    return error->code;
}
