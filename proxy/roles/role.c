/* SPDX-License-Identifier: MIT
 * Which role to be. */
#include "roles/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/ipc.h"

static const struct {
    const char *name, *comm;
    int (*main)(const struct role_args *args);
} roles[] = {
    {"proxy", "egress-proxy", proxy_main},
    {"packet", "egress-packet", packet_main},
    {"digest", "egress-digest", digest_main},
};

int role_fail(int control_fd, const struct error *error)
{
    struct {
        uint32_t type, id;
        char text[sizeof error->text];
    } m = {IPC_FAILED, 0, ""};
    size_t len = strnlen(error->text, sizeof error->text);
    memcpy(m.text, error->text, len);
    (void)!send(control_fd, &m, offsetof(__typeof__(m), text) + len, MSG_NOSIGNAL);
    return EXIT_FAILURE;
}

unsigned long long role_number(const struct role_args *args, const char *key,
                               unsigned long long fallback)
{
    const char *value = role_setting(args, key, 0);
    return value ? strtoull(value, NULL, 10) : fallback;
}

struct confine_as role_identity(const struct role_args *args, uid_t fallback)
{
    const uid_t uid = (uid_t)role_number(args, "uid", fallback);
    return (struct confine_as){.uid = uid,
                               .gid = (gid_t)role_number(args, "gid", uid),
                               .control = role_fd(args, "control")};
}

int role_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (strcmp(roles[i].name, name) != 0)
            continue;
        const struct role_args args = {argc - 2, argv + 2};
        if (role_fd(&args, "control") < 0)
            break;
        prctl(PR_SET_NAME, roles[i].comm, 0, 0, 0);
        return roles[i].main(&args);
    }
    fputs("egress-filter: roles are started by the filter itself\n", stderr);
    return 2;
}
