/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Flow → owner by cgroup hooks, which every kernel allows: connect and sendmsg know who, but not
 * the 4-tuple; they leave the owner with the socket. TCP_CONNECT_CB and the first datagram on its
 * way out know the 4-tuple, but not who; they take the owner from the socket to the map. */
#pragma once

#include "bpf/common.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FLOWS_MAX);
    __type(key, struct flow_key);
    __type(value, struct flow_owner);
} flows SEC(".maps");

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

/* TCP connections so far. A lock, because an atomic addition that returns the sum would ask for a
 * newer instruction set of the whole object. */
struct connection_count {
    struct bpf_spin_lock lock;
    __u64 n;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct connection_count);
} connections SEC(".maps");

enum {
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    ETHERTYPE_IPV4 = 0x0800,
    IP_FRAGMENT_OFFSET = 0x1fff,
};

struct ip_header {
    __u8 version_ihl, tos;
    __be16 total_len, id, fragment;
    __u8 ttl, proto;
    __u16 check;
    __be32 src, dst;
};

struct udp_ports {
    __be16 src, dst;
};

static __always_inline int netns_wanted(__u64 cookie)
{
    return !settings.netns_cookie || cookie == settings.netns_cookie;
}

static __always_inline void socket_own(struct bpf_sock_addr *ctx, __u32 dst_ip)
{
    struct bpf_sock *sk = ctx->sk;
    const __u64 cookie = bpf_get_netns_cookie(ctx);
    if (!sk)
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

/* An older flow's owner must never answer for this one: where nobody can be named, nobody is. */
static __always_inline void flow_record(const struct flow_key *key, const struct flow_owner *owner)
{
    if (!netns_wanted(owner->netns_cookie))
        return;
    if (!owner->process.pid || bpf_map_update_elem(&flows, key, owner, BPF_ANY))
        bpf_map_delete_elem(&flows, key);
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

static __always_inline __u64 connection_next(void)
{
    const __u32 zero = 0;
    struct connection_count *count = bpf_map_lookup_elem(&connections, &zero);
    if (!count)
        return 0;
    bpf_spin_lock(&count->lock);
    const __u64 n = ++count->n;
    bpf_spin_unlock(&count->lock);
    return n;
}

/* The source port is chosen, the SYN is not sent yet. A subflow of MPTCP has a socket of its own
 * that connect did not see: the caller is still the one who connects, or else a kernel thread.
 * Each connection gets a number, so that whoever accepts it can tell an entry that has answered
 * for one from an entry of its own: a socket that no hook sees must not inherit an owner. */
static __always_inline void connection_begins(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
                                              const struct flow_key *key)
{
    struct flow_owner owner = {.netns_cookie = bpf_get_netns_cookie(ctx)};
    const struct socket_owner *s = bpf_sk_storage_get(&sockets, sk, 0, 0);
    if (s)
        owner = s->owner;
    else if (owner_of_current(&owner))
        owner.process.pid = 0;
    if (!netns_wanted(owner.netns_cookie))
        return;
    owner.connection = connection_next();
    flow_record(key, &owner);
    /* Flags that others have set stay. */
    bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* One that ends before it was established is never accepted, so its entry would wait for another.
 * Of one that was established the entry stays: its process may be gone before it is accepted. */
static __always_inline void connection_moves(struct bpf_sock_ops *ctx, const struct flow_key *key)
{
    if (ctx->args[0] == BPF_TCP_SYN_SENT && ctx->args[1] == BPF_TCP_CLOSE &&
        netns_wanted(bpf_get_netns_cookie(ctx)))
        bpf_map_delete_elem(&flows, key);
}

SEC("sockops")
int on_sockops(struct bpf_sock_ops *ctx)
{
    struct bpf_sock *sk = ctx->sk;
    if (!sk || (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB && ctx->op != BPF_SOCK_OPS_STATE_CB))
        return 1;
    const struct flow_key key = {
        .src_ip = ctx->local_ip4,
        .dst_ip = ctx->remote_ip4,
        .src_port = ctx->local_port,
        .dst_port = bpf_ntohl(ctx->remote_port),
        .proto = PROTO_TCP,
    };
    if (ctx->op == BPF_SOCK_OPS_STATE_CB)
        connection_moves(ctx, &key);
    else
        connection_begins(ctx, sk, &key);
    return 1;
}

static __always_inline int same_process(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->exec_id == b->exec_id && a->start_ns == b->start_ns;
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

static __always_inline void datagram_record(struct __sk_buff *skb, const struct flow_key *key)
{
    struct bpf_sock *sk = skb->sk;
    if (!sk)
        return;
    sk = bpf_sk_fullsock(sk);
    if (!sk)
        return;
    const struct socket_owner *s = bpf_sk_storage_get(&sockets, sk, 0, 0);
    if (s && !netns_wanted(s->owner.netns_cookie))
        return;
    /* No storage: the socket is older than the hooks, or its memory is used up, on purpose maybe.
     */
    if (!s || !sent_by_owner(s, key)) {
        bpf_map_delete_elem(&flows, key);
        return;
    }
    /* Most datagrams belong to a flow that is known: a look-up also keeps it young in the map. */
    const struct flow_owner *known = bpf_map_lookup_elem(&flows, key);
    if (!known || !same_process(&known->process, &s->owner.process))
        flow_record(key, &s->owner);
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
    datagram_record(skb, &key);
    return 1;
}
