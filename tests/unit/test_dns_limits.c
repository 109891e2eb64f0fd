/* SPDX-License-Identifier: MIT
 * What may be told by names below a wildcard: the code that prices them, the budgets, and the
 * answers that are kept so that asking again is free. */
#include "unit/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dns/kept.h"
#include "dns/name_bits.h"
#include "dns/name_limits.h"

static struct name_limits *limits_new(void)
{
    void *memory = calloc(1, name_limits_size());
    assert_non_null(memory);
    return name_limits_attach(memory, name_limits_size());
}

static unsigned price_of(const char *labels)
{
    return name_bits(labels, strlen(labels));
}

/* All names of up to four characters: as long as their prices are lengths of a code that can be
 * read again, these sum up to no more than one (Kraft), so nobody says more than he pays for. */
static void test_no_name_says_more_than_it_costs(void **state)
{
    (void)state;
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    enum { SYMBOLS = sizeof(alphabet) - 1, LONGEST = 4 };
    double sum = 0;
    unsigned total = 1;
    for (unsigned len = 1; len <= LONGEST; len++) {
        total *= SYMBOLS;
        for (unsigned i = 0; i < total; i++) {
            char name[LONGEST];
            unsigned rest = i;
            for (unsigned at = 0; at < len; at++, rest /= SYMBOLS)
                name[at] = alphabet[rest % SYMBOLS];
            sum += ldexp(1, -(int)name_bits(name, len));
        }
    }
    assert_true(sum < 1);
    assert_true(sum > 0.001); /* and the code is not just a dear one */
}

/* Words are cheap, digests are dear, and each character more costs more. */
static void test_prices(void **state)
{
    (void)state;
    static const struct {
        const char *labels;
        unsigned most;
    } cases[] = {
        {"www", 32},
        {"api", 24},
        {"registry", 56},
        {"objects", 48},
        {"release-assets", 80},
        {"pipelinesghubeus2", 112},
        {"d111111abcdef8", 96},
        {"my-bucket.s3.us-east-1", 128},
        {"0123456789abcdef0123456789abcdef.gr7.us-east-1", 288},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (price_of(cases[i].labels) > cases[i].most)
            fail_msg("%s costs %u", cases[i].labels, price_of(cases[i].labels));
    /* 32 digits and letters hold up to 165 bits, 63 hold 325. */
    assert_true(price_of("q7zk2xw9v4jb8f3hy6p0gu5sn1tmq2ke") > 165);
    assert_true(price_of("q7zk2xw9v4jb8f3hy6p0gu5sn1tmq2keq7zk2xw9v4jb8f3hy6p0gu5sn1tmq2k") > 325);
    for (size_t len = 1; len < 32; len++)
        assert_true(name_bits("q7zk2xw9v4jb8f3hy6p0gu5sn1tmq2ke", len) <
                    name_bits("q7zk2xw9v4jb8f3hy6p0gu5sn1tmq2ke", len + 2));
}

static const struct process_key someone = {.pid = 10, .exec_id = 1, .start_ns = 100};

static bool take(struct name_limits *l, const char *name, const char *zone, uint64_t now)
{
    const struct name_question q = {.name = name, .zone = zone, .process = someone};
    return name_limits_take(l, &q, now);
}

/* The n-th of names that say 200 bits each, of a sequence that does not repeat. */
static const char *secret(unsigned n)
{
    static char name[64];
    snprintf(name, sizeof(name), "%08x%08x%08x%08x.evil.x.org", n * 2654435761u, n * 40503u,
             n ^ 0x5bd1e995u, n * 0x85ebca6bu);
    return name;
}

static unsigned taken(struct name_limits *l, struct process_key process, unsigned from, unsigned n,
                      uint64_t now)
{
    unsigned count = 0;
    for (unsigned i = from; i < from + n; i++) {
        const struct name_question q = {.name = secret(i), .zone = "x.org", .process = process};
        count += name_limits_take(l, &q, now);
    }
    return count;
}

/* What a build asks for below wildcards, all by one process within a second, passes. */
static void test_usual_names_pass(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"registry.npmjs.org", "npmjs.org"},
        {"replicate.npmjs.org", "npmjs.org"},
        {"pypi.org", "org"},
        {"files.pythonhosted.org", "pythonhosted.org"},
        {"deb.debian.org", "debian.org"},
        {"security.debian.org", "debian.org"},
        {"us.archive.ubuntu.com", "ubuntu.com"},
        {"raw.githubusercontent.com", "githubusercontent.com"},
        {"objects.githubusercontent.com", "githubusercontent.com"},
        {"release-assets.githubusercontent.com", "githubusercontent.com"},
        {"pkg-containers.githubusercontent.com", "githubusercontent.com"},
        {"avatars.githubusercontent.com", "githubusercontent.com"},
        {"pipelinesghubeus12.actions.githubusercontent.com", "githubusercontent.com"},
        {"productionresultssa19.blob.core.windows.net", "core.windows.net"},
        {"d111111abcdef8.cloudfront.net", "cloudfront.net"},
        {"0123456789ABCDEF0123456789abcdef.gr7.us-east-1.eks.amazonaws.com", "amazonaws.com"},
        {"123456789012.dkr.ecr.eu-central-1.amazonaws.com", "amazonaws.com"},
        {"k8s-default-frontend-0a1b2c3d4e-0123456789abcdef.elb.us-west-2.amazonaws.com",
         "amazonaws.com"},
        {"search-logs-abcdefghijklmnopqrstuvwxyz.us-east-1.es.amazonaws.com", "amazonaws.com"},
        {"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi.ipfs.dweb.link", "dweb.link"},
        {"a-bucket-whose-name-is-as-long-as-a-bucket-name-may-be-63-bytes.bucket."
         "vpce-0123456789abcdef0-0a1b2c3d.s3.us-east-1.vpce.amazonaws.com",
         "amazonaws.com"},
        {"rr5---sn-4g5e6nez.googlevideo.com", "googlevideo.com"},
        {"1.0.0.10.in-addr.arpa", "in-addr.arpa"},
    };
    struct name_limits *l = limits_new();
    assert_non_null(l);
    for (unsigned round = 0; round < 5; round++)
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (!take(l, names[i][0], names[i][1], 1000))
                fail_msg("%s, round %u", names[i][0], round);
    for (unsigned i = 0; i < 300; i++) {
        char bucket[64];
        snprintf(bucket, sizeof(bucket), "logs-%u.s3.x.org", i);
        if (!take(l, bucket, "s3.x.org", 1000))
            fail_msg("bucket %u", i);
    }
    free(l);
}

