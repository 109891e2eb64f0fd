/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Flow → owner from the kernel's own calls, where it lets them be hooked: tcp_connect() has a
 * source port and a caller, ip_send_skb() has a whole datagram and a caller. (udp_sendmsg() does
 * not know the source address of a socket that is bound to none.) One body, attached by kprobe or
 * by fentry. */
#pragma once

#include "bpf/flows.h"

enum { FAMILY_IPV4 = 2 };

static __always_inline void call_connect(const struct sock *sk)
{
    struct flow_owner owner = {0};
    owner.netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
    if (!netns_wanted(owner.netns_cookie))
        return;
    /* Of IPv6 only what is mapped comes here: then the addresses of IPv4 are filled in too. */
    if (BPF_CORE_READ(sk, __sk_common.skc_family) != FAMILY_IPV4 &&
        BPF_CORE_READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[2]) != bpf_htonl(0xffff))
        return;
    const struct flow_key key = {
        .src_ip = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr),
        .dst_ip = BPF_CORE_READ(sk, __sk_common.skc_daddr),
        .src_port = BPF_CORE_READ(sk, __sk_common.skc_num),
        .dst_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport)),
        .proto = PROTO_TCP,
    };
    owner.socket = socket_cookie(sk);
    if (owner_of_current(&owner))
        owner.process.pid = 0;
    connection_record(&key, &owner);
}

static __always_inline void call_send(const struct net *net, const struct sk_buff *skb)
{
    struct flow_owner owner = {0};
    struct ip_header ip;
    struct udp_ports ports;
    owner.netns_cookie = BPF_CORE_READ(net, net_cookie);
    if (!netns_wanted(owner.netns_cookie))
        return;
    const unsigned char *head = BPF_CORE_READ(skb, head);
    if (bpf_probe_read_kernel(&ip, sizeof(ip), head + BPF_CORE_READ(skb, network_header)) ||
        ip.proto != PROTO_UDP ||
        bpf_probe_read_kernel(&ports, sizeof(ports), head + BPF_CORE_READ(skb, transport_header)))
        return;
    const struct flow_key key = {
        .src_ip = ip.src,
        .dst_ip = ip.dst,
        .src_port = bpf_ntohs(ports.src),
        .dst_port = bpf_ntohs(ports.dst),
        .proto = PROTO_UDP,
    };
    if (owner_of_current(&owner))
        owner.process.pid = 0;
    datagram_record(&key, &owner);
}

SEC("kprobe/tcp_connect")
int BPF_KPROBE(kprobe_connect, struct sock *sk)
{
    call_connect(sk);
    return 0;
}

SEC("kprobe/ip_send_skb")
int BPF_KPROBE(kprobe_send, struct net *net, struct sk_buff *skb)
{
    call_send(net, skb);
    return 0;
}

SEC("fentry/tcp_connect")
int BPF_PROG(fentry_connect, struct sock *sk)
{
    call_connect(sk);
    return 0;
}

SEC("fentry/ip_send_skb")
int BPF_PROG(fentry_send, struct net *net, struct sk_buff *skb)
{
    call_send(net, skb);
    return 0;
}
