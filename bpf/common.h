/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * What all parts in the kernel share: the settings, the rings to the keeper, and who is running. */
#pragma once

#include "bpf/kernel.h"

#include "bpf/attribution.h"

enum {
    RING_BYTES = 8 << 20,
    REFUSALS_BYTES = 128 << 10,
    FLOWS_MAX = 65536,
    TOLD_MAX = 8192, /* a power of two */
};

const volatile struct attribution_settings settings;

struct attribution_lost lost;

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RING_BYTES);
} ring SEC(".maps");

/* A ring of their own for what the guard refused: a loop of refused calls costs its process next
 * to nothing, and must not take the place of what processes are. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, REFUSALS_BYTES);
} refusals SEC(".maps");

/* Keeps v at most max in this very register: clang moves a check in C away from the helper that
 * the verifier wants it at. */
#define CLAMP(v, max) asm volatile("if %0 <= %1 goto +1\n\t%0 = %1" : "+r"(v) : "i"(max))

/* The keeper asks every few milliseconds anyway, and a wake-up costs more than the hook: it is
 * woken only when the ring fills up. */
static __always_inline void ring_send(void *event, __u64 len)
{
    __u64 flags = BPF_RB_NO_WAKEUP;
    if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > RING_BYTES / 2)
        flags = BPF_RB_FORCE_WAKEUP;
    if (bpf_ringbuf_output(&ring, event, len, flags))
        __sync_fetch_and_add(&lost.processes, 1);
}

/* Wakes nobody: who is refused need not be told of at once. */
static __always_inline void refusal_send(void *event, __u64 len, __u64 *left_out)
{
    if (bpf_ringbuf_output(&refusals, event, len, BPF_RB_NO_WAKEUP))
        __sync_fetch_and_add(left_out, 1);
}

/* Whether the current task is in the cgroup that is followed. */
static __always_inline int followed(void)
{
    return !settings.cgroup_id ||
           bpf_get_current_ancestor_cgroup_id(settings.cgroup_level) == settings.cgroup_id;
}

static __always_inline void process_key_of(const struct task_struct *task, struct process_key *key)
{
    key->pid = task->tgid;
    key->exec_id = task->self_exec_id;
    key->start_ns = task->group_leader->start_boottime;
}

static __always_inline int same_process(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->exec_id == b->exec_id && a->start_ns == b->start_ns;
}

/* In cgroup v2. The helper for it is not offered to sockops everywhere. */
static __always_inline __u64 cgroup_id_of(const struct task_struct *task)
{
    return task->cgroups->dfl_cgrp->kn->id;
}

/* Who is running now. Threads of the kernel own nothing: what they do, they do for others. */
static __always_inline int owner_of_current(struct flow_owner *owner)
{
    const struct task_struct *task = bpf_get_current_task_btf();
    if (task->flags & PF_KTHREAD)
        return -1;
    process_key_of(task, &owner->process);
    owner->cgroup_id = cgroup_id_of(task);
    owner->uid = task->cred->uid.val;
    owner->netns = task->nsproxy->net_ns->ns.inum;
    owner->mntns = task->nsproxy->mnt_ns->ns.inum;
    owner->userns = task->cred->user_ns->ns.inum;
    return 0;
}
