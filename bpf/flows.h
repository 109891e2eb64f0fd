/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Flow → owner: the map that every way of learning it fills alike (flows_calls.h, flows_cgroup.h),
 * and the end of what is in it. */
#pragma once

#include "bpf/common.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FLOWS_MAX);
    __type(key, struct flow_key);
    __type(value, struct flow_owner);
} flows SEC(".maps");

struct flow_counts flow_counts;

enum {
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    STATE_SYN_SENT = 2, /* include/net/tcp_states.h */
    STATE_CLOSE = 7,
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

static __always_inline int same_process(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->exec_id == b->exec_id && a->start_ns == b->start_ns;
}

static __always_inline void flow_delete(const struct flow_key *key)
{
    if (!bpf_map_delete_elem(&flows, key))
        __sync_fetch_and_add(&flow_counts.deleted, 1);
}

/* An older flow's owner must never answer for this one: where nobody can be named, nobody is. */
static __always_inline void flow_record(const struct flow_key *key, struct flow_owner *owner)
{
    if (!owner->process.pid) {
        flow_delete(key);
        return;
    }
    owner->touched = flow_counts.epoch;
    owner->ended = 0;
    const int known = bpf_map_lookup_elem(&flows, key) != (void *)0;
    if (bpf_map_update_elem(&flows, key, owner, BPF_ANY))
        flow_delete(key);
    else if (!known)
        __sync_fetch_and_add(&flow_counts.added, 1);
}

/* The source port is chosen, the SYN is not sent yet. Each connection gets a number, so that
 * whoever accepts it can tell an entry that has answered for one from an entry of its own: a socket
 * that no hook sees must not inherit an owner. */
static __always_inline void connection_record(const struct flow_key *key, struct flow_owner *owner)
{
    owner->connection = __sync_fetch_and_add(&flow_counts.connections, 1) + 1;
    flow_record(key, owner);
}

/* Most datagrams belong to a flow that is known: a look-up also keeps it young in the map. */
static __always_inline void datagram_record(const struct flow_key *key, struct flow_owner *owner)
{
    struct flow_owner *known = bpf_map_lookup_elem(&flows, key);
    if (!known || !same_process(&known->process, &owner->process))
        flow_record(key, owner);
    else if (known->touched != flow_counts.epoch)
        known->touched = flow_counts.epoch;
}

/* 0: nobody has asked for one yet. */
static __always_inline __u64 socket_cookie(const struct sock *sk)
{
    return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* A socket gets its cookie when it begins to connect, before it has a source port: kprobes may only
 * read it. By the cookie an entry is known to be this socket's: one that asks in vain for a 4-tuple
 * that is taken (EADDRNOTAVAIL) ends with the other's addresses.
 *
 * A connection that ends before it was established is never accepted, so its entry would wait for
 * another. Of one that was established the entry stays for a while, marked, and is the keeper's to
 * delete: its process may be gone before it is accepted. The port is read where it stays when the
 * socket has given it back (net/ipv4/tcp.c, tcp_set_state). */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, const struct sock *sk, int before, int now)
{
    if (sk->sk_protocol != PROTO_TCP || !netns_wanted(sk->__sk_common.skc_net.net->net_cookie))
        return 0;
    if (now == STATE_SYN_SENT)
        bpf_get_socket_cookie((void *)sk);
    if (now != STATE_CLOSE)
        return 0;
    const struct flow_key key = {
        .src_ip = sk->__sk_common.skc_rcv_saddr,
        .dst_ip = sk->__sk_common.skc_daddr,
        .src_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport)),
        .dst_port = bpf_ntohs(sk->__sk_common.skc_dport),
        .proto = PROTO_TCP,
    };
    struct flow_owner *known = bpf_map_lookup_elem(&flows, &key);
    if (!known || known->socket != socket_cookie(sk))
        return 0;
    if (before == STATE_SYN_SENT) {
        flow_delete(&key);
        return 0;
    }
    known->touched = flow_counts.epoch;
    known->ended = 1;
    return 0;
}
