/* SPDX-License-Identifier: MIT
 * Numbers that are taken once: in and out of order, beyond the window, and by two processes. */
#include "attribution/once.h"

#include "unit/report.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static void each_number_once(void **state UNUSED)
{
    static const uint64_t order[] = {3, 1, 2, 64, 63, 1000, 999, 65};
    struct once *o = shared(sizeof *o);
    assert_false(once_take(o, 0));
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_true(once_take(o, order[i]));
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_false(once_take(o, order[i]));
    munmap(o, sizeof *o);
}

static void old_ones_count_as_taken(void **state UNUSED)
{
    struct once *o = shared(sizeof *o);
    assert_true(once_take(o, 5));
    assert_true(once_take(o, ONCE_WINDOW + 5)); /* the place of 5 is its own now */
    assert_false(once_take(o, ONCE_WINDOW + 5));
    assert_false(once_take(o, 5));
    assert_true(once_take(o, 4)); /* nobody took it, nor a newer one in its place */
    assert_false(once_take(o, 4));
    assert_true(once_take(o, 9 * ONCE_WINDOW)); /* a leap over the whole window */
    assert_false(once_take(o, 8 * ONCE_WINDOW));
    assert_true(once_take(o, 8 * ONCE_WINDOW + 1));
    assert_false(once_take(o, ONCE_WINDOW));
    for (uint64_t n = 9 * ONCE_WINDOW + 1; n < 11 * ONCE_WINDOW; n++)
        assert_true(once_take(o, n));
    assert_true(once_take(o, UINT64_MAX));
    assert_false(once_take(o, UINT64_MAX));
    munmap(o, sizeof *o);
}

enum { RACERS = 2, RACE = 200000, PLACES = 16 };

struct race {
    struct once once;
    _Atomic unsigned waiting;
    uint8_t won[RACERS][RACE + 1];
};

/* Starts when all are there. The numbers leap, so that many fight for few places. */
static void run_race(struct race *r, unsigned who)
{
    r->waiting--;
    while (r->waiting)
        ;
    for (uint64_t n = 1; n <= RACE; n++) {
        uint64_t number = n % PLACES + n / PLACES * ONCE_WINDOW + 1;
        r->won[who][n] = once_take(&r->once, number);
    }
}

static void by_one_of_two_processes(void **state UNUSED)
{
    struct race *r = shared(sizeof *r);
    unsigned won = 0;
    r->waiting = RACERS;
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        run_race(r, 1);
        _exit(0);
    }
    run_race(r, 0);
    int status = -1;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    for (uint64_t n = 1; n <= RACE; n++) {
        assert_false(r->won[0][n] && r->won[1][n]);
        won += r->won[0][n] + r->won[1][n];
    }
    /* Where one is a lap ahead the other's number is refused; but whoever leads takes each. */
    assert_int_equal(won, RACE);
    munmap(r, sizeof *r);
}

static const struct unit_test tests[] = {
    REPORT("P07", each_number_once),
    REPORT("P07", old_ones_count_as_taken),
    REPORT("P07", by_one_of_two_processes),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
