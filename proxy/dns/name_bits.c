/* SPDX-License-Identifier: MIT
 * The code: each character costs what its class costs behind the class before it, and its place
 * within its class. The classes' odds are rounded from 390,000 names of packages, with more digits,
 * which names of machines have more of. */
#include "dns/name_bits.h"

#include <string.h>

/* First where a label begins. Vowels; the eight frequent consonants; the other thirteen; and what
 * stands between words, `-` and `_`. */
enum state { START, VOWEL, FREQUENT, RARE, DIGIT, SEPARATOR, STATES };

/* Of each state the odds, of a hundred, that a vowel, …, a separator, or the label's end is next.
 * In eighths of a bit, and with the place within the class (of 5, 8, 13, 10, 2, and whether the
 * name ends as well), rounded up, so that it stays a code. */
static const unsigned char costs[STATES][STATES] = {
    /*             end  vowel frequent rare digit separator */
    [START] = {62, 36, 33, 49, 56, 62},     /*  1  23  47  20   8   1 */
    [VOWEL] = {41, 45, 31, 51, 64, 39},     /*  6  11  56  16   4   7 */
    [FREQUENT] = {36, 30, 42, 53, 62, 35},  /*  9  40  22  14   5  10 */
    [RARE] = {36, 29, 43, 55, 60, 36},      /*  9  43  21  12   6   9 */
    [DIGIT] = {29, 54, 49, 58, 37, 32},     /* 17   5  12   9  44  13 */
    [SEPARATOR] = {62, 39, 33, 46, 56, 62}, /*  1  18  46  26   8   1 */
};

static enum state state_of(char c)
{
    if (c == '.')
        return START;
    if (c >= '0' && c <= '9')
        return DIGIT;
    if (c == '-' || c == '_')
        return SEPARATOR;
    if (strchr("aeiou", c))
        return VOWEL;
    return strchr("tnsrlcdm", c) ? FREQUENT : RARE;
}

unsigned name_bits(const char *labels, size_t len)
{
    enum state state = START;
    unsigned eighths = 0;
    for (size_t i = 0; i < len; i++) {
        enum state next = state_of(labels[i]);
        eighths += costs[state][next];
        state = next;
    }
    return (eighths + costs[state][START] + 7) / 8;
}
