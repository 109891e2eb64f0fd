/* SPDX-License-Identifier: MIT
 * Places of processes, against a plain model: whoever does what, who holds most gives way, and the
 * oldest of his; nobody is refused who holds less than he may. */
#include "unit/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/places.h"

enum { MAX_PLACES = 24, PROCESSES = 12, ITEMS = 64, STEPS = 200000 };

struct item {
    struct place share;
    uint32_t pid; /* 0: none */
    uint64_t used;
};

static struct places *places;
static struct item items[ITEMS];
static struct item *gone;

static void give_way(struct place *share)
{
    gone = (struct item *)share; /* its first field */
    places_give(places, share);
}

static struct process_key key(uint32_t pid)
{
    return (struct process_key){.pid = pid, .start_ns = 5};
}

static int take(struct item *i, uint32_t pid)
{
    const struct process_key owner = key(pid);
    gone = NULL;
    i->share.yield = give_way;
    int r = places_take(places, &i->share, &owner);
    if (r == 0)
        i->pid = pid;
    return r;
}

static size_t held_by(uint32_t pid)
{
    size_t n = 0;
    for (size_t i = 0; i < ITEMS; i++)
        n += pid && items[i].pid == pid;
    return n;
}

static size_t held(void)
{
    size_t n = 0;
    for (size_t i = 0; i < ITEMS; i++)
        n += items[i].pid != 0;
    return n;
}

static void was_right(const struct item *left, uint32_t pid, uint64_t used)
{
    assert_non_null(left);
    for (uint32_t p = 1; p <= PROCESSES; p++)
        assert_true(held_by(p) <= held_by(pid));
    for (size_t i = 0; i < ITEMS; i++)
        assert_false(items[i].pid == pid && items[i].used < used);
}

static void as_the_model_says(void **state UNUSED)
{
    unsigned seed = 42;
    places = places_new(MAX_PLACES, MAX_PLACES);
    memset(items, 0, sizeof items);
    for (uint64_t step = 1; step < STEPS; step++) {
        struct item *i = &items[(unsigned)rand_r(&seed) % ITEMS];
        /* Some ask far more than others. */
        const unsigned r = (unsigned)rand_r(&seed);
        const uint32_t pid = 1 + MIN(r % PROCESSES, r / PROCESSES % PROCESSES);
        const bool full = held() == MAX_PLACES;
        if (!i->pid) {
            assert_int_equal(take(i, pid), 0);
            assert_int_equal(full, gone != NULL);
            if (gone) {
                i->pid = 0; /* as it was when room was made */
                was_right(gone, gone->pid, gone->used);
                i->pid = pid;
                gone->pid = 0;
            }
            i->used = step;
        } else if (r & 1) {
            places_give(places, &i->share);
            i->pid = 0;
        } else {
            places_use(places, &i->share);
            i->used = step;
        }
    }
    for (size_t i = 0; i < ITEMS; i++)
        places_give(places, &items[i].share);
    places_free(places);
}

static void nobody_has_more_than_his_part(void **state UNUSED)
{
    places = places_new(MAX_PLACES, 4);
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(take(&items[i], 1), 0);
    assert_int_equal(take(&items[4], 1), -EAGAIN);
    assert_int_equal(take(&items[4], 2), 0);
    places_give(places, &items[0].share);
    assert_int_equal(take(&items[5], 1), 0);
    assert_null(gone);
    places_free(places);
    places_free(NULL);
}

static void one_alone_has_all(void **state UNUSED)
{
    places = places_new(4, 4);
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(take(&items[i], 1), 0);
        assert_ptr_equal(gone, i < 4 ? NULL : &items[i - 4]);
    }
    places_free(places);
}

static void what_does_not_yield_stays(void **state UNUSED)
{
    const struct process_key owner = key(7);
    places = places_new(2, 2);
    memset(items, 0, sizeof items);
    assert_int_equal(places_take(places, &items[0].share, &owner), 0);
    assert_int_equal(places_take(places, &items[1].share, &owner), 0);
    assert_int_equal(take(&items[2], 1), -EAGAIN);
    places_give(places, &items[0].share);
    assert_int_equal(take(&items[2], 1), 0);
    places_free(places);
}

static void the_heaviest(void **state UNUSED)
{
    places = places_new(MAX_PLACES, MAX_PLACES);
    memset(items, 0, sizeof items);
    assert_null(places_heaviest(places));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(take(&items[i], i < 3 ? 1 : 2), 0);
    assert_int_equal(places_weigh(places, &items[0].share, 40), 40);
    assert_int_equal(places_weigh(places, &items[1].share, 50), 90);
    assert_int_equal(places_weigh(places, &items[3].share, 60), 150);
    assert_ptr_equal(places_heaviest(places), &items[1].share); /* of him who has 90 in all */
    assert_int_equal(places_weigh(places, &items[1].share, 10), 110);
    assert_ptr_equal(places_heaviest(places), &items[3].share);
    places_give(places, &items[3].share);
    assert_int_equal(places_weigh(places, &items[2].share, 0), 50);
    places_free(places);
}

static const struct unit_test tests[] = {
    REPORT("R07", as_the_model_says), REPORT("R07", nobody_has_more_than_his_part),
    REPORT("R07", one_alone_has_all), REPORT("R07", what_does_not_yield_stays),
    REPORT("R07", the_heaviest),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
