/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Programs that do nothing, where the real ones would be attached: whether this kernel takes them
 * is known before anything is loaded in earnest. */
#include "bpf/kernel.h"

/* The thread that asks, and whether the security module's hook ran for it: where the kernel was
 * started without `bpf` among its security modules, it loads such programs and never runs them. */
__u32 asking;
__u32 answered;

SEC("?kprobe/ip_send_skb")
int probe_kprobe_send(void *ctx)
{
    return 0;
}

SEC("?fentry/ip_send_skb")
int BPF_PROG(probe_fentry_send, struct net *net, struct sk_buff *skb)
{
    return 0;
}

SEC("?lsm/socket_create")
int BPF_PROG(probe_lsm, int family, int type, int protocol, int kern, int refused)
{
    if ((__u32)bpf_get_current_pid_tgid() == asking)
        answered = 1;
    return refused;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
