/* SPDX-License-Identifier: MIT
 * A record survives the way to another role, and nothing else is taken for one. */
#include "attribution/process.h"

#include "unit/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const some_args[] = {"curl", "", "--silent"};
static const struct process_ancestor some_ancestors[] = {{7, "/usr/bin/bash"}, {1, NULL}};

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct process full = {
    .count = 1,
    .key = {42, 3, 123456789},
    .known = FACT_EXE | FACT_ARGS | FACT_PARENTS | FACT_CGROUP | FACT_USER | FACT_SHA256,
    .flags = PROCESS_FOREIGN,
    .ns_pid = 5,
    .uid = 1000,
    .netns = 11,
    .mntns = 12,
    .userns = 13,
    .sha256 = DIGEST,
    .exe = "/usr/bin/curl",
    .cwd = "/",
    .user = "build",
    .cgroup = "/job",
    .args = some_args,
    .n_args = ARRAY_SIZE(some_args),
    .args_total = 15,
    .ancestors = some_ancestors,
    .n_ancestors = ARRAY_SIZE(some_ancestors),
};
static const struct process empty = {.count = 1};

static void packed(const struct process *p, struct buffer *out)
{
    buffer_init(out);
    process_pack(p, out);
    assert_false(buffer_failed(out));
    assert_true(out->len <= PROCESS_PACK_MAX);
}

static struct process *there_and_back(const struct process *p)
{
    CLEANUP_BUFFER struct buffer b;
    packed(p, &b);
    struct process *back = process_unpack(b.data, b.len);
    assert_non_null(back);
    return back;
}

static void same_after_the_way(void **state UNUSED)
{
    static const struct process *const records[] = {&full, &empty};
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        CLEANUP_BUFFER struct buffer b;
        CLEANUP_BUFFER struct buffer again;
        packed(records[i], &b);
        struct process *back = process_unpack(b.data, b.len);
        assert_non_null(back);
        packed(back, &again);
        assert_int_equal(b.len, again.len);
        assert_memory_equal(b.data, again.data, b.len);
        process_unref(back);
    }
    struct process *back = there_and_back(&full);
    assert_string_equal(back->exe, "/usr/bin/curl");
    assert_string_equal(back->sha256, DIGEST);
    assert_string_equal(back->args[2], "--silent");
    assert_int_equal(back->ancestors[0].pid, 7);
    assert_null(back->ancestors[1].exe);
    assert_int_equal(back->key.start_ns, full.key.start_ns);
    process_unref(back);
}

/* Against a guard page, so that a read behind the end is seen. */
static void every_truncation_is_refused(void **state UNUSED)
{
    CLEANUP_BUFFER struct buffer b;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    packed(&full, &b);
    assert_true(b.len < page);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t len = 0; len < b.len; len++) {
        memcpy(pages + page - len, b.data, len);
        errno = 0;
        assert_null(process_unpack(pages + page - len, len));
        assert_int_equal(errno, EBADMSG);
    }
    munmap(pages, 2 * page);
    buffer_add_char(&b, 'x');
    assert_null(process_unpack(b.data, b.len));
}

/* Every byte set to every value: refused, or the record that these bytes are. */
static void no_byte_is_trusted(void **state UNUSED)
{
    CLEANUP_BUFFER struct buffer b;
    packed(&full, &b);
    for (size_t i = 0; i < b.len; i++) {
        const char before = b.data[i];
        for (int v = 0; v < 256; v += 5) {
            CLEANUP_BUFFER struct buffer again;
            b.data[i] = (char)v;
            struct process *p = process_unpack(b.data, b.len);
            if (!p)
                continue;
            packed(p, &again);
            assert_int_equal(again.len, b.len);
            assert_memory_equal(again.data, b.data, b.len);
            process_unref(p);
        }
        b.data[i] = before;
    }
}

static char *filled(size_t len, char c)
{
    char *s = malloc(len + 1);
    assert_non_null(s);
    memset(s, c, len);
    s[0] = '/';
    s[len] = '\0';
    return s;
}

static void cut_to_fit(void **state UNUSED)
{
    const char *many[4096];
    struct process_ancestor chain[PROCESS_ANCESTORS_MAX];
    char *path = filled(PROCESS_PATH_MAX - 1, 'p'), *longer = filled(5000, 'l');
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = "abcdefgh";
    for (size_t i = 0; i < ARRAY_SIZE(chain); i++)
        chain[i] = (struct process_ancestor){(uint32_t)i, path};
    struct process big = full;
    big.args = many;
    big.n_args = ARRAY_SIZE(many);
    struct process *back = there_and_back(&big);
    assert_true(back->flags & PROCESS_ARGS_CUT);
    assert_true(back->n_args > 0 && back->n_args < big.n_args);
    assert_int_equal(back->n_ancestors, full.n_ancestors);
    assert_true(back->known & FACT_PARENTS);
    process_unref(back);

    big.ancestors = chain;
    big.n_ancestors = ARRAY_SIZE(chain);
    back = there_and_back(&big);
    assert_true(back->n_ancestors > 0 && back->n_ancestors < big.n_ancestors);
    assert_false(back->known & FACT_PARENTS);
    process_unref(back);

    big = full;
    big.exe = longer;
    big.cgroup = "relative";
    back = there_and_back(&big);
    assert_null(back->exe);
    assert_null(back->cgroup);
    assert_false(back->known & (FACT_EXE | FACT_CGROUP));
    process_unref(back);
    free(path);
    free(longer);
}

static void view_shows_what_is_known(void **state UNUSED)
{
    const char *parents[PROCESS_ANCESTORS_MAX];
    struct event_process view;
    struct process p = full;
    process_event_view(&p, parents, &view);
    assert_true(view.foreign);
    assert_string_equal(view.exe, p.exe);
    assert_int_equal(view.n_args, 3);
    assert_false(view.args_cut);
    assert_int_equal(view.n_parents, 1); /* the other one's path is not known */
    assert_string_equal(view.parents[0], "/usr/bin/bash");
    p.known &= ~(unsigned)FACT_EXE;
    p.flags = PROCESS_ARGS_CUT | PROCESS_EXE_DELETED;
    process_event_view(&p, parents, &view);
    assert_null(view.exe);
    assert_true(view.args_cut);
    assert_false(view.foreign);
}

static const struct unit_test tests[] = {
    REPORT("-", same_after_the_way),         REPORT("R09", every_truncation_is_refused),
    REPORT("R09", no_byte_is_trusted),       REPORT("-", cut_to_fit),
    REPORT("P04", view_shows_what_is_known),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
