/* SPDX-License-Identifier: MIT
 * Small parts of the keeper: what a role is handed, users' names, the caller's variables, what
 * /proc says of a process, and text that a terminal is shown. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/say.h"
#include "keeper/caller.h"
#include "keeper/cgroup.h"
#include "keeper/proc_stat.h"
#include "keeper/roles.h"
#include "keeper/users.h"
#include "unit/report.h"

/* A role with less than it was meant to have would judge by another policy. */
static void test_no_setting_is_lost(void **state)
{
    struct role_start start = {.role = "proxy", .executable_fd = -1, .netns_fd = -1};
    struct error error = {0};
    (void)state;
    for (int i = 0; i < ROLE_NAMES_MAX; i++)
        role_start_setting(&start, "policy=%0200d", i);
    assert_int_equal(start.failed, 0);
    assert_int_equal(strlen(start.settings[ROLE_NAMES_MAX - 1]), strlen("policy=") + 200);
    role_start_setting(&start, "one=more");
    assert_int_equal(role_spawn(&start, &error), -E2BIG);
    assert_non_null(strstr(error.text, "proxy"));
    role_start_release(&start);

    struct role_start many = {.role = "proxy", .executable_fd = -1, .netns_fd = -1};
    for (int i = 0; i <= ROLE_NAMES_MAX; i++)
        role_start_fd(&many, 0, "policy-%d", i);
    assert_int_equal(role_spawn(&many, &error), -E2BIG);
    role_start_release(&many);
}

static void test_users_are_asked_for_once(void **state)
{
    struct users users = {0};
    (void)state;
    users_add(&users, 1, "not-what-the-file-says");
    assert_string_equal(users_name(&users, 1), "not-what-the-file-says");
    assert_string_equal(users_name(&users, 0), "root");
    assert_string_equal(users_name(&users, 0), "root");
    assert_null(users_name(&users, 4000000000u));
    assert_null(users_name(&users, 4000000000u));
    assert_int_equal(users.n, 3);
    for (uint32_t uid = 0; uid < 3 * USERS_MAX; uid++)
        users_add(&users, 4000000000u + uid, NULL);
    assert_string_equal(users_name(&users, 0), "root");
    users_release(&users);
}

static void test_the_callers_variables(void **state)
{
    char a[] = "GITHUB_REPOSITORY_ID=7", b[] = "GITHUB_REPOSITORY=them/theirs", c[] = "EMPTY=";
    char *environment[] = {a, b, c, NULL};
    const struct caller caller = {.environment = environment};
    (void)state;
    assert_string_equal(caller_getenv(&caller, "GITHUB_REPOSITORY"), "them/theirs");
    assert_string_equal(caller_getenv(&caller, "EMPTY"), "");
    assert_null(caller_getenv(&caller, "GITHUB"));
    assert_null(caller_getenv(&(struct caller){0}, "EMPTY"));
}

/* Anybody chooses the name that stands in the line. */
static void test_a_name_cannot_lie(void **state)
{
    struct proc_stat before, after;
    char old[17] = "";
    (void)state;
    prctl(PR_GET_NAME, old);
    assert_int_equal(proc_stat_read(getpid(), &before), 0);
    prctl(PR_SET_NAME, "x) R 1 1 1 1 1");
    assert_int_equal(proc_stat_read(getpid(), &after), 0);
    prctl(PR_SET_NAME, old);
    assert_int_equal(before.parent, getppid());
    assert_int_equal(after.parent, getppid());
    assert_true(before.start_ticks > 0 && before.start_ticks == after.start_ticks);
    assert_int_equal(proc_stat_read(1 << 29, &after), -ENOENT);
}

static void shown(const char *text, size_t len, const char *expected)
{
    char *got = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&got, &size);
    assert_non_null(f);
    say_safely(f, text, len);
    fclose(f);
    assert_string_equal(got, expected);
    free(got);
}

static void test_no_byte_commands_a_terminal(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"plain", "plain"},
        {"\033[2J\n\t\177", "\\x1b[2J\\x0a\\x09\\x7f"},
        {"caf\303\251 \342\206\222 \360\237\230\200", "caf\303\251 \342\206\222 \360\237\230\200"},
        {"\233\062J", "\\x9b2J"},                                /* C1 as one byte */
        {"\302\233\062J", "\\xc2\\x9b2J"},                       /* and as UTF-8 */
        {"\342\200\256gnp", "\\xe2\\x80\\xaegnp"},               /* right to left from here */
        {"\342\201\246x", "\\xe2\\x81\\xa6x"},                   /* isolate */
        {"\330\234x", "\\xd8\\x9cx"},                            /* Arabic letter mark */
        {"\300\257 \340\200\257", "\\xc0\\xaf \\xe0\\x80\\xaf"}, /* overlong */
        {"\355\240\200", "\\xed\\xa0\\x80"},                     /* a surrogate */
        {"\364\220\200\200 \370\210", "\\xf4\\x90\\x80\\x80 \\xf8\\x88"},
        {"\303", "\\xc3"}, /* cut */
        {"\342\206x", "\\xe2\\x86x"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        shown(rows[i].text, strlen(rows[i].text), rows[i].expected);
    shown("\303\251", 1, "\\xc3");
    shown("a\0b", 3, "a\\x00b");
}

static void test_a_path_tells_of_its_run(void **state)
{
    static const struct {
        const char *path, *id;
    } rows[] = {
        {"/", NULL},
        {"/user.slice/session-1.scope", NULL},
        {"/egress-filter-0123456789abcdef", "0123456789abcdef"},
        {"/a.slice/egress-filter-0123456789abcdef/below", "0123456789abcdef"},
        {"/egress-filter-x/egress-filter-0123456789abcdef", "0123456789abcdef"},
        {"/egress-filter-0123456789abcde", NULL},   /* too short */
        {"/egress-filter-0123456789abcdef0", NULL}, /* too long */
        {"/egress-filter-0123456789ABCDEF", NULL},
        {"/my-egress-filter-0123456789abcdef", NULL},
        {"/egress-filter-", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *found = cgroup_run_in(rows[i].path);
        assert_int_equal(found != NULL, rows[i].id != NULL);
        if (found)
            assert_memory_equal(found, rows[i].id, strlen(rows[i].id));
    }
}

static const struct unit_test tests[] = {
    REPORT("-", test_no_setting_is_lost),
    REPORT("-", test_users_are_asked_for_once),
    REPORT("-", test_the_callers_variables),
    REPORT("P05", test_a_name_cannot_lie),
    REPORT("R09", test_no_byte_commands_a_terminal),
    REPORT("-", test_a_path_tells_of_its_run),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
