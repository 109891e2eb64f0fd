/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * What no rule of the policy can judge is refused where it is asked for: IPv6, and sockets whose
 * packets pass by the hooks. */
#pragma once

#include "bpf/flows_cgroup.h"

enum {
    FAMILY_IPV6 = 10,
    FAMILY_PACKET = 17,
    FAMILY_XDP = 44,
    TYPE_RAW = 3,
    PROTO_DCCP = 33,
    PROTO_ICMPV6 = 58,
    PROTO_SCTP = 132,
};

enum { REFUSE = 0, PASS = 1, NOT_PERMITTED = -1 };

/* ::ffff:a.b.c.d, the IPv4 address in *ip. The parts are copied by the caller: the verifier wants
 * every read of the context at an offset that it knows. */
static __always_inline int ipv4_mapped(const __u32 dst[4])
{
    return dst[0] == 0 && dst[1] == 0 && dst[2] == bpf_htonl(0xffff);
}

static __always_inline int ipv6_judge(struct bpf_sock_addr *ctx)
{
    const __u32 dst[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    if (ipv4_mapped(dst)) {
        socket_own(ctx, dst[3]);
        return PASS;
    }
    struct process_ipv6 event = {
        .head.type = PROCESS_IPV6,
        .owner.netns_cookie = bpf_get_netns_cookie(ctx),
        .dst_port = bpf_ntohs((__u16)ctx->user_port),
        .proto = ctx->protocol,
    };
    __builtin_memcpy(event.dst_ip, dst, sizeof(dst));
    owner_of_current(&event.owner);
    event.head.process = event.owner.process;
    refusal_send(&event, sizeof(event), &lost.ipv6);
    return REFUSE;
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
    return ipv6_judge(ctx);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
    return ipv6_judge(ctx);
}

/* Raw packets are nobody's flow. Of IPv6, ICMP, SCTP and DCCP send without asking sendmsg6. */
static __always_inline int socket_refused(__u32 family, __u32 type, __u32 proto)
{
    if (type == TYPE_RAW)
        return 1;
    return family == FAMILY_IPV6 &&
           (proto == PROTO_ICMPV6 || proto == PROTO_SCTP || proto == PROTO_DCCP);
}

SEC("cgroup/sock_create")
int on_sock_create(struct bpf_sock *ctx)
{
    struct process_socket event = {
        .head.type = PROCESS_SOCKET,
        .owner.netns_cookie = bpf_get_netns_cookie(ctx),
        .family = ctx->family,
        .type = ctx->type,
        .proto = ctx->protocol,
    };
    if (!socket_refused(event.family, event.type, event.proto))
        return PASS;
    owner_of_current(&event.owner);
    event.head.process = event.owner.process;
    refusal_send(&event, sizeof(event), &lost.sockets);
    return REFUSE;
}

/* Sockets of frames are made past sock_create. Where programs of the security module are run, they
 * are refused here; where not, their frames arrive in the gate like all others and are judged
 * there, as nobody's. */
SEC("lsm/socket_create")
int BPF_PROG(on_socket_create, int family, int type, int protocol, int kern, int refused)
{
    if (refused || kern || (family != FAMILY_PACKET && family != FAMILY_XDP) || !followed())
        return refused;
    struct process_socket event = {
        .head.type = PROCESS_SOCKET,
        .owner.netns_cookie = bpf_get_current_task_btf()->nsproxy->net_ns->net_cookie,
        .family = family,
        .type = type,
        .proto = protocol,
    };
    owner_of_current(&event.owner);
    event.head.process = event.owner.process;
    refusal_send(&event, sizeof(event), &lost.sockets);
    return NOT_PERMITTED;
}
