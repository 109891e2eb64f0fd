/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * What a process is, told to the keeper at exec, fork and exit, when it is true. Nothing of it is
 * kept in the kernel: the ring is in order, and a process is in it before it can open a flow.
 *
 * Where the kernel preempts itself (preempt=full, and every kernel from 7.0 on, where tracepoints
 * may be preempted too) a program of tracing is left out while another task is in the midst of it
 * on the same processor (kernel/trace/bpf_trace.c, __bpf_trace_run()). So a fork is told of from a
 * tracepoint that runs with interrupts off, and an exec by several programs, of which the first
 * that is run tells. */
#pragma once

#include "bpf/path.h"

/* As with walks: one for each program. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EXEC_PROGRAMS);
    __type(key, __u32);
    __type(value, struct process_exec);
} execs SEC(".maps");

/* The execs that were told last, by pid. Where two pids share a place at the same moment, one may
 * be told twice, which does no harm. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, TOLD_MAX);
    __type(key, __u32);
    __type(value, struct process_key);
} told SEC(".maps");

static __always_inline void exec_ids(struct process_exec *e, const struct task_struct *task)
{
    e->head.type = PROCESS_EXEC;
    process_key_of(task, &e->head.process);
    process_key_of(task->real_parent, &e->parent);
    e->time_ns = bpf_ktime_get_boot_ns();
    e->cgroup_id = cgroup_id_of(task);
    e->uid = task->cred->uid.val;
    e->netns = task->nsproxy->net_ns->ns.inum;
    e->mntns = task->nsproxy->mnt_ns->ns.inum;
    e->userns = task->cred->user_ns->ns.inum;

    struct pid *pid = BPF_CORE_READ(task, thread_pid);
    const __u32 level = BPF_CORE_READ(pid, level);
    struct upid *upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                        (level & 31) * bpf_core_type_size(struct upid);
    e->ns_pid = BPF_CORE_READ(upid, nr);
    e->pidns = BPF_CORE_READ(upid, ns, ns.inum);
}

/* Moves a walked path behind what is in data. Returns its length. */
static __always_inline __u64 exec_put_path(struct process_exec *e, __u64 at, const struct walk *w)
{
    __u64 off = w->off;
    CLAMP(off, PROCESS_PATH_MAX);
    __u64 len = PROCESS_PATH_MAX - off;
    CLAMP(len, PROCESS_PATH_MAX);
    CLAMP(at, PROCESS_PATH_MAX);
    bpf_probe_read_kernel(e->data + at, len, w->buf + off);
    return len;
}

static __always_inline void exec_exe(struct process_exec *e, struct walk *w,
                                     const struct task_struct *task, struct file *file)
{
    struct mnt_namespace *mntns = task->nsproxy->mnt_ns;
    const struct path *path = (void *)file + bpf_core_field_offset(struct file, f_path);
    const struct inode *inode = BPF_CORE_READ(file, f_inode);
    struct super_block *sb = BPF_CORE_READ(inode, i_sb);

    e->exe_ino = BPF_CORE_READ(inode, i_ino);
    e->exe_size = BPF_CORE_READ(inode, i_size);
    e->exe_ctime_ns = inode_ctime_ns(inode);
    e->exe_dev = BPF_CORE_READ(sb, s_dev);
    e->exe_fs = BPF_CORE_READ(sb, s_magic);
    if (mntns->user_ns->level || BPF_CORE_READ(sb, s_user_ns, level))
        e->flags |= PROCESS_FOREIGN;
    if (walk_unlinked(path))
        e->flags |= PROCESS_EXE_DELETED;
    walk_path(w, path, task->fs, mntns);
    if (w->end == WALK_CUT)
        e->flags |= PROCESS_EXE_CUT;
    if (w->end == WALK_UNREACHABLE)
        e->flags |= PROCESS_EXE_UNREACHABLE;
    if (!w->passed_root)
        e->flags |= PROCESS_EXE_OUTSIDE;
    e->exe_len = exec_put_path(e, 0, w);
}

