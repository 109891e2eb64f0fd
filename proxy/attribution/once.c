/* SPDX-License-Identifier: MIT
 * A window of bits that moves on with the newest number. */
#include "attribution/once.h"

#include <string.h>

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << (number % 64);
}

static uint64_t *word_of(struct once *o, uint64_t number)
{
    return &o->taken[number % ONCE_WINDOW / 64];
}

/* The places that come into the window belonged to numbers that leave it. */
static void move_on(struct once *o, uint64_t newest)
{
    if (newest - o->newest >= ONCE_WINDOW) {
        memset(o->taken, 0, sizeof o->taken);
        o->newest = newest;
    }
    while (o->newest < newest) {
        o->newest++;
        *word_of(o, o->newest) &= ~bit_of(o->newest);
    }
}

bool once_take(struct once *o, uint64_t number)
{
    if (!number || (o->newest >= ONCE_WINDOW && number <= o->newest - ONCE_WINDOW))
        return false;
    if (number > o->newest)
        move_on(o, number);
    if (*word_of(o, number) & bit_of(number))
        return false;
    *word_of(o, number) |= bit_of(number);
    return true;
}