static void test_process_budget(void **state)
{
    (void)state;
    struct name_limits *l = limits_new();
    struct process_key other = {.pid = 11, .start_ns = 100}, executed = someone;
    unsigned each = name_bits(secret(1), 37);
    unsigned n = taken(l, someone, 0, 5000, 1000);
    assert_in_range(n, NAME_PROCESS_BITS / (each + each / 4), NAME_PROCESS_BITS / 128);
    /* Nor by executing something else, nor under another name of the same zone. */
    executed.exec_id++;
    assert_int_equal(taken(l, executed, 5000, 100, 1000), 0);
    assert_false(
        take(l, "www.good.x.org", "x.org", 1000) && take(l, "w2.good.x.org", "x.org", 1000) &&
        take(l, "w3.good.x.org", "x.org", 1000) && take(l, "w4.good.x.org", "x.org", 1000) &&
        take(l, "w5.good.x.org", "x.org", 1000) && take(l, "w6.good.x.org", "x.org", 1000));
    /* Another process and another zone are no part of it. */
    assert_true(taken(l, other, 6000, 10, 1000) == 10);
    assert_true(take(l, "www.y.org", "y.org", 1000));
    /* What comes back is not more than its rate, nor more than the whole. */
    unsigned later = taken(l, someone, 7000, 1000, 1000 + 100);
    assert_in_range(later, 1, 100 * NAME_PROCESS_BITS_BACK / 128);
    unsigned whole = taken(l, someone, 8000, 5000, 1000 + 100000);
    assert_in_range(whole, n - 20, n + 20);
    /* A clock that went back gives nothing. */
    assert_int_equal(taken(l, someone, 14000, 100, 10), 0);
    free(l);
}

