/* SPDX-License-Identifier: MIT
 * How the descriptors that there are go to what needs them; the other stocks are of fixed size. */
#include "session/limits.h"

#include <errno.h>

enum {
    /* What the role holds anyway: listeners, channels, memory, the loop's own. */
    OWN_FILES = 64,
    /* For DNS, which is bounded by itself (inquiries and streams), and for connections that are
     * being refused. */
    RESERVE_FILES_MAX = 6144,
    /* So 32,768 connections of some 2 KiB each. */
    FILES_MAX = 65536,
    /* Of 64 KiB; the kernel lets a user have that much in 1,024 of them, and smaller ones then. */
    PIPES_MAX = 4096,
    BYTES_MAX = 64 << 20,
    WAITING_MAX = 512,
};

int limits_init(struct limits *l, size_t files)
{
    const size_t own = MIN(files / 2, OWN_FILES);
    const size_t reserve = own + MIN((files - own) / 16, RESERVE_FILES_MAX);
    const size_t pipes = MIN((files - reserve) / 16, PIPES_MAX);
    *l = (struct limits){
        .of = {[LIMIT_FILES] = shares_new(MIN(files - reserve - 2 * pipes, FILES_MAX)),
               [LIMIT_PIPES] = shares_new(pipes),
               [LIMIT_BYTES] = shares_new(BYTES_MAX)},
        .waiting_max = MAX(MIN(reserve / 4, WAITING_MAX), 1)};
    for (size_t i = 0; i < LIMIT_KINDS; i++)
        if (!l->of[i])
            return -ENOMEM;
    return 0;
}

void limits_release(struct limits *l)
{
    for (size_t i = 0; i < LIMIT_KINDS; i++)
        shares_free(STEAL(l->of[i]));
}

struct holder holder_of(struct limits *l, const struct process *p)
{
    struct holder h = {.limits = l};
    if (p)
        h.key = (struct shares_key){.start_ns = p->key.start_ns, .pid = p->key.pid};
    return h;
}

bool holder_take(const struct holder *h, enum limit what, size_t n)
{
    return shares_take(h->limits->of[what], &h->key, n, SHARES_TO_BEGIN);
}

bool holder_take_more(const struct holder *h, enum limit what, size_t n)
{
    return shares_take(h->limits->of[what], &h->key, n, SHARES_TO_FINISH);
}

void holder_give(const struct holder *h, enum limit what, size_t n)
{
    shares_give(h->limits->of[what], &h->key, n);
}
