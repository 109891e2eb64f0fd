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
#include <bpf/bpf_tracing.h>

#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

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
    struct user_namespace *s_user_ns;
};

struct inode {
    struct super_block *i_sb;
    unsigned long i_ino;
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
