/* SPDX-License-Identifier: MIT
 * The table of UDP flows: found by 4-tuple, let go by age, bounded, and fair. */
#include "unit/report.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "udp/table.h"

enum { MAX = 16, FLOWS = 64 };

static struct udp_entry entries[FLOWS];

static struct flow_key flow(uint16_t port)
{
    return (struct flow_key){.src_ip = htonl(0xc0000002),
                             .dst_ip = htonl(0x09090909),
                             .src_port = port,
                             .dst_port = 9000,
                             .proto = IPPROTO_UDP};
}

static struct udp_table *table;
static struct udp_entry *gone; /* the one that gave way last */

static void give_way(struct udp_entry *e)
{
    gone = e;
    udp_table_remove(table, e);
}

static struct udp_table *table_new(void)
{
    gone = NULL;
    table = udp_table_new(MAX, give_way);
    assert_non_null(table);
    return table;
}

/* The i-th entry, of process pid, used at the i-th millisecond. */
static struct udp_entry *put(struct udp_table *t, size_t i, uint32_t pid)
{
    entries[i] = (struct udp_entry){
        .key = flow((uint16_t)(1000 + i)), .owner = {.pid = pid, .start_ns = 7}, .may_go = true};
    assert_int_equal(udp_table_add(t, &entries[i], i), 0);
    return &entries[i];
}

static void test_found_by_the_whole_tuple(void **state)
{
    (void)state;
    struct udp_table *t = table_new();
    for (size_t i = 0; i < 8; i++)
        put(t, i, 1);
    for (size_t i = 0; i < 8; i++)
        assert_ptr_equal(udp_table_find(t, &entries[i].key), &entries[i]);
    struct flow_key others[5];
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        others[i] = flow(1000);
    others[0].src_ip++;
    others[1].dst_ip++;
    others[2].dst_port++;
    others[3].src_port = 999;
    others[4].proto = IPPROTO_TCP;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_null(udp_table_find(t, &others[i]));
    udp_table_remove(t, &entries[3]);
    assert_null(udp_table_find(t, &entries[3].key));
    size_t n = 0;
    for (struct udp_entry *e = NULL; (e = udp_table_next(t, e));)
        n++;
    assert_int_equal(n, 7);
    udp_table_free(t);
    udp_table_free(NULL);
}

static void test_idle_by_its_own_measure(void **state)
{
    (void)state;
    struct udp_table *t = table_new();
    struct udp_entry *e = put(t, 0, 1);
    udp_table_use(t, e, 1000, 60);
    assert_false(udp_entry_is_idle(e, 1000));
    assert_false(udp_entry_is_idle(e, 1059));
    assert_true(udp_entry_is_idle(e, 1060));
    udp_table_use(t, e, 1060, 180);
    assert_false(udp_entry_is_idle(e, 1239));
    assert_true(udp_entry_is_idle(e, 1240));
    e->may_go = false; /* it is being judged */
    assert_false(udp_entry_is_idle(e, 99999));
    udp_table_free(t);
}

static void test_the_least_recently_used_of_most_goes(void **state)
{
    (void)state;
    struct udp_table *t = table_new();
    put(t, 0, 2); /* somebody else's, and older than all */
    for (size_t i = 1; i < MAX; i++)
        put(t, i, 1);
    assert_null(gone);
    udp_table_use(t, &entries[1], 100, 60);
    put(t, MAX, 3);
    assert_ptr_equal(gone, &entries[2]);
    put(t, MAX + 1, 1); /* one that has most takes its own */
    assert_ptr_equal(gone, &entries[3]);
    put(t, MAX + 2, 4);
    assert_ptr_equal(gone, &entries[4]);
    assert_ptr_equal(udp_table_find(t, &entries[0].key), &entries[0]);
    udp_table_free(t);
}

/* A process for each flow wins nothing over those who came before: the oldest goes. */
static void test_of_equals_the_first_goes(void **state)
{
    (void)state;
    struct udp_table *t = table_new();
    for (size_t i = 0; i < MAX; i++)
        put(t, i, (uint32_t)i);
    for (size_t i = MAX; i < 2 * MAX; i++) {
        put(t, i, (uint32_t)i);
        assert_ptr_equal(gone, &entries[i - MAX]);
    }
    udp_table_free(t);
}

static void test_another_owner(void **state)
{
    (void)state;
    struct udp_table *t = table_new();
    const struct process_key other = {.pid = 9, .start_ns = 7};
    for (size_t i = 0; i < MAX; i++)
        put(t, i, 1);
    for (size_t i = 0; i < MAX / 2 + 1; i++)
        assert_int_equal(udp_table_change_owner(t, &entries[MAX - 1 - i], &other), 0);
    put(t, MAX, 1);
    assert_ptr_equal(gone, &entries[MAX - 1]); /* his who has most now */
    udp_table_free(t);
}

static const struct unit_test tests[] = {
    REPORT("-", test_found_by_the_whole_tuple),
    REPORT("-", test_idle_by_its_own_measure),
    REPORT("R07", test_the_least_recently_used_of_most_goes),
    REPORT("R07", test_of_equals_the_first_goes),
    REPORT("R07", test_another_owner),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
