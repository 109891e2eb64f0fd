/* SPDX-License-Identifier: MIT
 * Shares of a stock: whoever comes finds something, and what is given back is there again. */
#include "unit/report.h"

#include <stdlib.h>

#include "base/shares.h"

enum { TOTAL = 3000, PROCESSES = 64 };

static struct shares_key process(uint32_t pid)
{
    return (struct shares_key){.pid = pid, .start_ns = 77};
}

/* Takes one by one until it is refused; how many it got. */
static size_t take_all(struct shares *s, uint32_t pid)
{
    const struct shares_key who = process(pid);
    size_t n = 0;
    while (shares_take(s, &who, 1, SHARES_TO_BEGIN))
        n++;
    return n;
}

static void test_one_gets_half(void **state)
{
    (void)state;
    struct shares *s = shares_new(TOTAL);
    size_t got = take_all(s, 1);
    assert_in_range(got, TOTAL / 2 - 2, TOTAL / 2 + 2);
    assert_int_equal(shares_taken(s, NULL), got);
    /* A second one gets as much of the rest, and the first no more. */
    assert_in_range(take_all(s, 2), (TOTAL - got) / 2 - 2, (TOTAL - got) / 2 + 2);
    assert_int_equal(take_all(s, 1), 0);
    shares_free(s);
    shares_free(NULL);
}

/* Who has begun all that he could may finish some of it, and somebody else still find something. */
static void test_what_has_begun_can_be_finished(void **state)
{
    (void)state;
    struct shares *s = shares_new(TOTAL);
    const struct shares_key who = process(1);
    size_t n = take_all(s, 1);
    while (shares_take(s, &who, 1, SHARES_TO_FINISH))
        n++;
    assert_in_range(n, TOTAL * 2 / 3 - 2, TOTAL * 2 / 3 + 2);
    assert_in_range(take_all(s, 2), TOTAL / 6 - 2, TOTAL / 6 + 2);
    shares_free(s);
}

/* In turns, as connections come, they get the same. */
static void test_many_get_the_same(void **state)
{
    (void)state;
    for (uint32_t k = 1; k <= PROCESSES; k *= 2) {
        struct shares *s = shares_new(TOTAL);
        size_t got[PROCESSES] = {0};
        for (bool any = true; any;) {
            any = false;
            for (uint32_t i = 0; i < k; i++) {
                const struct shares_key who = process(i);
                bool one = shares_take(s, &who, 1, SHARES_TO_BEGIN);
                got[i] += one;
                any = any || one;
            }
        }
        for (uint32_t i = 0; i < k; i++)
            assert_in_range(got[i], TOTAL / (k + 1) - 2, TOTAL / (k + 1) + 2);
        assert_true(take_all(s, 1000) > 0);
        shares_free(s);
    }
}

static void test_what_is_given_back_is_there(void **state)
{
    (void)state;
    struct shares *s = shares_new(TOTAL);
    const struct shares_key a = process(1), b = process(2), later = {.pid = 1, .start_ns = 78};
    size_t got = take_all(s, 1);
    assert_false(shares_take(s, &a, 1, SHARES_TO_BEGIN));
    assert_true(shares_take(s, &b, 1, SHARES_TO_BEGIN));
    assert_int_equal(shares_taken(s, &b), 1);
    shares_give(s, &a, got - 10);
    assert_int_equal(shares_taken(s, &a), 10);
    assert_true(shares_take(s, &a, 1, SHARES_TO_BEGIN));
    shares_give(s, &a, 11);
    shares_give(s, &b, 0);
    shares_give(s, &b, 1);
    shares_give(s, &b, 0);
    assert_int_equal(shares_taken(s, NULL), 0);
    /* The same pid of another time is another process. */
    assert_true(shares_take(s, &a, 5, SHARES_TO_BEGIN));
    assert_int_equal(shares_taken(s, &later), 0);
    assert_int_equal(take_all(s, 3) > 0, 1);
    shares_free(s);
}

static void test_never_more_than_there_is(void **state)
{
    (void)state;
    struct shares *s = shares_new(TOTAL);
    const struct shares_key nobody = {0}, a = process(1);
    assert_false(shares_take(s, &nobody, TOTAL + 1, SHARES_TO_BEGIN));
    assert_false(shares_take(s, &nobody, SIZE_MAX, SHARES_TO_BEGIN));
    assert_true(shares_take(s, &nobody, TOTAL, SHARES_TO_BEGIN));
    assert_false(shares_take(s, &a, 1, SHARES_TO_BEGIN));
    assert_true(shares_take(s, &a, 0, SHARES_TO_BEGIN));
    shares_give(s, &nobody, TOTAL);
    assert_int_equal(shares_taken(s, NULL), 0);
    shares_free(s);
    s = shares_new(0);
    assert_false(shares_take(s, &a, 1, SHARES_TO_BEGIN));
    shares_free(s);
}

/* Takers and givers at random: the sum is that of its parts, and nothing is lost. */
static void test_the_sum_is_right(void **state)
{
    (void)state;
    struct shares *s = shares_new(TOTAL);
    size_t held[PROCESSES] = {0}, sum = 0;
    unsigned seed = 1;
    for (size_t round = 0; round < 100000; round++) {
        seed = seed * 1103515245u + 12345u;
        const uint32_t i = seed >> 16 & (PROCESSES - 1);
        const size_t n = seed >> 8 & 31;
        const struct shares_key who = process(i);
        if (seed & 64 && held[i] >= n) {
            shares_give(s, &who, n);
            held[i] -= n;
            sum -= n;
        } else if (shares_take(s, &who, n, SHARES_TO_BEGIN)) {
            held[i] += n;
            sum += n;
        }
        assert_true(sum <= TOTAL);
    }
    assert_int_equal(shares_taken(s, NULL), sum);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        const struct shares_key who = process(i);
        assert_int_equal(shares_taken(s, &who), held[i]);
    }
    shares_free(s);
}

int main(void)
{
    const struct unit_test tests[] = {
        REPORT("R07", test_one_gets_half),
        REPORT("R07", test_what_has_begun_can_be_finished),
        REPORT("R07", test_many_get_the_same),
        REPORT("R07", test_what_is_given_back_is_there),
        REPORT("R07", test_never_more_than_there_is),
        REPORT("R07", test_the_sum_is_right),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
