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

/* The socket has closed. One that asks in vain for a 4-tuple that is taken (EADDRNOTAVAIL) ends
 * with the other's addresses: by the cookie an entry is known to be this socket's.
 *
 * A connection that ends before it was established is never accepted, so its entry would wait for
 * another. Of one that was established the entry stays for a while, marked, and is the keeper's to
 * delete: its process may be gone before it is accepted. */
static __always_inline void connection_end(const struct flow_key *key, __u64 socket, __u32 before)
{
    struct flow_owner *known = bpf_map_lookup_elem(&flows, key);
    if (!known || known->socket != socket)
        return;
    if (before == STATE_SYN_SENT) {
        flow_delete(key);
        return;
    }
    known->touched = flow_counts.epoch;
    known->ended = 1;
}
