/* SPDX-License-Identifier: MIT
 * Folding of denials: what counts as the same, and that nothing gets lost by it. */
#include <string.h>

#include "audit/fold.h"
#include "unit/report.h"

static struct record denial(uint32_t pid, uint32_t ip, uint16_t port, const char *host)
{
    return (struct record){.event = RECORD_CONNECT,
                           .type = RECORD_TCP,
                           .policy = RECORD_POLICY_DENY,
                           .outcome = RECORD_DENIED,
                           .reason = text_of("no-rule"),
                           .has_dst = true,
                           .dst_ip = ip,
                           .dst_port = port,
                           .host = text_of(host),
                           .process = {.pid = pid, .exec_id = 1, .start_ns = 7}};
}

struct written {
    uint64_t records, count;
    char host[64];
};

static void write_one(void *context, const struct record *r)
{
    struct written *w = context;
    w->records++;
    w->count += r->count;
    if (r->host.data)
        memcpy(w->host, r->host.data, MIN(r->host.len, sizeof w->host - 1));
}

static void test_identical_denials_fold(void **state)
{
    (void)state;
    struct folds *f = folds_new();
    struct record r = denial(1, 2, 443, "a.example");
    struct written w = {0};
    assert_false(folds_pending(f));
    assert_false(folds_take(f, &r)); /* the first is written at once */
    assert_true(folds_pending(f));
    for (int i = 0; i < 99; i++)
        assert_true(folds_take(f, &r));
    folds_flush(f, write_one, &w);
    assert_int_equal(w.records, 1);
    assert_int_equal(w.count, 99);
    assert_string_equal(w.host, "a.example");
    assert_false(folds_pending(f));
    assert_false(folds_take(f, &r)); /* a new second begins */
    folds_free(f);
}

static void test_others_do_not_fold(void **state)
{
    (void)state;
    const struct record others[] = {
        denial(2, 2, 443, "a.example"),
        denial(1, 3, 443, "a.example"),
        denial(1, 2, 80, "a.example"),
        denial(1, 2, 443, "b.example"),
    };
    struct folds *f = folds_new();
    struct record first = denial(1, 2, 443, "a.example"), allowed = first, passed = first;
    struct written w = {0};
    assert_false(folds_take(f, &first));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(folds_take(f, &others[i]));
    allowed.policy = RECORD_POLICY_ALLOW;
    allowed.outcome = RECORD_ALLOWED;
    passed.outcome = RECORD_ALLOWED; /* audit mode */
    for (int i = 0; i < 2; i++) {
        assert_false(folds_take(f, &allowed));
        assert_false(folds_take(f, &passed));
    }
    folds_flush(f, write_one, &w);
    assert_int_equal(w.records, 0); /* each was its caller's to write, none is counted twice */
    folds_free(f);
}

/* What the policy denies is folded too where the client broke off first; apart from real denials.
 */
static void test_broken_off_denials_fold(void **state)
{
    (void)state;
    struct folds *f = folds_new();
    struct record denied = denial(1, 2, 443, NULL), broken = denied;
    struct written w = {0};
    broken.outcome = RECORD_FAILED;
    broken.error = text_of("client-reset");
    assert_false(folds_take(f, &denied));
    assert_false(folds_take(f, &broken));
    for (int i = 0; i < 50; i++)
        assert_true(folds_take(f, &broken));
    folds_flush(f, write_one, &w);
    assert_int_equal(w.records, 1);
    assert_int_equal(w.count, 50);
    folds_free(f);
}

/* More kinds than the table holds: every denial is either the caller's to write or counted. */
static void test_nothing_is_lost(void **state)
{
    (void)state;
    struct folds *f = folds_new();
    struct written w = {0};
    uint64_t direct = 0;
    for (uint32_t i = 0; i < 6000; i++) {
        struct record r = denial(1, i % 2000, 443, NULL);
        direct += !folds_take(f, &r);
    }
    folds_flush(f, write_one, &w);
    assert_int_equal(direct + w.count, 6000);
    assert_true(w.count > 0);
    folds_free(f);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("R06", test_identical_denials_fold),
        REPORT("-", test_others_do_not_fold),
        REPORT("R06", test_broken_off_denials_fold),
        REPORT("R06", test_nothing_is_lost),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
