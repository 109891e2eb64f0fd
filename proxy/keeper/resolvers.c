/* SPDX-License-Identifier: MIT
 * Which DNS servers the filter asks, and which the command believes to ask. */
#include "keeper/keeper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Loopback of the command's namespace: the filter answers there. */
#define OWN_RESOLV_CONF "nameserver 127.0.0.53\noptions edns0\n"

/* Reads the nameserver lines of resolv.conf(5). IPv6 ones are counted only: it is closed. */
static void read_resolv_conf(struct keeper *k, size_t *n_other)
{
    char line[512], address[64];
    FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && fgets(line, sizeof line, f)) {
        struct in_addr in;
        if (sscanf(line, " nameserver %63s", address) != 1)
            continue;
        if (inet_pton(AF_INET, address, &in) != 1)
            ++*n_other;
        else if (k->n_self < RESOLVERS_MAX)
            k->self[k->n_self++] = (struct resolver){.address = {ntohl(in.s_addr), 53}};
    }
    if (f)
        fclose(f);
}

static bool has_one_for_all(const struct options *o)
{
    for (size_t i = 0; i < o->n_resolvers; i++)
        if (!*o->resolvers[i].zone)
            return true;
    return false;
}

int keeper_find_resolvers(struct keeper *k, struct error *error)
{
    struct options *o = &k->options;
    size_t n_other = 0;
    read_resolv_conf(k, &n_other);
    /* Without an address that IPv4 reaches, programs inside would ask nobody. */
    if (k->n_self == 0)
        k->resolv_conf = OWN_RESOLV_CONF;
    if (has_one_for_all(o))
        return 0;
    if (k->n_self == 0)
        return error_say(error, -ENOENT,
                         "/etc/resolv.conf names no IPv4 nameserver%s; give one with --resolver IP",
                         n_other ? " (only IPv6 ones)" : "");
    for (size_t i = 0; i < k->n_self && o->n_resolvers < RESOLVERS_MAX; i++)
        o->resolvers[o->n_resolvers++] = k->self[i];
    if (!has_one_for_all(o))
        return error_say(
            error, -E2BIG,
            "%d DNS servers are too many: --resolver names %zu for zones, and there is "
            "no place for one that answers for all other names; name fewer",
            RESOLVERS_MAX + 1, o->n_resolvers);
    return 0;
}
