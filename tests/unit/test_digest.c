/* SPDX-License-Identifier: MIT
 * When a file is proven to be what was executed, and what is remembered of it. */
#include "attribution/digest_cache.h"
#include "attribution/executable.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "unit/report.h"

#define SECOND UINT64_C(1000000000)
/* The exec, by the real-time clock, and how far that is from the boot's. */
#define EXEC    (1000 * SECOND)
#define BOOTED  (900 * SECOND)
#define HALF    (SECOND / 2)
#define MINUTES (60 * SECOND)

static struct process ran(uint32_t fs, uint64_t ctime_ns)
{
    return (struct process){
        .known = FACT_EXE,
        .uid = 1000,
        .file = {.ino = 7, .size = 100, .ctime_ns = ctime_ns, .dev = 3, .fs = fs},
        .exec_ns = EXEC - BOOTED};
}

static void what_can_prove_it(void **state UNUSED)
{
    static const struct {
        uint32_t fs;
        uint64_t ctime_ns;
        enum exe_proof proof;
    } rows[] = {
        {EXT4_SUPER_MAGIC, EXEC - MINUTES + 1, EXE_BY_CTIME},
        {XFS_SUPER_MAGIC, EXEC - MINUTES + 1, EXE_BY_CTIME},
        {EXT4_SUPER_MAGIC, EXEC - HALF, EXE_BY_CTIME},
        /* Another change might have had the same time. */
        {EXT4_SUPER_MAGIC, EXEC - 99999999, EXE_WHILE_IT_RUNS},
        {EXT4_SUPER_MAGIC, EXEC + 1, EXE_WHILE_IT_RUNS},
        {EXT4_SUPER_MAGIC, EXEC + MINUTES + 1, EXE_WHILE_IT_RUNS},
        /* Whole seconds may be all that the filesystem has. */
        {EXT4_SUPER_MAGIC, EXEC - SECOND, EXE_WHILE_IT_RUNS},
        {EXT4_SUPER_MAGIC, EXEC - 2 * SECOND, EXE_WHILE_IT_RUNS},
        {EXT4_SUPER_MAGIC, EXEC - 3 * SECOND, EXE_BY_CTIME},
        {EXT4_SUPER_MAGIC, 0, EXE_WHILE_IT_RUNS},
        /* Written to through memory without a change time. */
        {TMPFS_MAGIC, EXEC - MINUTES + 1, EXE_WHILE_IT_RUNS},
        {OVERLAYFS_SUPER_MAGIC, EXEC - MINUTES + 1, EXE_WHILE_IT_RUNS},
        /* Served by somebody who may serve each reader something else. */
        {FUSE_SUPER_MAGIC, EXEC - MINUTES + 1, EXE_NO_PROOF},
        {NFS_SUPER_MAGIC, EXEC - MINUTES + 1, EXE_NO_PROOF},
        {0, EXEC - MINUTES + 1, EXE_NO_PROOF},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct process p = ran(rows[i].fs, rows[i].ctime_ns);
        if (exe_proof(&p, (int64_t)BOOTED) != rows[i].proof)
            fail_msg("row %zu", i);
    }
}

static void who_is_asked_for_in_vain(void **state UNUSED)
{
    struct process p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_BY_CTIME);
    p.flags = PROCESS_FOREIGN;
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_NO_PROOF);
    p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    p.known = 0; /* a memfd, an unlinked file, one that cannot be reached */
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_NO_PROOF);
    p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    p.from_proc = true;
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_NO_PROOF);
    p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    p.exec_ns = 0;
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_NO_PROOF);
    p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    p.uid = 0; /* may write to what is root's */
    assert_int_equal(exe_proof(&p, (int64_t)BOOTED), EXE_WHILE_IT_RUNS);
}