static __always_inline void exec_cwd(struct process_exec *e, struct walk *w,
                                     const struct task_struct *task)
{
    const struct path *path = (void *)task->fs + bpf_core_field_offset(struct fs_struct, pwd);
    walk_path(w, path, task->fs, task->nsproxy->mnt_ns);
    /* The root of a filesystem of its own need not be hashed. */
    const int root = BPF_CORE_READ(path, dentry) == BPF_CORE_READ(path, mnt, mnt_root);
    if (w->end == WALK_CUT)
        e->flags |= PROCESS_CWD_CUT;
    if (w->end == WALK_UNREACHABLE || (!root && walk_unlinked(path)))
        e->flags |= PROCESS_CWD_UNKNOWN;
    e->cwd_len = exec_put_path(e, e->exe_len, w);
}

/* The strings as they lie in the new image, which has not run yet. Returns the bytes used of data.
 */
static __always_inline __u64 exec_args(struct process_exec *e, const struct task_struct *task)
{
    __u64 start = task->mm->arg_start, len = task->mm->arg_end - start;
    __u64 at = e->exe_len + e->cwd_len;
    e->args_total = len;
    if (len > PROCESS_ARGS_MAX)
        e->flags |= PROCESS_ARGS_CUT;
    CLAMP(len, PROCESS_ARGS_MAX);
    CLAMP(at, 2 * PROCESS_PATH_MAX);
    if (bpf_probe_read_user(e->data + at, len, (void *)start)) {
        e->flags |= PROCESS_ARGS_LOST;
        len = 0;
    }
    e->args_len = len;
    return at + len;
}

static __always_inline void exec_tell(struct process_exec *e, struct walk *w,
                                      const struct task_struct *task,
                                      const struct linux_binprm *bprm)
{
    __builtin_memset(e, 0, __builtin_offsetof(struct process_exec, data));
    exec_ids(e, task);
    const int argc = bprm->argc;
    e->argc = argc < 0 ? 0 : argc > 0xffff ? 0xffff : argc;
    exec_exe(e, w, task, bprm->file);
    exec_cwd(e, w, task);
    __u64 len = exec_args(e, task) + __builtin_offsetof(struct process_exec, data);
    CLAMP(len, sizeof(*e));
    ring_send(e, len);
}

/* They are run one after another, in the task that executes. Each leaves alone what one before it
 * has told, so that it is soon over, and the next one seldom finds it busy. */
static __always_inline int exec_once(__u32 program, const struct task_struct *task,
                                     const struct linux_binprm *bprm)
{
    struct process_key key;
    if (!followed())
        return 0;
    process_key_of(task, &key);
    const __u32 place = key.pid & (TOLD_MAX - 1);
    struct process_key *last = bpf_map_lookup_elem(&told, &place);
    if (!last || same_process(last, &key))
        return 0;
    struct process_exec *e = bpf_map_lookup_elem(&execs, &program);
    struct walk *w = bpf_map_lookup_elem(&walks, &program);
    if (!e || !w)
        return 0;
    w->program = program;
    exec_tell(e, w, task, bprm);
    *last = key;
    return 0;
}

#define EXEC_PROGRAM(n)                                                                            \
    SEC("tp_btf/sched_process_exec")                                                               \
    int BPF_PROG(on_exec_##n, struct task_struct *task, int old_pid, struct linux_binprm *bprm)    \
    {                                                                                              \
        _Static_assert((n) < EXEC_PROGRAMS, "a place in walks and execs");                         \
        return exec_once(n, task, bprm);                                                           \
    }

EXEC_PROGRAM(0)
EXEC_PROGRAM(1)
EXEC_PROGRAM(2)
EXEC_PROGRAM(3)

/* Called by wake_up_new_task() for whoever called fork, with the lock of the run queue held, before
 * the child can run. The parent is who called, whatever CLONE_PARENT makes of it: a child cannot
 * choose its ancestors. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_fork, struct task_struct *child)
{
    if (child->pid != child->tgid || (child->flags & PF_KTHREAD) || !followed())
        return 0;
    struct process_fork f = {.head.type = PROCESS_FORK};
    process_key_of(child, &f.head.process);
    process_key_of(bpf_get_current_task_btf(), &f.parent);
    ring_send(&f, sizeof(f));
    return 0;
}

/* Of the last thread only. One that root has moved to another cgroup ends unseen, as does one whose
 * end the kernel leaves out: its record stays until its pid is used again. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
    if (task->signal->live.counter || (task->flags & PF_KTHREAD) || !followed())
        return 0;
    struct process_event x = {.type = PROCESS_EXIT};
    process_key_of(task, &x.process);
    ring_send(&x, sizeof(x));
    return 0;
}
