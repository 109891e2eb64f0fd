/* SPDX-License-Identifier: MIT
 * Two proofs, and what each rests on. Whoever executes a file may be who wants it to pass for
 * another, so nothing that its owner could set is among them. */
#include "attribution/executable.h"

#include <linux/magic.h>
#include <stddef.h>
#include <sys/sysmacros.h>

/* Below these there is no server that could answer the reader otherwise than the one who executes,
 * and stat(2) tells the inode as the kernel has it (that of btrfs names subvolumes instead). On
 * tmpfs pages that were mapped for writing are written to without a change time; below an overlay
 * may lie a tmpfs. */
static const struct {
    uint32_t magic;
    enum exe_proof proof;
} filesystems[] = {
    {EXT4_SUPER_MAGIC, EXE_BY_CTIME}, /* ext2 and ext3 too */
    {XFS_SUPER_MAGIC, EXE_BY_CTIME},
    {F2FS_SUPER_MAGIC, EXE_BY_CTIME},
    {SQUASHFS_MAGIC, EXE_BY_CTIME},
    {EROFS_SUPER_MAGIC_V1, EXE_BY_CTIME},
    {TMPFS_MAGIC, EXE_WHILE_IT_RUNS},
    {RAMFS_MAGIC, EXE_WHILE_IT_RUNS},
    {OVERLAYFS_SUPER_MAGIC, EXE_WHILE_IT_RUNS},
};

enum {
    SECOND_NS = 1000000000,
    /* Times of files come from a clock that moves by the tick, 10 ms at the coarsest. */
    TICKS_NS = 100000000,
};

/* A change after the exec has a later time than this one, whatever the clock's grain. A time
 * without fractions may be that of a filesystem that has none (ext3, ext4 with small inodes). */
static bool is_settled(uint64_t ctime_ns, uint64_t exec_ns)
{
    const uint64_t grain = ctime_ns % SECOND_NS ? TICKS_NS : 2ull * SECOND_NS;
    return ctime_ns && exec_ns > grain && ctime_ns < exec_ns - grain;
}

enum exe_proof exe_proof(const struct process *p, int64_t real_minus_boot)
{
    enum exe_proof proof = EXE_NO_PROOF;
    /* An unreachable one may be a memfd, which can be written to while it runs. */
    if (!(p->known & FACT_EXE) || (p->flags & PROCESS_FOREIGN) || p->from_proc || !p->exec_ns)
        return EXE_NO_PROOF;
    for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
        if (filesystems[i].magic == p->file.fs)
            proof = filesystems[i].proof;
    /* Root's files are no proof against root. */
    if (proof == EXE_BY_CTIME &&
        (p->uid == 0 || !is_settled(p->file.ctime_ns, p->exec_ns + (uint64_t)real_minus_boot)))
        proof = EXE_WHILE_IT_RUNS;
    return proof;
}

static bool same_inode(const struct exe_file *a, const struct exe_file *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size;
}

enum exe_proof exe_proven_by(const struct process *p, enum exe_proof proof,
                             const struct exe_seen *seen, bool lives)
{
    const struct exe_file *file = &p->file;
    if (proof == EXE_NO_PROOF || !same_inode(file, &seen->before) ||
        !same_inode(file, &seen->after))
        return EXE_NO_PROOF;
    /* A change of owner or mode sets the change time too, so they were at exec what they are. */
    if (proof == EXE_BY_CTIME && seen->roots && seen->before.ctime_ns == file->ctime_ns &&
        seen->after.ctime_ns == file->ctime_ns)
        return EXE_BY_CTIME;
    return lives && seen->running ? EXE_WHILE_IT_RUNS : EXE_NO_PROOF;
}

uint32_t exe_dev(uint64_t st_dev)
{
    enum { MINOR_BITS = 20 };
    return major(st_dev) << MINOR_BITS | minor(st_dev);
}
