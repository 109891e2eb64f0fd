/* SPDX-License-Identifier: MIT
 * Numbers that are taken once, in and out of order, at the edge of the window and beyond it. */
#include "attribution/once.h"

#include "unit/report.h"

#include <stdlib.h>

static struct once *fresh(void)
{
    struct once *o = calloc(1, sizeof *o);
    assert_non_null(o);
    return o;
}

static void each_number_once(void **state UNUSED)
{
    static const uint64_t order[] = {3, 1, 2, 64, 63, 1000, 999, 65};
    struct once *o = fresh();
    assert_false(once_take(o, 0));
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_true(once_take(o, order[i]));
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_false(once_take(o, order[i]));
    free(o);
}

static void old_ones_count_as_taken(void **state UNUSED)
{
    struct once *o = fresh();
    assert_true(once_take(o, 5));
    assert_true(once_take(o, ONCE_WINDOW + 5)); /* the place of 5 is its own now */
    assert_false(once_take(o, ONCE_WINDOW + 5));
    assert_false(once_take(o, 5));
    assert_false(once_take(o, 4));
    assert_true(once_take(o, 6));
    assert_true(once_take(o, 9 * ONCE_WINDOW)); /* a leap over the whole window */
    assert_false(once_take(o, 8 * ONCE_WINDOW));
    assert_true(once_take(o, 8 * ONCE_WINDOW + 1));
    for (uint64_t n = 9 * ONCE_WINDOW + 1; n < 11 * ONCE_WINDOW; n++)
        assert_true(once_take(o, n));
    free(o);
}

static const struct unit_test tests[] = {
    REPORT("P07", each_number_once),
    REPORT("P07", old_ones_count_as_taken),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
