/* SPDX-License-Identifier: MIT
 * The programs mark, this deletes. They cannot do it themselves: a connection whose process has
 * closed it may still wait to be accepted, and its owner is asked for then. */
#include "attribution/hooks_sweep.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum {
    BATCH = 512,    /* entries that are looked at between two calls of the kernel */
    EPOCHS_KEPT = 2 /* of a connection that waits to be accepted, or of a silent flow */
};

struct batch {
    struct flow_key keys[BATCH];
    struct flow_owner owners[BATCH];
};

static bool is_over(const struct flow_key *key, const struct flow_owner *owner, uint32_t epoch)
{
    return (key->proto == IPPROTO_UDP || owner->ended) && epoch - owner->touched >= EPOCHS_KEPT;
}

/* The entry may be another's by now, whose flow began since it was read: that one would be nobody's
 * until its next datagram, or for good. So it is read again, which leaves no more than the moment
 * between two calls. */
static bool delete_if_over(int map_fd, const struct flow_key *key, uint32_t epoch)
{
    struct flow_owner now;
    return !bpf_map_lookup_elem(map_fd, key, &now) && is_over(key, &now, epoch) &&
           !bpf_map_delete_elem(map_fd, key);
}

static uint64_t load(const __u64 *count)
{
    return __atomic_load_n(count, __ATOMIC_RELAXED);
}

int hooks_sweep_map(int map_fd, struct flow_counts *counts, struct hooks_flows *out)
{
    const uint32_t epoch = __atomic_add_fetch(&counts->epoch, 1, __ATOMIC_RELAXED);
    const uint64_t deleted = load(&counts->deleted), there = load(&counts->added) - deleted;
    uint64_t over = 0, present = 0;
    uint32_t at;
    int code = 0;
    struct batch *b = malloc(sizeof *b);
    if (!b)
        return -ENOMEM;
    for (void *from = NULL; !code; from = &at) {
        uint32_t n = BATCH;
        code = bpf_map_lookup_batch(map_fd, from, &at, b->keys, b->owners, &n, NULL);
        if (code && code != -ENOENT) /* that one is the end, with the last entries */
            break;
        for (uint32_t i = 0; i < n; i++) {
            if (is_over(&b->keys[i], &b->owners[i], epoch) &&
                delete_if_over(map_fd, &b->keys[i], epoch))
                over++;
            else
                present++;
        }
    }
    free(b);
    if (code != -ENOENT)
        return code;
    /* What is neither here nor was deleted was displaced. What is added meanwhile can only make
     * this less than it is, and the next pass finds it. */
    const uint64_t gone = over + load(&counts->deleted) - deleted;
    __atomic_fetch_add(&counts->deleted, over, __ATOMIC_RELAXED);
    if (there > present + gone)
        out->displaced = MAX(out->displaced, there - present - gone);
    out->added = load(&counts->added);
    out->present = present;
    return 0;
}
