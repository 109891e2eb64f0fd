/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * A path as the kernel holds it, walked from the leaf up to the root of the task's mount namespace.
 * Not to the task's root: under chroot that gives a clean path that is a lie. bpf_d_path is not
 * allowed in these hooks, and a bounded `for` passes the verifier's limit at 48 steps. */
#pragma once

#include "bpf/common.h"

enum {
    EXEC_PROGRAMS = 4, /* see process.h */
    PATH_STEPS = 600,  /* a path of PROCESS_PATH_MAX has at most 512 components, then mounts */
    NAME_LEN_MAX = 255,
};

enum walk_end { WALK_RUNNING, WALK_DONE, WALK_CUT, WALK_UNREACHABLE };

struct walk {
    struct dentry *dentry, *root_dentry;
    struct vfsmount *mnt, *root_mnt;
    struct mnt_namespace *mntns;
    __u32 off; /* the path so far is buf[off .. PROCESS_PATH_MAX) */
    __u32 passed_root;
    __u32 program; /* whose walk it is: its place in walks */
    enum walk_end end;
    char
        buf[PROCESS_PATH_MAX + NAME_LEN_MAX + 1]; /* the verifier wants room behind the last name */
};

/* One for each program that walks: it may be preempted, and another walk on the same processor. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EXEC_PROGRAMS);
    __type(key, __u32);
    __type(value, struct walk);
} walks SEC(".maps");

/* From the root of a mount to the place where it is mounted. */
static __always_inline void walk_mount(struct walk *w, struct vfsmount *mnt)
{
    struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
    struct mount *parent = BPF_CORE_READ(m, mnt_parent);
    if (parent == m) {
        w->end = BPF_CORE_READ(m, mnt_ns) == w->mntns ? WALK_DONE : WALK_UNREACHABLE;
        return;
    }
    w->dentry = BPF_CORE_READ(m, mnt_mountpoint);
    w->mnt = (void *)parent + bpf_core_field_offset(struct mount, mnt);
}

static __always_inline void walk_name(struct walk *w, struct dentry *dentry)
{
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
    __u32 len = BPF_CORE_READ(dentry, d_name.len), off = w->off;
    if (len > NAME_LEN_MAX || off > PROCESS_PATH_MAX || len + 1 > off) {
        w->end = WALK_CUT;
        return;
    }
    off = (off - len - 1) & (PROCESS_PATH_MAX - 1);
    w->buf[off] = '/';
    CLAMP(len, NAME_LEN_MAX);
    bpf_probe_read_kernel(w->buf + off + 1, len, BPF_CORE_READ(dentry, d_name.name));
    w->off = off;
    if (parent == dentry) /* a root that is no mount's: memfd, detached */
        w->end = WALK_UNREACHABLE;
    w->dentry = parent;
}

static long walk_step(__u32 index, void *context)
{
    struct walk *w = bpf_map_lookup_elem(&walks, context);
    if (!w)
        return 1;
    struct dentry *dentry = w->dentry;
    struct vfsmount *mnt = w->mnt;
    if (dentry == w->root_dentry && mnt == w->root_mnt)
        w->passed_root = 1;
    if (dentry == BPF_CORE_READ(mnt, mnt_root))
        walk_mount(w, mnt);
    else
        walk_name(w, dentry);
    return w->end != WALK_RUNNING;
}

/* Leaves the path in w->buf; w->end says how far to believe it. */
static __always_inline void walk_path(struct walk *w, const struct path *path,
                                      const struct fs_struct *fs, struct mnt_namespace *mntns)
{
    __u32 program = w->program;
    w->dentry = BPF_CORE_READ(path, dentry);
    w->mnt = BPF_CORE_READ(path, mnt);
    w->root_dentry = BPF_CORE_READ(fs, root.dentry);
    w->root_mnt = BPF_CORE_READ(fs, root.mnt);
    w->mntns = mntns;
    w->off = PROCESS_PATH_MAX;
    w->passed_root = 0;
    w->end = WALK_RUNNING;
    bpf_loop(PATH_STEPS, walk_step, &program, 0);
    if (w->end == WALK_RUNNING)
        w->end = WALK_CUT;
    if (w->off == PROCESS_PATH_MAX) {
        w->off = PROCESS_PATH_MAX - 1;
        w->buf[PROCESS_PATH_MAX - 1] = '/';
    }
}

/* d_unhashed() */
static __always_inline int walk_unlinked(const struct path *path)
{
    return !BPF_CORE_READ(path, dentry, d_hash.pprev);
}
