/* SPDX-License-Identifier: MIT
 * What the benches of single parts share: clocks, the middle and the ends of many times, and a line
 * for each part, for people or, with --json, for tests/bench/run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct spread {
    double p50, p90, p99, max;
};

static inline double clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* On the wall. */
static inline double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Of this process: what others do in between is not counted. */
static inline double cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline int figures_compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sorts the times; n is 1 or more. */
static inline struct spread spread_of(double *times, size_t n)
{
    qsort(times, n, sizeof *times, figures_compare);
    return (struct spread){times[n / 2], times[n * 9 / 10], times[n * 99 / 100], times[n - 1]};
}

/* What asking the clock takes; times is room for n. */
static inline double clock_cost_ns(double *times, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double start = now_ns();
        times[i] = now_ns() - start;
    }
    return spread_of(times, n).p50;
}

/* One part: a plain name, nanoseconds in the middle, and at the end of the slowest hundredth where
 * p99 is not 0. */
static inline void figures_print(bool json, const char *part, double ns, double p99)
{
    if (json && p99 > 0)
        printf("{\"part\":\"%s\",\"ns\":%.0f,\"p99_ns\":%.0f}\n", part, ns, p99);
    else if (json)
        printf("{\"part\":\"%s\",\"ns\":%.0f}\n", part, ns);
    else if (p99 > 0)
        printf("%-52s %8.0f ns, 99 %%: %.0f\n", part, ns, p99);
    else
        printf("%-52s %8.0f ns\n", part, ns);
}

/* Whether that is among the arguments. */
static inline bool figures_asked(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}