/* A process for each question, as a shell makes them: the budget of all holds. */
static void test_many_processes(void **state)
{
    (void)state;
    struct name_limits *l = limits_new();
    uint64_t bits = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < 100000; i++) {
        struct process_key key = {.pid = 100 + i, .start_ns = 1000 + i};
        const char *name = secret(i);
        if (taken(l, key, i, 1, 1000)) {
            bits += name_bits(name, strlen(name) - strlen(".x.org"));
            n++;
        }
    }
    assert_true(n > 100 && bits <= NAME_ZONE_BITS);
    /* Nobody's names are one more of them. */
    assert_int_equal(taken(l, (struct process_key){0}, 200000, 100, 1000), 0);
    free(l);
}

/* Processes that spend nothing do not push out one that has spent all. */
static void test_spent_stays_spent(void **state)
{
    (void)state;
    struct name_limits *l = limits_new();
    taken(l, someone, 0, 1000, 1000);
    for (unsigned i = 0; i < 1500; i++) {
        char name[32];
        snprintf(name, sizeof(name), "a%u.y.org", i);
        const struct name_question q = {
            .name = name, .zone = "y.org", .process = {.pid = 100 + i, .start_ns = 1}};
        assert_true(name_limits_take(l, &q, 1000));
    }
    assert_int_equal(taken(l, someone, 5000, 100, 1000), 0);
    free(l);
}

static void test_many_zones(void **state)
{
    (void)state;
    struct name_limits *l = limits_new();
    char name[128], zone[64];
    unsigned first = 0, last = 0;
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(zone, sizeof(zone), "z%u.org", i);
        snprintf(name, sizeof(name), "%s.%s", "0123456789abcdef0123456789abcdef", zone);
        const struct name_question q = {.name = name, .zone = zone, .process = {.pid = i + 1}};
        bool may = name_limits_take(l, &q, 1000);
        first += may && i < 500;
        last += may && i >= 10000;
    }
    /* Each has its own, until those that come late share what is left. */
    assert_int_equal(first, 500);
    assert_int_equal(last, 0);
    free(l);
}

static void test_length(void **state)
{
    (void)state;
    struct name_limits *l = limits_new();
    for (size_t len = NAME_FRONT_MAX - 1; len <= NAME_FRONT_MAX + 1; len++) {
        char name[254];
        memset(name, 'a', len);
        for (size_t i = 50; i < len; i += 50)
            name[i] = '.';
        snprintf(name + len, sizeof(name) - len, ".x.org");
        assert_int_equal(take(l, name, "x.org", 1000), len <= NAME_FRONT_MAX);
    }
    free(l);
}

/* Types could say something too; names that were asked for before say which of them it is. */
static void test_types_and_known_names(void **state)
{
    (void)state;
    static const struct name_question kinds[] = {
        {.name = "a.x.org", .zone = "x.org"},
        {.name = "a.x.org", .zone = "x.org", .other_type = true},
        {.name = "a.x.org", .zone = "x.org", .known = true},
        {.name = "0123456789abcdef0123456789abcdef.x.org", .zone = "x.org", .known = true},
    };
    unsigned counts[ARRAY_SIZE(kinds)] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct name_limits *l = limits_new();
        while (name_limits_take(l, &kinds[i], 1000))
            counts[i]++;
        free(l);
    }
    assert_true(counts[1] < counts[0]);
    assert_int_equal(counts[2], NAME_PROCESS_BITS / NAME_KNOWN_BITS);
    assert_int_equal(counts[3], counts[2]);
}

static enum kept_state find(struct kept *k, const char *name, uint16_t type, uint64_t now)
{
    const struct kept_key key = {.name = name, .type = type, .rd = true};
    struct kept_answer a = {0};
    enum kept_state state = kept_find(k, &key, now, &a);
    assert_int_equal(state == KEPT_FRESH, a.message != NULL);
    return state;
}

