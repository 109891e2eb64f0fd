/* SPDX-License-Identifier: MIT
 * The table of processes, told by hand-made events: inheritance, chains, reuse, forgetting. */
#include "attribution/table.h"

#include "unit/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static const struct process_key none;

/* What an exec event says; the rest is zero. */
struct said {
    struct process_key key, parent;
    const char *exe, *cwd;
    const char *args; /* with a NUL behind each */
    size_t args_len;
    unsigned argc, flags;
};

static size_t exec_event(const struct said *s, struct process_exec *e)
{
    *e = (struct process_exec){.head = {.type = PROCESS_EXEC, .process = s->key},
                               .parent = s->parent,
                               .cgroup_id = 77,
                               .uid = 1000,
                               .flags = s->flags,
                               .exe_len = (uint16_t)strlen(s->exe),
                               .cwd_len = (uint16_t)strlen(s->cwd),
                               .args_len = (uint16_t)s->args_len,
                               .argc = (uint16_t)s->argc};
    char *at = e->data;
    memcpy(at, s->exe, e->exe_len);
    memcpy(at + e->exe_len, s->cwd, e->cwd_len);
    if (s->args_len)
        memcpy(at + e->exe_len + e->cwd_len, s->args, s->args_len);
    return offsetof(struct process_exec, data) + e->exe_len + e->cwd_len + e->args_len;
}

static void tell_exec(struct process_table *t, const struct said *s, uint64_t now)
{
    struct process_exec e;
    const size_t len = exec_event(s, &e);
    process_table_event(t, &e, len, now);
}

static void run_exe(struct process_table *t, struct process_key key, struct process_key parent,
                    const char *exe, unsigned flags)
{
    const struct said s = {key, parent, exe, "/", NULL, 0, 0, flags};
    tell_exec(t, &s, SECOND);
}

static void tell_fork(struct process_table *t, struct process_key child, struct process_key parent)
{
    const struct process_fork f = {.head = {.type = PROCESS_FORK, .process = child},
                                   .parent = parent};
    process_table_event(t, &f, sizeof f, SECOND);
}

static void tell_exit(struct process_table *t, struct process_key key, uint64_t now)
{
    const struct process_event e = {.type = PROCESS_EXIT, .process = key};
    process_table_event(t, &e, sizeof e, now);
}

/* Whether the table knows key, as exe and with these ancestors: "pid:exe pid:exe …", "?" for an
 * executable that is not known. */
static void expect(struct process_table *t, struct process_key key, const char *exe,
                   const char *ancestors, bool whole)
{
    char text[4096] = "";
    size_t at = 0;
    struct process *p = process_table_get(t, &key);
    if (!exe) {
        assert_null(p);
        return;
    }
    assert_non_null(p);
    assert_string_equal(p->exe, exe);
    for (size_t i = 0; i < p->n_ancestors; i++) {
        const struct process_ancestor *a = &p->ancestors[i];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u:%s", i ? " " : "", a->pid,
                               a->exe ? a->exe : "?");
    }
    assert_string_equal(text, ancestors);
    assert_int_equal((p->known & FACT_PARENTS) != 0, whole);
    process_unref(p);
}

static struct process_table *table_with_init(void)
{
    struct process_table *t = process_table_new(&(struct process_table_options){0});
    const struct process first = {.key = {1, 1, 1}, .known = FACT_EXE | FACT_PARENTS, .exe = "/i"};
    assert_non_null(t);
    assert_int_equal(process_table_add_old(t, &first, NULL), 0);
    return t;
}

static void chain_outlives_parents(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key sh = {10, 2, 100}, forked = {11, 2, 110}, curl = {11, 3, 110};
    const struct process_key twice = {12, 3, 120};
    run_exe(t, sh, (struct process_key){1, 1, 1}, "/sh", 0);
    tell_fork(t, forked, sh);
    expect(t, forked, "/sh", "10:/sh 1:/i", true);
    tell_exit(t, sh, SECOND);
    run_exe(t, curl, (struct process_key){1, 1, 1}, "/curl", 0); /* reparented meanwhile */
    expect(t, curl, "/curl", "10:/sh 1:/i", true);
    expect(t, forked, "/sh", "10:/sh 1:/i", true); /* what it was before the exec */
    tell_fork(t, twice, curl);
    tell_exit(t, curl, SECOND);
    expect(t, twice, "/curl", "11:/curl 10:/sh 1:/i", true);
    process_table_free(t);
}

