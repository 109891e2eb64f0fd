/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * The kernel's types, only the fields that we read. Offsets are filled in at load from the BTF of
 * the running kernel (CO-RE), so the build needs no kernel headers and is the same on every
 * architecture; the order of fields here means nothing. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Where a kprobe finds the arguments of the call. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long di, si, dx, cx, r8;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
    __u64 regs[31];
};
struct pt_regs {
    struct user_pt_regs user_regs;
};
#endif

typedef struct {
    int counter;
} atomic_t;

typedef struct {
    long long counter;
} atomic64_t;

typedef struct {
    unsigned int val;
} kuid_t;

struct ns_common {
    unsigned int inum;
};

struct user_namespace {
    int level;
    struct ns_common ns;
};

struct pid_namespace {
    struct ns_common ns;
};

struct mnt_namespace {
    struct ns_common ns;
    struct user_namespace *user_ns;
};

struct net {
    struct ns_common ns;
    __u64 net_cookie;
};

struct nsproxy {
    struct mnt_namespace *mnt_ns;
    struct net *net_ns;
};

struct cred {
    kuid_t uid;
    struct user_namespace *user_ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct qstr {
    __u32 len;
    const unsigned char *name;
};

struct hlist_bl_node {
    struct hlist_bl_node **pprev;
};

struct dentry {
    struct hlist_bl_node d_hash;
    struct dentry *d_parent;
    struct qstr d_name;
};

struct vfsmount {
    struct dentry *mnt_root;
};

struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
    struct mnt_namespace *mnt_ns;
};

struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};

struct fs_struct {
    struct path root, pwd;
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
    struct user_namespace *s_user_ns;
};

struct inode {
    struct super_block *i_sb;
    unsigned long i_ino;
    long long i_size;
};

struct timespec64 {
    __s64 tv_sec;
    long tv_nsec;
};

/* The change time has had three names: this one until 6.5, … */
struct inode___until_6_5 {
    struct timespec64 i_ctime;
};

/* … from 6.6 on a private one, so that all go by functions that a finer clock could stand behind, …
 */
struct inode___from_6_6 {
    struct timespec64 __i_ctime;
};

/* … and from 6.11 on two parts without padding. */
struct inode___from_6_11 {
    __s64 i_ctime_sec;
    __u32 i_ctime_nsec;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
};

struct linux_binprm {
    struct file *file;
    int argc;
};

struct mm_struct {
    unsigned long arg_start, arg_end;
};

struct kernfs_node {
    __u64 id;
};

struct cgroup {
    struct kernfs_node *kn;
};

struct css_set {
    struct cgroup *dfl_cgrp;
};

struct sk_buff {
    unsigned char *head;
    __u16 transport_header, network_header;
};

struct signal_struct {
    atomic_t live;
};

struct task_struct {
    unsigned int flags;
    int pid, tgid;
    struct task_struct *real_parent, *group_leader;
    struct pid *thread_pid;
    __u64 start_boottime, self_exec_id;
    const struct cred *cred;
    struct nsproxy *nsproxy;
    struct fs_struct *fs;
    struct mm_struct *mm;
    struct signal_struct *signal;
    struct css_set *cgroups;
};

#pragma clang attribute pop

/* The registers above have the kernel's names for them, as a generated vmlinux.h has. */
#define __VMLINUX_H__
#include <bpf/bpf_tracing.h>

/* From 6.13 on the highest bit of i_ctime_nsec says that somebody has looked (I_CTIME_QUERIED). */
#define CTIME_NSEC_BITS 0x7fffffff

/* In ns of the real-time clock; 0 where this kernel has a fourth name for it. */
static __always_inline __u64 inode_ctime_ns(const struct inode *inode)
{
    const struct inode___from_6_11 *new = (const void *)inode;
    const struct inode___from_6_6 *middle = (const void *)inode;
    const struct inode___until_6_5 *old = (const void *)inode;
    __u64 seconds, ns;
    if (bpf_core_field_exists(new->i_ctime_sec)) {
        seconds = BPF_CORE_READ(new, i_ctime_sec);
        ns = BPF_CORE_READ(new, i_ctime_nsec) & CTIME_NSEC_BITS;
    } else if (bpf_core_field_exists(middle->__i_ctime)) {
        seconds = BPF_CORE_READ(middle, __i_ctime.tv_sec);
        ns = BPF_CORE_READ(middle, __i_ctime.tv_nsec);
    } else if (bpf_core_field_exists(old->i_ctime)) {
        seconds = BPF_CORE_READ(old, i_ctime.tv_sec);
        ns = BPF_CORE_READ(old, i_ctime.tv_nsec);
    } else {
        return 0;
    }
    return seconds * 1000000000 + ns;
}
