/* SPDX-License-Identifier: MIT
 * rtnetlink by libmnl: one request, one acknowledgement. Spoken directly because ip(8) would cost
 * a process for each step and reports errors as text. */
#include "setup/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Larger than any request below; acknowledgements echo the request. */
enum { REQUEST_MAX = 1024, ANSWER_MAX = 8192 };

struct link {
    struct mnl_socket *socket;
    unsigned int sequence;
};

int link_open(struct link **out)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!l->socket || mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int code = -errno;
        link_close(l);
        return code;
    }
    *out = l;
    return 0;
}

void link_close(struct link *l)
{
    if (!l)
        return;
    if (l->socket)
        mnl_socket_close(l->socket);
    free(l);
}

static int ask(struct link *l, struct nlmsghdr *request)
{
    char answer[ANSWER_MAX];
    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    request->nlmsg_seq = ++l->sequence;
    if (mnl_socket_sendto(l->socket, request, request->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(l->socket, answer, sizeof answer);
    if (n < 0)
        return -errno;
    unsigned int port = mnl_socket_get_portid(l->socket);
    return mnl_cb_run(answer, (size_t)n, l->sequence, port, NULL, NULL) < 0 ? -errno : 0;
}

static int index_of(const char *name, unsigned int *out)
{
    *out = if_nametoindex(name);
    return *out ? 0 : -errno;
}

int link_add_veth(struct link *l, const char *name, const char *peer, int peer_ns)
{
    char buffer[REQUEST_MAX] = {0};
    struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
    m->nlmsg_type = RTM_NEWLINK;
    m->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    struct nlattr *other = mnl_attr_nest_start(m, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, peer);
    mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    mnl_attr_nest_end(m, other);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, info);
    return ask(l, m);
}

int link_up(struct link *l, const char *name)
{
    char buffer[REQUEST_MAX] = {0};
    unsigned int index;
    int code = index_of(name, &index);
    if (code < 0)
        return code;
    struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
    m->nlmsg_type = RTM_NEWLINK;
    struct ifinfomsg *body = mnl_nlmsg_put_extra_header(m, sizeof *body);
    body->ifi_index = (int)index;
    body->ifi_flags = IFF_UP;
    body->ifi_change = IFF_UP;
    return ask(l, m);
}

int link_add_address(struct link *l, const char *name, uint32_t ip, uint8_t prefix)
{
    char buffer[REQUEST_MAX] = {0};
    unsigned int index;
    int code = index_of(name, &index);
    if (code < 0)
        return code;
    struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
    m->nlmsg_type = RTM_NEWADDR;
    m->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
    struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(m, sizeof *body);
    body->ifa_family = AF_INET;
    body->ifa_prefixlen = prefix;
    body->ifa_scope = RT_SCOPE_UNIVERSE;
    body->ifa_index = index;
    mnl_attr_put_u32(m, IFA_LOCAL, htonl(ip));
    mnl_attr_put_u32(m, IFA_ADDRESS, htonl(ip));
    return ask(l, m);
}

/* A route for every address of table main; gateway 0 is none. */
static int add_route_to_all(struct link *l, const char *name, uint8_t type, uint8_t scope,
                            uint32_t gateway)
{
    char buffer[REQUEST_MAX] = {0};
    unsigned int index;
    int code = index_of(name, &index);
    if (code < 0)
        return code;
    struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
    m->nlmsg_type = RTM_NEWROUTE;
    m->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
    struct rtmsg *body = mnl_nlmsg_put_extra_header(m, sizeof *body);
    body->rtm_family = AF_INET;
    body->rtm_table = RT_TABLE_MAIN;
    body->rtm_protocol = RTPROT_STATIC;
    body->rtm_type = type;
    body->rtm_scope = scope;
    mnl_attr_put_u32(m, RTA_OIF, index);
    if (gateway)
        mnl_attr_put_u32(m, RTA_GATEWAY, htonl(gateway));
    return ask(l, m);
}

int link_add_default(struct link *l, const char *name, uint32_t gateway)
{
    return add_route_to_all(l, name, RTN_UNICAST, RT_SCOPE_UNIVERSE, gateway);
}

int link_add_all_local(struct link *l)
{
    return add_route_to_all(l, "lo", RTN_LOCAL, RT_SCOPE_HOST, 0);
}