static void what_proves_it(void **state UNUSED)
{
    enum { SAME, CTIME, SIZE, INODE, DEVICE };
    static const struct {
        enum exe_proof proof;
        int before, after; /* what is different */
        bool running, lives, roots;
        enum exe_proof by;
    } rows[] = {
        {EXE_BY_CTIME, SAME, SAME, false, false, true, EXE_BY_CTIME},
        {EXE_BY_CTIME, CTIME, CTIME, false, false, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, SAME, CTIME, false, false, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, CTIME, CTIME, true, true, true, EXE_WHILE_IT_RUNS}, /* renamed, say */
        {EXE_BY_CTIME, CTIME, CTIME, true, false, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, CTIME, CTIME, false, true, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, SIZE, SIZE, true, true, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, SAME, SIZE, true, true, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, INODE, INODE, true, true, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, DEVICE, DEVICE, false, false, true, EXE_NO_PROOF},
        {EXE_WHILE_IT_RUNS, SAME, SAME, true, true, true, EXE_WHILE_IT_RUNS},
        {EXE_WHILE_IT_RUNS, CTIME, CTIME, true, true, true, EXE_WHILE_IT_RUNS},
        {EXE_WHILE_IT_RUNS, SAME, SAME, true, false, true, EXE_NO_PROOF},
        {EXE_WHILE_IT_RUNS, SAME, SAME, false, true, true, EXE_NO_PROOF},
        {EXE_WHILE_IT_RUNS, SAME, SAME, false, false, true, EXE_NO_PROOF},
        {EXE_WHILE_IT_RUNS, INODE, INODE, true, true, true, EXE_NO_PROOF},
        {EXE_NO_PROOF, SAME, SAME, true, true, true, EXE_NO_PROOF},
        {EXE_BY_CTIME, SAME, SAME, true, true, true, EXE_BY_CTIME},
        /* Blocks may have been moved into it by who may write to it. */
        {EXE_BY_CTIME, SAME, SAME, false, false, false, EXE_NO_PROOF},
        {EXE_BY_CTIME, SAME, SAME, true, true, false, EXE_WHILE_IT_RUNS},
    };
    const struct process p = ran(EXT4_SUPER_MAGIC, EXEC - MINUTES + 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct exe_seen seen = {p.file, p.file, rows[i].running, rows[i].roots};
        struct exe_file *files[] = {&seen.before, &seen.after};
        const int differences[] = {rows[i].before, rows[i].after};
        for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
            files[k]->fs = 0;
            files[k]->ctime_ns += differences[k] == CTIME;
            files[k]->size += differences[k] == SIZE;
            files[k]->ino += differences[k] == INODE;
            files[k]->dev += differences[k] == DEVICE;
        }
        if (exe_proven_by(&p, rows[i].proof, &seen, rows[i].lives) != rows[i].by)
            fail_msg("row %zu", i);
    }
}

static void devices_as_the_kernel_has_them(void **state UNUSED)
{
    assert_int_equal(exe_dev(makedev(8, 1)), 8 << 20 | 1);
    assert_int_equal(exe_dev(makedev(259, 70000)), 259 << 20 | 70000);
}

static void hex_of(size_t n, char out[DIGEST_HEX + 1])
{
    snprintf(out, DIGEST_HEX + 1, "%064zx", n);
}

static void what_is_remembered(void **state UNUSED)
{
    static struct digest_cache cache;
    struct exe_file file = {.ino = 1, .size = 2, .ctime_ns = 3, .dev = 4, .fs = 5};
    const struct exe_file other[] = {{9, 2, 3, 4, 5}, {1, 9, 3, 4, 5}, {1, 2, 9, 4, 5},
                                     {1, 2, 3, 9, 5}, {1, 2, 3, 4, 9}, {0}};
    char hex[DIGEST_HEX + 1], later[DIGEST_HEX + 1];
    assert_null(digest_cache_find(&cache, &file));
    hex_of(1, hex);
    digest_cache_add(&cache, &file, hex);
    assert_string_equal(digest_cache_find(&cache, &file), hex);
    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        assert_null(digest_cache_find(&cache, &other[i]));
    /* The oldest gives way; one that is known takes no second place. */
    for (size_t i = 0; i < 3; i++)
        digest_cache_add(&cache, &file, hex);
    for (size_t i = 2; i <= DIGEST_CACHE_MAX; i++) {
        file.ino = i;
        hex_of(i, later);
        digest_cache_add(&cache, &file, later);
    }
    file.ino = 1;
    assert_string_equal(digest_cache_find(&cache, &file), hex);
    file.ino = DIGEST_CACHE_MAX + 1;
    digest_cache_add(&cache, &file, later);
    assert_string_equal(digest_cache_find(&cache, &file), later);
    file.ino = 1;
    assert_null(digest_cache_find(&cache, &file));
}

int main(void)
{
    const struct unit_test tests[] = {
        REPORT("P04", what_can_prove_it),  REPORT("P04", who_is_asked_for_in_vain),
        REPORT("P04", what_proves_it),     REPORT("-", devices_as_the_kernel_has_them),
        REPORT("P04", what_is_remembered),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