static void unknown_parents_stay_unknown(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key orphan = {20, 1, 200}, child = {21, 1, 210}, lost = {30, 1, 300};
    run_exe(t, orphan, (struct process_key){9, 9, 9}, "/orphan", 0);
    expect(t, orphan, "/orphan", "", false);
    tell_fork(t, child, orphan);
    expect(t, child, "/orphan", "20:/orphan", false);
    tell_fork(t, (struct process_key){31, 1, 310}, lost);
    expect(t, (struct process_key){31, 1, 310}, NULL, NULL, false);
    process_table_free(t);
}

static void doubtful_executables_vouch_for_nobody(void **state UNUSED)
{
    static const struct {
        unsigned parent_flags, child_flags;
        const char *chain;
        bool known, whole;
    } rows[] = {
        {0, 0, "10:/p 1:/i", true, true},
        {PROCESS_EXE_CUT, 0, "10:? 1:/i", true, false},
        {PROCESS_EXE_DELETED, 0, "10:? 1:/i", true, false},
        {PROCESS_EXE_UNREACHABLE, 0, "10:? 1:/i", true, false},
        {PROCESS_EXE_OUTSIDE, 0, "10:? 1:/i", true, false},
        {0, PROCESS_EXE_DELETED, "10:/p 1:/i", false, true},
        {PROCESS_FOREIGN, PROCESS_FOREIGN, "10:/p 1:/i", true, true},
        {PROCESS_FOREIGN, 0, "10:? 1:?", true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct process_table *t = table_with_init();
        const struct process_key parent = {10, 2, 100}, child = {11, 2, 110};
        run_exe(t, parent, (struct process_key){1, 1, 1}, "/p", rows[i].parent_flags);
        run_exe(t, child, parent, "/c", rows[i].child_flags);
        expect(t, child, "/c", rows[i].chain, rows[i].whole);
        struct process *p = process_table_get(t, &child);
        assert_non_null(p);
        assert_int_equal((p->known & FACT_EXE) != 0, rows[i].known);
        process_unref(p);
        process_table_free(t);
    }
}

static void a_reused_pid_is_another_process(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key first = {10, 2, 100}, second = {10, 2, 900};
    struct process_table_stats stats;
    run_exe(t, first, (struct process_key){1, 1, 1}, "/first", 0);
    run_exe(t, second, (struct process_key){1, 1, 1}, "/second", 0); /* no exit was seen */
    expect(t, first, "/first", "1:/i", true);
    expect(t, second, "/second", "1:/i", true);
    expect(t, (struct process_key){10, 2, 500}, NULL, NULL, false);
    expect(t, (struct process_key){10, 3, 900}, NULL, NULL, false);
    tell_exit(t, first, SECOND); /* late: the second lives */
    process_table_stats(t, &stats);
    assert_int_equal(stats.live, 2);
    assert_int_equal(stats.gone, 1);
    process_table_free(t);
}

static void only_the_newest_exec_lives(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key init = {1, 1, 1}, first = {10, 2, 100}, second = {10, 3, 100},
                             child = {11, 3, 200}, reused = {10, 1, 900};
    run_exe(t, first, init, "/first", 0);
    assert_true(process_table_lives(t, &first));
    assert_false(process_table_lives(t, &second));
    run_exe(t, second, init, "/second", 0);
    assert_false(process_table_lives(t, &first));
    assert_true(process_table_lives(t, &second));
    tell_fork(t, child, second);
    assert_true(process_table_lives(t, &child));
    tell_exit(t, second, SECOND);
    assert_false(process_table_lives(t, &second));
    run_exe(t, reused, init, "/third", 0);
    assert_false(process_table_lives(t, &second));
    expect(t, second, "/second", "1:/i", true);
    process_table_free(t);
}

static void another_state_of_the_same_exec(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key key = {10, 2, 100};
    run_exe(t, key, (struct process_key){1, 1, 1}, "/first", PROCESS_FOREIGN);
    struct process *p = process_table_get(t, &key);
    const struct process_state now = {
        .cgroup_id = 5, .uid = 6, .netns = 7, .mntns = 8, .userns = 9};
    struct process *then = process_at(p, &now, "six", NULL);
    const struct process_id at_exec = {key, {0}}, at_first = {key, process_state(p)},
                            at_then = {key, now}, another = {{10, 3, 100}, now};
    assert_non_null(then);
    assert_string_equal(then->exe, "/first");
    assert_string_equal(then->user, "six");
    assert_null(then->cgroup);
    assert_int_equal(then->uid, 6);
    assert_int_equal(then->mntns, 8);
    assert_true((then->known & FACT_USER) && (then->known & FACT_MNTNS));
    assert_false(then->known & FACT_CGROUP);
    assert_int_equal(then->flags, PROCESS_FOREIGN); /* of the exec */
    assert_true(process_is(p, &at_exec) && process_is(p, &at_first) && process_is(then, &at_then));
    assert_false(process_is(p, &at_then) || process_is(then, &at_first) ||
                 process_is(then, &another));
    process_unref(then);
    process_unref(p);
    process_table_free(t);
}

static void old_processes_answer_until_they_exec(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const uint64_t start = 5 * PROCESS_TICK_NS;
    const struct process_key init = {1, 1, 1}, now = {50, 7, start + 12345};
    const struct process daemon = {
        .key = {50, PROCESS_EXEC_ANY, start}, .known = FACT_EXE, .exe = "/daemon"};
    assert_int_equal(process_table_add_old(t, &daemon, &init), 0);
    assert_int_equal(process_table_add_old(t, &daemon, &init), -EEXIST);
    expect(t, now, "/daemon", "1:/i", true);
    expect(t, (struct process_key){50, 7, start + PROCESS_TICK_NS}, NULL, NULL, false);
    tell_fork(t, (struct process_key){51, 7, 2 * start}, now);
    expect(t, (struct process_key){51, 7, 2 * start}, "/daemon", "50:/daemon 1:/i", true);
    run_exe(t, (struct process_key){50, 8, now.start_ns}, none, "/new", 0);
    expect(t, (struct process_key){50, 8, now.start_ns}, "/new", "1:/i", true);
    expect(t, now, NULL, NULL, false);
    process_table_free(t);
}

static void forgotten_after_the_grace(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct process_key gone = {10, 2, 100}, held = {11, 2, 110}, tick = {9, 9, 9};
    run_exe(t, gone, none, "/gone", 0);
    run_exe(t, held, none, "/held", 0);
    struct process *hold = process_table_get(t, &held);
    tell_exit(t, gone, SECOND);
    tell_exit(t, held, SECOND);
    tell_exit(t, tick, SECOND + PROCESS_GRACE_NS - 1);
    expect(t, gone, "/gone", "", false);
    tell_exit(t, tick, SECOND + PROCESS_GRACE_NS);
    expect(t, gone, NULL, NULL, false);
    expect(t, held, "/held", "", false);
    process_unref(hold);
    tell_exit(t, tick, SECOND + 2 * PROCESS_GRACE_NS);
    expect(t, held, NULL, NULL, false);
    process_table_free(t);
}

static void memory_is_bounded_oldest_first(void **state UNUSED)
{
    const struct process_table_options o = {.max_bytes = 100000};
    struct process_table *t = process_table_new(&o);
    struct process_table_stats stats;
    const struct process_key daemon = {5, 1, 1};
    enum { N = 20000 };
    run_exe(t, daemon, none, "/daemon", 0);
    for (uint32_t i = 0; i < N; i++) {
        const struct process_key key = {1000 + i, 1, i};
        run_exe(t, key, daemon, "/short-lived", 0);
        tell_exit(t, key, SECOND);
    }
    process_table_stats(t, &stats);
    assert_int_equal(stats.live, 1);
    assert_true(stats.bytes < o.max_bytes + 1000);
    assert_int_equal(stats.evicted + stats.gone, N);
    expect(t, (struct process_key){1000, 1, 0}, NULL, NULL, false);
    expect(t, (struct process_key){1000 + N - 1, 1, N - 1}, "/short-lived", "5:/daemon", false);
    expect(t, daemon, "/daemon", "", false);
    process_table_free(t);
}

static void a_long_chain_is_not_whole(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    struct process_key parent = {1, 1, 1};
    for (uint32_t i = 0; i < 40; i++) {
        const struct process_key child = {100 + i, 1, i};
        tell_fork(t, child, parent);
        struct process *p = process_table_get(t, &child);
        assert_non_null(p);
        assert_int_equal(p->n_ancestors, MIN(i + 1, PROCESS_ANCESTORS_MAX));
        assert_int_equal((p->known & FACT_PARENTS) != 0, i < PROCESS_ANCESTORS_MAX);
        process_unref(p);
        parent = child;
    }
    process_table_free(t);
}

/* N children below as many ancestors as are kept, each with the longest of paths. */
static void deep_children(struct process_table *t, uint32_t n, char *path)
{
    struct process_key parent = {1, 1, 1};
    memset(path, '/', PROCESS_PATH_MAX - 1);
    path[PROCESS_PATH_MAX - 1] = '\0';
    for (uint32_t i = 0; i < PROCESS_ANCESTORS_MAX - 1; i++) {
        const struct process_key key = {10 + i, 1, i};
        path[1] = (char)('A' + i);
        run_exe(t, key, parent, path, 0);
        parent = key;
    }
    for (uint32_t i = 0; i < n; i++)
        tell_fork(t, (struct process_key){1000 + i, 1, i}, parent);
}

static void children_share_what_they_inherit(void **state UNUSED)
{
    enum { N = 5000 };
    static char path[PROCESS_PATH_MAX];
    const size_t before = process_memory();
    struct process_table *t = table_with_init();
    deep_children(t, N, path);
    assert_true(process_memory() - before < (size_t)N * 400);
    const struct process_key last = {1000 + N - 1, 1, N - 1};
    struct process *p = process_table_get(t, &last);
    assert_non_null(p);
    assert_string_equal(p->exe, path);
    assert_int_equal(p->n_ancestors, PROCESS_ANCESTORS_MAX);
    assert_string_equal(p->ancestors[0].exe, path);
    assert_true(p->known & FACT_PARENTS);
    process_table_free(t);
    assert_string_equal(p->ancestors[PROCESS_ANCESTORS_MAX - 1].exe, "/i"); /* outlives all */
    process_unref(p);
    assert_int_equal(process_memory(), before);
}

/* Deep paths and long arguments, all different and all alive. */
static void memory_of_the_living_is_bounded(void **state UNUSED)
{
    enum { N = 2000, BARE = 1024 };
    static char args[PROCESS_ARGS_MAX];
    const struct process_table_options o = {.max_memory = process_memory() + (1 << 20)};
    struct process_table *t = process_table_new(&o);
    struct process_table_stats stats;
    const size_t before = process_memory();
    memset(args, 'x', sizeof args - 1);
    for (uint32_t i = 0; i < N; i++) {
        const struct said s = {{10 + i, 1, i}, {9 + i, 1, i - 1}, "/e", "/w",
                               args,           sizeof args,       1,    0};
        tell_exec(t, &s, 1);
    }
    process_table_stats(t, &stats);
    assert_int_equal(stats.live, N);
    assert_true(stats.bare > 0);
    assert_true(process_memory() - before < (1 << 20) + (size_t)N * BARE);
    struct process *p = process_table_get(t, &(struct process_key){10 + N - 1, 1, N - 1});
    assert_non_null(p);
    assert_string_equal(p->exe, "/e");
    assert_int_equal(p->known & (FACT_EXE | FACT_ARGS | FACT_PARENTS), FACT_EXE);
    process_unref(p);
    process_table_free(t);
    assert_int_equal(process_memory(), before);
}

#define ARGS(s) s, sizeof(s) - 1

static void arguments_are_whole(void **state UNUSED)
{
    static const struct {
        const char *args;
        size_t len;
        unsigned argc, flags;
        size_t n;
        bool known;
    } rows[] = {
        {ARGS("curl\0-s\0"), 2, 0, 2, true},
        {ARGS(""), 0, 0, 0, true},
        {ARGS("\0\0"), 2, 0, 2, true},
        {ARGS("curl\0-s\0half"), 9, PROCESS_ARGS_CUT, 2, true},
        {ARGS("half"), 1, PROCESS_ARGS_CUT, 0, true},
        {ARGS("curl\0-s\0"), 3, 0, 0, false}, /* not what the kernel counted */
        {ARGS("curl\0-s"), 2, 0, 0, false},
        {ARGS(""), 3, PROCESS_ARGS_LOST, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct process_table *t = table_with_init();
        const struct process_key key = {10, 1, 1};
        const struct said s = {key,          none,        "/e",         "/w",
                               rows[i].args, rows[i].len, rows[i].argc, rows[i].flags};
        tell_exec(t, &s, 1);
        struct process *p = process_table_get(t, &key);
        assert_non_null(p);
        assert_int_equal(p->n_args, rows[i].n);
        assert_int_equal((p->known & FACT_ARGS) != 0, rows[i].known);
        assert_string_equal(p->cwd, "/w");
        process_unref(p);
        process_table_free(t);
    }
}

static void malformed_events_are_counted(void **state UNUSED)
{
    struct process_table *t = table_with_init();
    const struct said s = {{10, 1, 1}, none, "/e", "/w", "a\0", 2, 1, 0};
    struct process_table_stats stats;
    struct process_exec e;
    const size_t len = exec_event(&s, &e);
    for (size_t cut = 0; cut < len; cut++)
        process_table_event(t, &e, cut, 1);
    process_table_event(t, &e, len + 1, 1);
    e.exe_len = PROCESS_PATH_MAX + 1;
    process_table_event(t, &e, sizeof e, 1);
    e.head.type = 99;
    process_table_event(t, &e, len, 1);
    process_table_stats(t, &stats);
    assert_int_equal(stats.malformed, len + 3);
    assert_int_equal(stats.live, 1);
    process_table_free(t);
}

static const char *name_of(void *context, uint32_t uid)
{
    assert_ptr_equal(context, &none);
    return uid == 1000 ? "build" : NULL;
}

static const char *path_of(void *context UNUSED, uint64_t id)
{
    return id == 77 ? "/job" : NULL;
}

static void names_are_resolved(void **state UNUSED)
{
    const struct process_table_options o = {
        .user_name = name_of, .cgroup_path = path_of, .context = (void *)&none};
    struct process_table *t = process_table_new(&o);
    const struct process_key key = {10, 1, 1};
    run_exe(t, key, none, "/e", 0);
    struct process *p = process_table_get(t, &key);
    process_table_free(t); /* a record outlives the table */
    assert_string_equal(p->user, "build");
    assert_string_equal(p->cgroup, "/job");
    assert_true(p->known & FACT_CGROUP);
    process_unref(p);
}

static const struct unit_test tests[] = {
    REPORT("P07", chain_outlives_parents),
    REPORT("P07", unknown_parents_stay_unknown),
    REPORT("P04", doubtful_executables_vouch_for_nobody),
    REPORT("P02", a_reused_pid_is_another_process),
    REPORT("P04", only_the_newest_exec_lives),
    REPORT("P07", another_state_of_the_same_exec),
    REPORT("-", old_processes_answer_until_they_exec),
    REPORT("-", forgotten_after_the_grace),
    REPORT("P06", memory_is_bounded_oldest_first),
    REPORT("-", a_long_chain_is_not_whole),
    REPORT("R07", children_share_what_they_inherit),
    REPORT("R07", memory_of_the_living_is_bounded),
    REPORT("P05", arguments_are_whole),
    REPORT("R09", malformed_events_are_counted),
    REPORT("-", names_are_resolved),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
