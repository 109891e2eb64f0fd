/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Datagram → owner from the kernel's own call, where it lets it be hooked: ip_send_skb() has a
 * whole datagram and a caller. (udp_sendmsg() does not know the source address of a socket that is
 * bound to none.) One body, attached by kprobe or by fentry. */
#pragma once

#include "bpf/flows.h"

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

SEC("kprobe/ip_send_skb")
int BPF_KPROBE(kprobe_send, struct net *net, struct sk_buff *skb)
{
    call_send(net, skb);
    return 0;
}

SEC("fentry/ip_send_skb")
int BPF_PROG(fentry_send, struct net *net, struct sk_buff *skb)
{
    call_send(net, skb);
    return 0;
}
