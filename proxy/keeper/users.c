/* SPDX-License-Identifier: MIT
 * A few names, the oldest giving way: under `run` there are hardly two. */
#include "keeper/users.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

void users_add(struct users *u, uint32_t uid, const char *name)
{
    size_t at = u->n < USERS_MAX ? u->n++ : u->next++ % USERS_MAX;
    free(u->list[at].name);
    u->list[at].uid = uid;
    u->list[at].name = name ? strdup(name) : NULL;
}

const char *users_name(struct users *u, uint32_t uid)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->list[i].uid == uid)
            return u->list[i].name;
    const struct passwd *pw = getpwuid(uid);
    users_add(u, uid, pw ? pw->pw_name : NULL);
    return pw ? pw->pw_name : NULL;
}

void users_release(struct users *u)
{
    for (size_t i = 0; i < u->n; i++)
        free(u->list[i].name);
    *u = (struct users){0};
}
