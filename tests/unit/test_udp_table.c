/* SPDX-License-Identifier: MIT
 * The table of UDP flows: found by 4-tuple, let go by age, bounded in all and for each process. */
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

/* The i-th entry, of process pid, used at the i-th millisecond. */
static struct udp_entry *put(struct udp_table *t, size_t i, uint32_t pid)
{
    entries[i] = (struct udp_entry){
        .key = flow((uint16_t)(1000 + i)), .owner = {.pid = pid, .start_ns = 7}, .may_go = true};
    udp_table_add(t, &entries[i], i);
    return &entries[i];
}

static void test_found_by_the_whole_tuple(void **state)
{
    (void)state;
    struct udp_table *t = udp_table_new(MAX);
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
    struct udp_table *t = udp_table_new(MAX);
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

static void test_the_least_recently_used_goes(void **state)
{
    (void)state;
    struct udp_table *t = udp_table_new(MAX);
    const struct process_key stranger = {.pid = 99, .start_ns = 7};
    struct udp_entry *goes = NULL;
    for (size_t i = 0; i < MAX; i++) {
        assert_true(udp_table_room(t, &stranger, &goes));
        put(t, i, (uint32_t)i % 4);
    }
    assert_false(udp_table_room(t, &stranger, &goes));
    assert_ptr_equal(goes, &entries[0]);
    udp_table_use(t, &entries[0], 100, 60);
    entries[1].may_go = false;
    assert_false(udp_table_room(t, &stranger, &goes));
    assert_ptr_equal(goes, &entries[2]);
    udp_table_remove(t, goes);
    assert_true(udp_table_room(t, &stranger, &goes));
    for (size_t i = 0; i < MAX; i++)
        entries[i].may_go = false;
    put(t, MAX, 5)->may_go = false;
    assert_false(udp_table_room(t, &stranger, &goes));
    assert_null(goes); /* none may */
    udp_table_free(t);
}

static void test_one_process_has_half_at_most(void **state)
{
    (void)state;
    struct udp_table *t = udp_table_new(MAX);
    const struct process_key greedy = {.pid = 1, .start_ns = 7}, again = {.pid = 1, .start_ns = 8};
    struct udp_entry *goes = NULL;
    put(t, 0, 2); /* somebody else's, and older */
    for (size_t i = 1; i <= MAX / 2; i++) {
        assert_true(udp_table_room(t, &greedy, &goes));
        put(t, i, 1);
    }
    assert_false(udp_table_room(t, &greedy, &goes));
    assert_ptr_equal(goes, &entries[1]);           /* of its own */
    assert_true(udp_table_room(t, &again, &goes)); /* a pid that was used again is another */
    /* Another program of the same process is the same process. */
    const struct process_key executed = {.pid = 1, .exec_id = 3, .start_ns = 7};
    assert_false(udp_table_room(t, &executed, &goes));
    udp_table_free(t);
}

static const struct unit_test tests[] = {
    REPORT("-", test_found_by_the_whole_tuple),
    REPORT("-", test_idle_by_its_own_measure),
    REPORT("R07", test_the_least_recently_used_goes),
    REPORT("R07", test_one_process_has_half_at_most),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
