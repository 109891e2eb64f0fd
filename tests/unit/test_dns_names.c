/* SPDX-License-Identifier: MIT
 * The learnt names: for whom, for how long, what goes when there is no room, and memory that holds
 * anything at all. */
#include "unit/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dns/names.h"

enum { HOUR = 3600, DAY = 24 * HOUR, NOW = 1000000, A = 0x0a000001, B = 0x0a000002 };

static struct names *fresh(void **memory, size_t entries)
{
    size_t size = names_size(entries);
    *memory = calloc(1, size);
    struct names *n = names_attach(*memory, size);
    assert_non_null(n);
    return n;
}

static void test_who_and_what(void **state)
{
    (void)state;
    void *memory;
    struct names *n = fresh(&memory, 1024);
    names_learn(n, A, "x.org", B, 60, NOW);
    static const struct {
        uint32_t client;
        const char *name;
        uint32_t address;
        bool holds;
    } cases[] = {
        {A, "x.org", B, true},  {B, "x.org", B, false},     {A, "x.org", A, false},
        {A, "y.org", B, false}, {A, "www.x.org", B, false}, {A, "", B, false},
        {0, "x.org", 0, false}, {0, "", 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(names_holds(n, cases[i].client, cases[i].name, cases[i].address, NOW),
                         cases[i].holds);
    free(memory);
}

static void test_how_long(void **state)
{
    (void)state;
    static const struct {
        uint32_t ttl;
        uint64_t after;
        bool holds;
    } cases[] = {
        {0, 0, true},
        {0, HOUR - 1, true},
        {0, HOUR, false},
        {60, HOUR - 1, true},
        {60, HOUR, false},
        {2 * HOUR, 2 * HOUR - 1, true},
        {2 * HOUR, 2 * HOUR, false},
        {DAY, DAY - 1, true},
        {DAY, DAY, false},
        {UINT32_C(0x80000000), DAY - 1, true},
        {UINT32_C(0x80000000), DAY, false},
        {UINT32_MAX, DAY, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        void *memory;
        struct names *n = fresh(&memory, 1024);
        char out[1][254];
        names_learn(n, A, "x.org", B, cases[i].ttl, NOW);
        assert_int_equal(names_holds(n, A, "x.org", B, NOW + cases[i].after), cases[i].holds);
        assert_int_equal(names_of(n, A, B, NOW + cases[i].after, out, 1), cases[i].holds);
        free(memory);
    }
}

static void test_learnt_again(void **state)
{
    (void)state;
    void *memory;
    char out[4][254];
    struct names *n = fresh(&memory, 1024);
    names_learn(n, A, "x.org", B, 3 * HOUR, NOW);
    names_learn(n, A, "x.org", B, 60, NOW + 60); /* takes nothing back */
    assert_true(names_holds(n, A, "x.org", B, NOW + 3 * HOUR - 1));
    assert_int_equal(names_of(n, A, B, NOW + 60, out, 4), 1);
    names_learn(n, A, "x.org", B, 0, NOW + 3 * HOUR - 1);
    assert_true(names_holds(n, A, "x.org", B, NOW + 4 * HOUR - 2));
    assert_false(names_holds(n, A, "x.org", B, NOW + 4 * HOUR - 1));
    free(memory);
}

static void test_newest_first(void **state)
{
    (void)state;
    void *memory;
    char out[NAMES_PER_ADDRESS + 8][254], name[32];
    struct names *n = fresh(&memory, 1); /* one set */
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "n%u.org", i);
        names_learn(n, A, name, B, 60, NOW); /* all in one second */
    }
    names_learn(n, A, "n5.org", B, 60, NOW);
    assert_int_equal(names_of(n, A, B, NOW, out, 0), 0);
    for (size_t max = 1; max <= ARRAY_SIZE(out); max++) {
        memset(out, 'x', sizeof(out));
        size_t got = names_of(n, A, B, NOW, out, max);
        assert_int_equal(got, MIN(max, NAMES_PER_ADDRESS));
        assert_string_equal(out[0], "n5.org");
        for (size_t i = 1; i < got; i++) {
            size_t number = 20 - i - (20 - i <= 5);
            snprintf(name, sizeof(name), "n%zu.org", number);
            assert_string_equal(out[i], name);
        }
        if (got < ARRAY_SIZE(out))
            assert_int_equal(out[got][0], 'x');
    }
    free(memory);
}

/* A full set loses its oldest, and what has run out before that. */
static void test_full(void **state)
{
    (void)state;
    void *memory;
    struct names *n = fresh(&memory, 1);
    size_t ways = 0;
    for (uint32_t i = 0; i < 1000; i++)
        names_learn(n, i, "x.org", B, 60, NOW + i);
    for (uint32_t i = 0; i < 1000; i++) {
        bool holds = names_holds(n, i, "x.org", B, NOW + 1000);
        assert_int_equal(holds, i >= 1000 - 32);
        ways += holds;
    }
    assert_int_equal(ways, 32);

    free(memory);
    n = fresh(&memory, 1);
    names_learn(n, 0, "long.org", B, 4 * HOUR, NOW);
    for (uint32_t i = 1; i < 32; i++)
        names_learn(n, i, "x.org", B, 60, NOW);
    names_learn(n, 99, "new.org", B, 60, NOW + 2 * HOUR);
    assert_true(names_holds(n, 0, "long.org", B, NOW + 2 * HOUR));
    assert_true(names_holds(n, 99, "new.org", B, NOW + 2 * HOUR));
    free(memory);
}

static void test_names_too_long(void **state)
{
    (void)state;
    void *memory;
    struct names *n = fresh(&memory, 1024);
    char name[301], out[1][254];
    for (size_t len = 252; len <= 300; len++) {
        memset(name, 'a', len);
        name[len] = '\0';
        names_learn(n, (uint32_t)len, name, B, 60, NOW);
        assert_int_equal(names_holds(n, (uint32_t)len, name, B, NOW), len <= 253);
        assert_int_equal(names_of(n, (uint32_t)len, B, NOW, out, 1), len <= 253);
    }
    names_learn(n, A, "", B, 60, NOW);
    assert_int_equal(names_of(n, A, B, NOW, out, 1), 0);
    free(memory);
}

/* Promises outlive the process that made them, but not another size of table. */
static void test_attached_again(void **state)
{
    (void)state;
    void *memory;
    size_t size = names_size(1024);
    struct names *n = fresh(&memory, 1024);
    names_learn(n, A, "x.org", B, 60, NOW);
    n = names_attach(memory, size);
    assert_non_null(n);
    assert_true(names_holds(n, A, "x.org", B, NOW));
    n = names_attach(memory, names_size(512));
    assert_non_null(n);
    assert_false(names_holds(n, A, "x.org", B, NOW));
    names_learn(n, A, "x.org", B, 60, NOW);
    n = names_attach(memory, size);
    assert_non_null(n);
    assert_false(names_holds(n, A, "x.org", B, NOW));
    assert_null(names_attach(memory, names_size(1) - 1));
    assert_null(names_attach(memory, 0));
    assert_null(names_attach((char *)memory + 1, size - 1));
    assert_int_equal(names_size(SIZE_MAX), 0);
    free(memory);
}

/* Everything that a stranger could have left in the memory, between two pages out of bounds. */
static void test_any_memory(void **state)
{
    (void)state;
    const size_t page = 65536, size = names_size(256);
    const size_t room = (size + page - 1) / page * page;
    uint8_t *pages = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, room, PROT_READ | PROT_WRITE), 0);
    uint8_t *memory = pages + page + room - size;
    uint64_t x = 88172645463325252u;
    for (unsigned round = 0; round < 40; round++) {
        char out[NAMES_PER_ADDRESS][254];
        struct names *n = names_attach(memory, size);
        assert_non_null(n);
        /* All behind the header, which names_attach has judged: random, then full of one byte. */
        for (size_t i = 48; i < size; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            memory[i] = round < 20 ? (uint8_t)x : (uint8_t)(round * 13);
        }
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t word = round < 20 ? i : (uint8_t)(round * 13) * 0x01010101u;
            size_t got = names_of(n, word, word, i, out, NAMES_PER_ADDRESS);
            for (size_t j = 0; j < got; j++)
                assert_true(strnlen(out[j], 254) < 254);
            assert_false(names_holds(n, word, "no.such.name", word, i));
            names_learn(n, i, "x.org", i, 60, NOW);
            assert_true(names_holds(n, i, "x.org", i, NOW));
        }
        /* And a header that is none. */
        for (size_t i = 0; i < 48 && round % 2; i++)
            memory[i] = (uint8_t)(memory[i] + round);
    }
    munmap(pages, room + 2 * page);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_who_and_what),   REPORT("D07", test_how_long),
        REPORT("-", test_learnt_again),   REPORT("-", test_newest_first),
        REPORT("-", test_full),           REPORT("D07", test_names_too_long),
        REPORT("-", test_attached_again), REPORT("-", test_any_memory),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
