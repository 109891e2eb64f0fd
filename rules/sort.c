/* SPDX-License-Identifier: MIT
 * Sorts numbers: byte by byte, or, where they are few, each into its place. */
#include "rules/sort.h"

#include <stdbool.h>
#include <string.h>

enum { FEW = 64 };

static void sort_few(uint64_t *numbers, size_t n, unsigned bit)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t one = numbers[i];
        size_t k = i;
        for (; k > 0 && numbers[k - 1] >> bit > one >> bit; k--)
            numbers[k] = numbers[k - 1];
        numbers[k] = one;
    }
}

/* False where all have the same byte there, and nothing was moved. */
static bool sort_byte(const uint64_t *from, uint64_t *to, size_t n, unsigned bit)
{
    size_t places[257] = {0};
    for (size_t i = 0; i < n; i++)
        places[(from[i] >> bit & 255) + 1]++;
    for (size_t b = 0; b < 256; b++) {
        if (places[b + 1] == n)
            return false;
        places[b + 1] += places[b];
    }
    for (size_t i = 0; i < n; i++)
        to[places[from[i] >> bit & 255]++] = from[i];
    return true;
}

void sort_numbers(uint64_t *numbers, uint64_t *scratch, size_t n, unsigned bit)
{
    uint64_t *from = numbers, *to = scratch;
    if (n < FEW) {
        sort_few(numbers, n, bit);
        return;
    }
    for (; bit < 64; bit += 8) {
        if (!sort_byte(from, to, n, bit))
            continue;
        uint64_t *other = from;
        from = to;
        to = other;
    }
    if (from != numbers)
        memcpy(numbers, from, n * sizeof(*numbers));
}
