/* SPDX-License-Identifier: MIT
 * A conversation of any bytes: each begins with one that says whose and how many. Whatever is said,
 * no more passes than was there, and in a text protocol nothing that could begin TLS ever does. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct talk {
    struct upgrade u;
    uint8_t held[4096];
    size_t n_held;
    enum upgrade_step step;
};

static void step(struct talk *t)
{
    size_t n = 1;
    while (t->step == UPGRADE_PASS && n > 0 && t->n_held > 0) {
        bool text = t->u.family == UPGRADE_TEXT;
        uint8_t *copy = malloc(t->n_held);
        require(copy);
        memcpy(copy, t->held, t->n_held);
        t->step = upgrade_client(&t->u, copy, t->n_held, &n);
        free(copy);
        require(n <= t->n_held);
        if (t->step == UPGRADE_TLS)
            require(t->held[0] == 0x16 && n == 0);
        if (t->step != UPGRADE_PASS)
            return;
        require(!text || !memchr(t->held, 0x16, n));
        require(n > 0 || t->u.family == UPGRADE_UNDECIDED);
        t->n_held -= n;
        memmove(t->held, t->held + n, t->n_held);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk t;
    memset(&t, 0, sizeof(t));
    while (size > 0 && t.step == UPGRADE_PASS) {
        size_t n = MIN((size_t)(data[0] & 0x7f), size - 1);
        if (data[0] & 0x80) {
            upgrade_server(&t.u, data + 1, n);
        } else if (n <= sizeof(t.held) - t.n_held) {
            memcpy(t.held + t.n_held, data + 1, n);
            t.n_held += n;
        }
        step(&t);
        data += 1 + n;
        size -= 1 + n;
    }
    (void)upgrade_was_hidden(&t.u);
    return 0;
}
