/* SPDX-License-Identifier: MIT
 * What loops of one run share: numbers that are never given twice, one budget, names that two write
 * and a third reads, and what is left when one of them is killed while it writes. */
#include "roles/shared.h"

#include "unit/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/engine.h"

enum { ADDRESSES = 500, NAMES_EACH = 4, KILLS = 60, NUMBERS = 50000, TTL = 7200 };

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static struct engine attach(void *memory, uint32_t loop)
{
    struct shared s;
    assert_int_equal(shared_attach(&s, memory, shared_size(), loop), 0);
    return (struct engine){.names = s.names,
                           .name_limits = s.name_limits,
                           .last_conn = s.last_conn,
                           .lock = s.lock,
                           .loop = loop};
}

/* A name that can be told to belong to that address. */
static void name_of(uint32_t address, unsigned n, char out[64])
{
    snprintf(out, 64, "host-%u-of-%u-with-a-name-that-takes-a-while.org", n, address);
}

static void learn_all(struct engine *e, unsigned round)
{
    char name[64];
    for (uint32_t a = 1; a <= ADDRESSES; a++) {
        name_of(a, round % NAMES_EACH, name);
        engine_learn(e, name, a, TTL);
    }
}

/* Returns how many names were read; each is one of its address, whole. */
static size_t read_all(const struct engine *e)
{
    char out[NAMES_PER_ADDRESS][254], name[64];
    size_t seen = 0;
    for (uint32_t a = 1; a <= ADDRESSES; a++) {
        size_t n = names_of(e->names, ENGINE_CLIENT, a, engine_now(), out, NAMES_PER_ADDRESS);
        for (size_t i = 0; i < n; i++, seen++) {
            bool known = false;
            for (unsigned j = 0; j < NAMES_EACH; j++) {
                name_of(a, j, name);
                known = known || strcmp(out[i], name) == 0;
            }
            if (!known)
                fail_msg("'%s' is no name of %u", out[i], a);
        }
    }
    return seen;
}

static void numbers_are_given_once(void **state UNUSED)
{
    void *memory = map(shared_size());
    uint64_t *given = map(2 * NUMBERS * sizeof *given);
    uint8_t *seen = calloc(2 * NUMBERS + 1, 1);
    struct engine first = attach(memory, 1);
    assert_non_null(seen);
    pid_t other = fork();
    assert_true(other >= 0);
    struct engine second = attach(memory, 2);
    struct engine *mine = other ? &first : &second;
    for (size_t i = 0; i < NUMBERS; i++)
        given[(other ? 0 : NUMBERS) + i] = engine_next_conn(mine);
    if (other == 0)
        _exit(0);
    int status = -1;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < 2 * NUMBERS; i++) {
        assert_in_range(given[i], 1, 2 * NUMBERS);
        assert_int_equal(seen[given[i]]++, 0);
    }
    struct engine again = attach(memory, 1); /* a new proxy counts on */
    assert_int_equal(engine_next_conn(&again), 2 * NUMBERS + 1);
    free(seen);
    munmap(given, 2 * NUMBERS * sizeof *given);
    munmap(memory, shared_size());
}

static void what_one_learns_counts_for_all(void **state UNUSED)
{
    void *memory = map(shared_size());
    struct engine first = attach(memory, 1), second = attach(memory, 2);
    engine_learn(&first, "a.org", 1, TTL);
    engine_learn(&second, "b.org", 1, TTL);
    assert_true(names_holds(second.names, ENGINE_CLIENT, "a.org", 1, engine_now()));
    assert_true(names_holds(first.names, ENGINE_CLIENT, "b.org", 1, engine_now()));
    struct engine again = attach(memory, 1);
    assert_true(names_holds(again.names, ENGINE_CLIENT, "b.org", 1, engine_now()));
    munmap(memory, shared_size());
}

/* Asks for names of one process until the budget is spent; returns how many were paid for. */
static unsigned spend(struct engine *engines[], size_t n)
{
    unsigned paid = 0;
    for (;; paid++) {
        char name[64];
        snprintf(name, sizeof name, "q7zk2xw9v4jb8f%08x.x.org", paid * 2654435761u);
        const struct name_question q = {.name = name, .zone = "x.org"};
        if (!name_limits_take(engines[paid % n]->name_limits, &q, 1000))
            return paid;
    }
}

