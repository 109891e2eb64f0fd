/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Flow → owner by cgroup hooks, which every kernel allows, and never skips: a program of tracing is
 * left out where its like was preempted on the same processor (kernel/bpf/trampoline.c,
 * bpf_prog_get_recursion_context()), and cgroup programs have no such guard.
 *
 * So TCP is theirs on every way: one hook knows both, it is called by tcp_connect(), for whoever
 * connects. For UDP, on the cgroup way, connect and sendmsg know who, but not the 4-tuple; they
 * leave the owner with the socket. The first datagram on its way out knows the 4-tuple, but not
 * who; it takes the owner from the socket to the map. */
#pragma once

#include "bpf/flows.h"

enum {
    ETHERTYPE_IPV4 = 0x0800,
    IP_FRAGMENT_OFFSET = 0x1fff,
};

struct socket_owner {
    struct flow_owner owner;
    __u32 dst_ip; /* network byte order */
    __u16 dst_port;
    __u16 zero;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct socket_owner);
} sockets SEC(".maps");

static __always_inline void socket_own(struct bpf_sock_addr *ctx, __u32 dst_ip)
{
    struct bpf_sock *sk = ctx->sk;
    const __u64 cookie = bpf_get_netns_cookie(ctx);
    if (!settings.owned_sockets || !sk || ctx->protocol != PROTO_UDP)
        return;
    struct socket_owner *s = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!s)
        return;
    s->dst_ip = dst_ip;
    s->dst_port = bpf_ntohs((__u16)ctx->user_port);
    s->owner.netns_cookie = cookie;
    if (owner_of_current(&s->owner))
        s->owner.process.pid = 0;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
    socket_own(ctx, ctx->user_ip4);
    return 1;
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
    socket_own(ctx, ctx->user_ip4);
    return 1;
}

/* The kernel tells of the socket's states from here on. */
static __always_inline void connection_begins(struct bpf_sock_ops *ctx, const struct flow_key *key)
{
    struct flow_owner owner = {.netns_cookie = bpf_get_netns_cookie(ctx)};
    if (!netns_wanted(owner.netns_cookie))
        return;
    if (owner_of_current(&owner)) /* a subflow of MPTCP that the kernel adds by itself */
        owner.process.pid = 0;
    owner.socket = bpf_get_socket_cookie(ctx);
    connection_record(key, &owner);
    bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* tcp_set_state() tells of a state before it gives the port back. */
SEC("sockops")
int on_sockops(struct bpf_sock_ops *ctx)
{
    const __u32 op = ctx->op;
    if (op != BPF_SOCK_OPS_TCP_CONNECT_CB &&
        (op != BPF_SOCK_OPS_STATE_CB || ctx->args[1] != STATE_CLOSE))
        return 1;
    const struct flow_key key = {
        .src_ip = ctx->local_ip4,
        .dst_ip = ctx->remote_ip4,
        .src_port = ctx->local_port,
        .dst_port = bpf_ntohl(ctx->remote_port),
        .proto = PROTO_TCP,
    };
    if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
        connection_begins(ctx, &key);
    else
        connection_end(&key, bpf_get_socket_cookie(ctx), ctx->args[0]);
    return 1;
}

/* Whether the socket's owner is the one who sends this datagram. Two processes may send by one
 * socket at once, so the one must not be charged with the other's destination: it is the owner's
 * if it goes where the owner said, or if the owner is who runs now (destination translated). */
static __always_inline int sent_by_owner(const struct socket_owner *s, const struct flow_key *key)
{
    struct process_key now;
    if (s->dst_ip == key->dst_ip && s->dst_port == key->dst_port)
        return 1;
    process_key_of(bpf_get_current_task_btf(), &now);
    return same_process(&now, &s->owner.process);
}

static __always_inline void packet_leaves(struct __sk_buff *skb, const struct flow_key *key)
{
    struct bpf_sock *sk = skb->sk;
    if (!sk)
        return;
    sk = bpf_sk_fullsock(sk);
    if (!sk)
        return;
    struct socket_owner *s = bpf_sk_storage_get(&sockets, sk, 0, 0);
    if (s && !netns_wanted(s->owner.netns_cookie))
        return;
    /* No storage: the socket is older than the hooks, or its memory is used up, on purpose maybe.
     */
    if (s && sent_by_owner(s, key))
        datagram_record(key, &s->owner);
    else
        flow_delete(key);
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
    const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    const struct ip_header *ip = data;
    if (skb->protocol != bpf_htons(ETHERTYPE_IPV4) || (const void *)(ip + 1) > end)
        return 1;
    if (ip->proto != PROTO_UDP || (ip->fragment & bpf_htons(IP_FRAGMENT_OFFSET)))
        return 1;
    struct udp_ports ports;
    if (bpf_skb_load_bytes(skb, (ip->version_ihl & 15) * 4, &ports, sizeof(ports)))
        return 1;
    const struct flow_key key = {
        .src_ip = ip->src,
        .dst_ip = ip->dst,
        .src_port = bpf_ntohs(ports.src),
        .dst_port = bpf_ntohs(ports.dst),
        .proto = PROTO_UDP,
    };
    packet_leaves(skb, &key);
    return 1;
}