static void test_kept(void **state)
{
    (void)state;
    static const struct {
        uint32_t ttl;
        bool none;
        uint64_t seconds;
    } cases[] = {{0, false, 30},    {29, false, 30},          {60, false, 60},
                 {300, false, 300}, {UINT32_MAX, false, 300}, {60, true, 10}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct kept *k = kept_new();
        const struct kept_key key = {.name = "a.x.org", .type = 1, .rd = true};
        struct kept_answer a;
        assert_int_equal(find(k, "a.x.org", 1, 1000), KEPT_NEW);
        /* An answer to what was never paid for is not kept. */
        kept_put(k, &key, "answer", 6, 60, false, 1000);
        assert_int_equal(find(k, "a.x.org", 1, 1000), KEPT_NEW);
        kept_ask(k, &key);
        assert_int_equal(find(k, "a.x.org", 1, 1000), KEPT_KNOWN);
        kept_put(k, &key, "answer", 6, cases[i].ttl, cases[i].none, 1000);
        assert_int_equal(find(k, "a.x.org", 1, 1000 + cases[i].seconds - 1), KEPT_FRESH);
        assert_int_equal(kept_find(k, &key, 1005, &a), KEPT_FRESH);
        assert_int_equal(a.age, 5);
        assert_int_equal(a.len, 6);
        assert_memory_equal(a.message, "answer", 6);
        assert_int_equal(find(k, "a.x.org", 1, 1000 + cases[i].seconds), KEPT_KNOWN);
        kept_ask(k, &key);
        kept_put(k, &key, "other", 5, 60, false, 2000);
        assert_int_equal(kept_find(k, &key, 2000, &a), KEPT_FRESH);
        assert_memory_equal(a.message, "other", 5);
        /* Of another type, from another resolver, or without recursion it is another question. */
        assert_int_equal(find(k, "a.x.org", 16, 2000), KEPT_NEW);
        assert_int_equal(find(k, "b.x.org", 1, 2000), KEPT_NEW);
        struct kept_key others[] = {key, key, key};
        others[0].ip = 1;
        others[1].port = 1;
        others[2].rd = false;
        for (size_t j = 0; j < ARRAY_SIZE(others); j++)
            assert_int_equal(kept_find(k, &others[j], 2000, &a), KEPT_NEW);
        kept_free(k);
    }
}

/* More names than there is room for: what was used longest ago goes, and nothing grows. */
static void test_kept_is_bounded(void **state)
{
    (void)state;
    static char large[KEPT_MESSAGE_MAX + 1];
    struct kept *k = kept_new();
    char name[64];
    struct kept_key key = {.name = name, .type = 1, .rd = true};
    unsigned fresh = 0;
    for (unsigned i = 0; i < 10 * KEPT_MAX; i++) {
        snprintf(name, sizeof(name), "n%u.x.org", i);
        kept_ask(k, &key);
        kept_put(k, &key, large, KEPT_MESSAGE_MAX, 300, false, 1000);
        assert_int_equal(find(k, name, 1, 1000), KEPT_FRESH);
    }
    for (unsigned i = 0; i < 10 * KEPT_MAX; i++) {
        snprintf(name, sizeof(name), "n%u.x.org", i);
        fresh += find(k, name, 1, 1000) == KEPT_FRESH;
    }
    assert_in_range(fresh, KEPT_MAX / 2, KEPT_MAX);
    /* Too long: known, not kept. */
    kept_ask(k, &key);
    kept_put(k, &key, large, sizeof(large), 300, false, 1000);
    snprintf(name, sizeof(name), "long.x.org");
    kept_ask(k, &key);
    kept_put(k, &key, large, sizeof(large), 300, false, 1000);
    assert_int_equal(find(k, name, 1, 1000), KEPT_KNOWN);
    kept_free(k);
    kept_free(NULL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("D06", test_no_name_says_more_than_it_costs),
        REPORT("D06", test_prices),
        REPORT("D06", test_usual_names_pass),
        REPORT("D06", test_process_budget),
        REPORT("D06", test_many_processes),
        REPORT("D06", test_spent_stays_spent),
        REPORT("D06", test_many_zones),
        REPORT("D06", test_length),
        REPORT("D06", test_types_and_known_names),
        REPORT("D06", test_kept),
        REPORT("D06", test_kept_is_bounded),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