static void a_budget_does_not_grow_with_loops(void **state UNUSED)
{
    void *memory = map(shared_size());
    struct engine first = attach(memory, 1);
    unsigned alone = spend((struct engine *[]){&first}, 1);
    assert_in_range(alone, 10, 10000);
    munmap(memory, shared_size());
    memory = map(shared_size());
    first = attach(memory, 1);
    struct engine second = attach(memory, 2);
    assert_int_equal(spend((struct engine *[]){&first, &second}, 2), alone);
    struct engine again = attach(memory, 1); /* nor with a new proxy */
    assert_int_equal(spend((struct engine *[]){&again}, 1), 0);
    munmap(memory, shared_size());
}

static void a_lock_of_the_dead_is_given_back(void **state UNUSED)
{
    void *memory = map(shared_size());
    struct engine first = attach(memory, 1);
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        struct engine second = attach(memory, 2);
        if (!shared_lock_take(second.lock, second.loop, 1000))
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFSIGNALED(status));
    /* Until there is a new one nobody writes, and what cannot be written is not. */
    engine_learn(&first, "a.org", 1, TTL);
    assert_false(names_holds(first.names, ENGINE_CLIENT, "a.org", 1, engine_now()));
    struct engine again = attach(memory, 2);
    engine_learn(&first, "b.org", 1, TTL);
    assert_true(names_holds(again.names, ENGINE_CLIENT, "b.org", 1, engine_now()));
    munmap(memory, shared_size());
}

/* An answer may hold 256 addresses, and a loop that waits a second for each of them serves nobody:
 * the alarm ends a test that would take ten minutes. */
static void a_lock_of_the_dead_stops_nobody(void **state UNUSED)
{
    void *memory = map(shared_size());
    struct engine first = attach(memory, 1), second = attach(memory, 2);
    assert_true(shared_lock_take(second.lock, second.loop, 1000)); /* and it dies here */
    alarm(60);
    learn_all(&first, 0);
    alarm(0);
    assert_int_equal(read_all(&first), 0);
    (void)attach(memory, 2);
    learn_all(&first, 0);
    assert_int_equal(read_all(&first), ADDRESSES);
    munmap(memory, shared_size());
}

/* Two write and are read; again and again one of them is killed wherever it is. */
static void killed_while_it_writes(void **state UNUSED)
{
    void *memory = map(shared_size());
    _Atomic unsigned *rounds = map(sizeof *rounds);
    struct engine first = attach(memory, 1);
    for (unsigned i = 0; i < KILLS; i++) {
        const unsigned before = *rounds;
        pid_t other = fork();
        assert_true(other >= 0);
        if (other == 0) {
            struct engine second = attach(memory, 2);
            for (unsigned round = 0;; round++) {
                learn_all(&second, round);
                ++*rounds;
            }
        }
        do {
            learn_all(&first, i);
            read_all(&first);
        } while (*rounds == before);
        assert_int_equal(kill(other, SIGKILL), 0);
        assert_int_equal(waitpid(other, NULL, 0), other);
        (void)attach(memory, 2);
    }
    for (unsigned round = 0; round < NAMES_EACH; round++)
        learn_all(&first, round);
    /* Some may have lost their place to others of their set, whose order the deaths changed. */
    assert_in_range(read_all(&first), ADDRESSES * NAMES_EACH * 9 / 10, ADDRESSES * NAMES_EACH);
    munmap(rounds, sizeof *rounds);
    munmap(memory, shared_size());
}

static void memory_of_another_size(void **state UNUSED)
{
    struct shared s;
    char *memory = map(shared_size());
    assert_int_equal(shared_attach(&s, memory, shared_size() - 1, 1), -EINVAL);
    assert_int_equal(shared_attach(&s, memory + 8, shared_size(), 1), -EINVAL);
    munmap(memory, shared_size());
}

static const struct unit_test tests[] = {
    REPORT("P09", numbers_are_given_once),
    REPORT("R01", what_one_learns_counts_for_all),
    REPORT("D06", a_budget_does_not_grow_with_loops),
    REPORT("R01", a_lock_of_the_dead_is_given_back),
    REPORT("R01", a_lock_of_the_dead_stops_nobody),
    REPORT("R01", killed_while_it_writes),
    REPORT("-", memory_of_another_size),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
