/* SPDX-License-Identifier: MIT
 * Makes the network of one run. Order matters: namespaces, then IPv6 off and the closing rules
 * while every device is still down, then the wire; so at no time does a packet find an open way. */
#include "setup/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "setup/link.h"
#include "setup/netfilter.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14; older C libraries do not name it */
#endif

enum { MARK_TCP = 1, DNS_PORT = 53, TCP_BACKLOG = 4096, DNS_BACKLOG = 256, PREFIX = 30 };
enum { DNS_RECEIVE_BYTES = 4 << 20 };

static const char client_device[] = "egress0"; /* in the command's namespace */
static const char gate_device[] = "client0";

/* Where /proc shows the settings of the namespace that the opening thread is in. */
struct setting {
    const char *path;
    char value;
    bool may_lack; /* the kernel may be without it, and then it is as we want it */
};

static const struct setting client_settings[] = {
    {"/proc/sys/net/ipv6/conf/all/disable_ipv6", '1', true},
    {"/proc/sys/net/ipv6/conf/default/disable_ipv6", '1', true},
};

/* New namespaces inherit IPv4 settings from the host, so what matters is said. Source routing
 * would change a destination after the rules saw it; a rate limit of ICMP would leave denied
 * programs waiting instead of refused. */
static const struct setting gate_settings[] = {
    {"/proc/sys/net/ipv6/conf/all/disable_ipv6", '1', true},
    {"/proc/sys/net/ipv6/conf/default/disable_ipv6", '1', true},
    {"/proc/sys/net/ipv4/ip_forward", '0', false},
    {"/proc/sys/net/ipv4/conf/all/accept_source_route", '0', false},
    {"/proc/sys/net/ipv4/conf/all/route_localnet", '0', false},
    {"/proc/sys/net/ipv4/conf/default/route_localnet", '0', false},
    {"/proc/sys/net/ipv4/conf/all/rp_filter", '0', false},
    {"/proc/sys/net/ipv4/conf/default/rp_filter", '0', false},
    {"/proc/sys/net/ipv4/icmp_ratelimit", '0', true},
};

static int apply_settings(const struct setting *s, size_t n, struct error *error)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP_FD int fd = open(s[i].path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && s[i].may_lack)
            continue;
        if (fd < 0 || write(fd, &s[i].value, 1) != 1)
            return error_set(error, -errno, "cannot write '%c' to '%s'", s[i].value, s[i].path);
    }
    return 0;
}

static int open_own_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A new namespace, entered; its descriptor goes to *out. */
static int new_namespace(int *out, const char *whose, struct error *error)
{
    if (unshare(CLONE_NEWNET) < 0)
        return error_set(error, -errno, "cannot make the %s network namespace", whose);
    int fd = open_own_namespace();
    if (fd < 0)
        return error_set(error, fd, "cannot open the %s network namespace", whose);
    *out = fd;
    return 0;
}

static int enter(int ns, const char *whose, struct error *error)
{
    if (setns(ns, CLONE_NEWNET) < 0)
        return error_set(error, -errno, "cannot enter the %s network namespace", whose);
    return 0;
}

/* What a socket has besides its type. */
struct socket_plan {
    const char *what;
    int type;
    uint32_t ip;
    uint16_t port;
    int backlog; /* TCP */
    int receive; /* UDP: bytes waiting */
    bool transparent;
    bool shared; /* TCP: others of the plan may have the same port */
};

static int set_flag(int fd, int level, int option)
{
    const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct socket_plan *plan)
{
    int code = 0;
    if (plan->type == SOCK_STREAM) {
        code = set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
        if (code == 0 && plan->shared)
            code = set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
    } else {
        code = set_flag(fd, IPPROTO_IP, IP_PKTINFO);
        /* A small buffer loses queries under load but breaks nothing: no reason to fail. */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &plan->receive, sizeof plan->receive) < 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &plan->receive, sizeof plan->receive);
    }
    if (code == 0 && plan->transparent)
        code = set_flag(fd, IPPROTO_IP, IP_TRANSPARENT);
    return code;
}

/* A socket of the plan in the current namespace. */
static int open_socket(const struct socket_plan *plan, int *out, struct error *error)
{
    CLEANUP_FD int fd = socket(AF_INET, plan->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(error, -errno, "cannot make the socket for %s", plan->what);
    int code = set_options(fd, plan);
    if (code < 0)
        return error_set(error, code, "cannot prepare the socket for %s", plan->what);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(plan->port), .sin_addr.s_addr = htonl(plan->ip)};
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_set(error, -errno, "cannot bind the socket for %s to port %u", plan->what,
                         plan->port);
    if (plan->type == SOCK_STREAM && listen(fd, plan->backlog) < 0)
        return error_set(error, -errno, "cannot listen for %s", plan->what);
    *out = fd_steal(&fd);
    return 0;
}

static int port_of(int fd, uint16_t *port)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    *port = ntohs(address.sin_port);
    return 0;
}

/* Closed unless a rule opens it. TPROXY brings the kernel's defragmentation with it, before these
 * chains, so every rule sees whole packets. NFQUEUE without --queue-bypass drops when nobody
 * reads. A mark that the command sets does not survive the wire between namespaces. A UDP socket
 * that is bound to an address is that of an allowed flow (gate_udp.c): `-m socket` sees these
 * alone, so a flow is queued until its socket stands and again when it has gone, and what is
 * accepted while there is none ends in INPUT. ICMP about such a flow says that its client has gone.
 */
static int load_rules(uint16_t tcp_port, struct error *error)
{
    char rules[2048];
    int n = snprintf(rules, sizeof rules,
                     "*filter\n"
                     ":INPUT DROP [0:0]\n"
                     ":FORWARD DROP [0:0]\n"
                     ":OUTPUT ACCEPT [0:0]\n"
                     "-A INPUT -p tcp -m mark --mark %d -j ACCEPT\n"
                     "-A INPUT -p udp -m udp --dport %d -j ACCEPT\n"
                     "-A INPUT -p udp -m mark --mark %d -j REJECT"
                     " --reject-with icmp-port-unreachable\n"
                     "-A INPUT -p udp -m socket -j ACCEPT\n"
                     "-A INPUT -p icmp -m icmp --icmp-type port-unreachable -m socket -j ACCEPT\n"
                     "COMMIT\n"
                     "*mangle\n"
                     ":PREROUTING DROP [0:0]\n"
                     "-A PREROUTING ! -s 192.0.0.2/32 -j DROP\n"
                     "-A PREROUTING -p tcp -j TPROXY --on-port %u --tproxy-mark %d\n"
                     "-A PREROUTING -p udp -m udp --dport %d -j ACCEPT\n"
                     "-A PREROUTING -m mark --mark %d -j ACCEPT\n"
                     "-A PREROUTING -p udp -m socket -j ACCEPT\n"
                     "-A PREROUTING -p icmp -m icmp --icmp-type port-unreachable"
                     " -m socket -j ACCEPT\n"
                     "-A PREROUTING -j NFQUEUE --queue-num %d\n"
                     "COMMIT\n",
                     MARK_TCP, DNS_PORT, GATE_MARK_REJECT, tcp_port, MARK_TCP, DNS_PORT,
                     GATE_MARK_REJECT, GATE_QUEUE);
    if (n < 0 || (size_t)n >= sizeof rules)
        return error_say(error, -EOVERFLOW, "the gate's rules are too long");
    struct error cause;
    int code = netfilter_restore(rules, "the gate's rules", &cause);
    if (code == -EPROTO)
        return error_say(error, code, "%s; are the kernel's xt_TPROXY and xt_socket there?",
                         cause.text);
    if (code < 0)
        *error = cause;
    return code;
}

/* One listener for each loop, all on the port that the first one was given. When a loop dies what
 * waits in its backlog waits for the next one; a socket that several accepted from would need no
 * such wait, but gives a burst of connections to whoever wakes first. */
static int open_listeners(struct gate *g, unsigned loops, uint16_t *port, struct error *error)
{
    struct socket_plan plan = {.what = "the command's TCP connections",
                               .type = SOCK_STREAM,
                               .ip = INADDR_ANY,
                               .backlog = TCP_BACKLOG,
                               .transparent = true,
                               .shared = loops > 1};
    for (unsigned i = 0; i < loops; i++) {
        int code = open_socket(&plan, &g->tcp[i], error);
        if (code < 0)
            return code;
        code = port_of(g->tcp[0], &plan.port);
        if (code < 0)
            return error_set(error, code, "cannot learn the port of the gate's listener");
    }
    *port = plan.port;
    return 0;
}

/* In the gate's namespace, all devices down: settings, sockets, rules. */
static int prepare_gate(struct gate *g, unsigned loops, struct error *error)
{
    static const struct socket_plan dns = {.what = "the command's DNS",
                                           .type = SOCK_DGRAM,
                                           .ip = INADDR_ANY,
                                           .port = DNS_PORT,
                                           .receive = DNS_RECEIVE_BYTES,
                                           .transparent = true};
    uint16_t port = 0;
    int code = apply_settings(gate_settings, ARRAY_SIZE(gate_settings), error);
    if (code == 0)
        code = open_listeners(g, loops, &port, error);
    if (code == 0)
        code = open_socket(&dns, &g->dns_udp, error);
    return code < 0 ? code : load_rules(port, error);
}

/* In the command's namespace. */
static int prepare_client(struct gate *g, struct error *error)
{
    static const struct socket_plan udp = {.what = "DNS inside the command's namespace",
                                           .type = SOCK_DGRAM,
                                           .ip = INADDR_ANY,
                                           .port = DNS_PORT,
                                           .receive = DNS_RECEIVE_BYTES};
    static const struct socket_plan tcp = {.what = "DNS over TCP inside the command's namespace",
                                           .type = SOCK_STREAM,
                                           .ip = INADDR_ANY,
                                           .port = DNS_PORT,
                                           .backlog = DNS_BACKLOG};
    int code = apply_settings(client_settings, ARRAY_SIZE(client_settings), error);
    if (code == 0)
        code = open_socket(&udp, &g->client_dns_udp, error);
    if (code == 0)
        code = open_socket(&tcp, &g->client_dns_tcp, error);
    if (code < 0)
        return code;
    socklen_t len = sizeof g->client_cookie;
    if (getsockopt(g->client_dns_udp, SOL_SOCKET, SO_NETNS_COOKIE, &g->client_cookie, &len) < 0)
        return error_set(error, -errno, "cannot read the cookie of the command's namespace");
    return 0;
}

/* In the gate's namespace: the wire, whose other end begins in the command's. */
static int wire_gate(const struct gate *g, struct error *error)
{
    CLEANUP_LINK struct link *l = NULL;
    int code = link_open(&l);
    if (code == 0)
        code = link_add_veth(l, gate_device, client_device, g->client_ns);
    if (code < 0)
        return error_set(error, code, "cannot make the wire between command and gate");
    code = link_add_address(l, gate_device, GATE_IP, PREFIX);
    if (code == 0)
        code = link_up(l, "lo");
    if (code == 0)
        code = link_add_all_local(l);
    if (code == 0)
        code = link_up(l, gate_device);
    if (code < 0)
        return error_set(error, code, "cannot set up the gate's end of the wire");
    return 0;
}

/* In the command's namespace. */
static int wire_client(struct error *error)
{
    CLEANUP_LINK struct link *l = NULL;
    int code = link_open(&l);
    if (code == 0)
        code = link_up(l, "lo");
    if (code == 0)
        code = link_add_address(l, client_device, GATE_CLIENT_IP, PREFIX);
    if (code == 0)
        code = link_up(l, client_device);
    if (code == 0)
        code = link_add_default(l, client_device, GATE_IP);
    if (code < 0)
        return error_set(error, code, "cannot set up the command's end of the wire");
    return 0;
}

/* Each step in its namespace; the caller goes back. */
static int build(struct gate *g, unsigned loops, struct error *error)
{
    int code = new_namespace(&g->gate_ns, "gate's", error);
    if (code == 0)
        code = prepare_gate(g, loops, error);
    if (code == 0)
        code = new_namespace(&g->client_ns, "command's", error);
    if (code == 0)
        code = prepare_client(g, error);
    if (code == 0)
        code = enter(g->gate_ns, "gate's", error);
    if (code == 0)
        code = wire_gate(g, error);
    if (code == 0)
        code = enter(g->client_ns, "command's", error);
    if (code == 0)
        code = wire_client(error);
    return code;
}

int gate_open(struct gate *g, unsigned loops, struct error *error)
{
    *g = (struct gate)GATE_INIT;
    int fd = open_own_namespace();
    if (fd < 0)
        return error_set(error, fd, "cannot open this process's network namespace");
    g->host_ns = fd;
    struct error after;
    int code = build(g, loops, error);
    int back = enter(g->host_ns, "host's", &after);
    if (back < 0 && code == 0) {
        *error = after;
        code = back;
    }
    if (code < 0)
        gate_close(g);
    return code;
}

void gate_close(struct gate *g)
{
    int *const all[] = {&g->host_ns, &g->gate_ns,        &g->client_ns,
                        &g->dns_udp, &g->client_dns_udp, &g->client_dns_tcp};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        fd_close(all[i]);
    for (size_t i = 0; i < ARRAY_SIZE(g->tcp); i++)
        fd_close(&g->tcp[i]);
    g->client_cookie = 0;
}

int gate_listen_client(const struct gate *g, uint16_t port, struct error *error)
{
    const struct socket_plan plan = {.what = "a port of the host in the command's namespace",
                                     .type = SOCK_STREAM,
                                     .ip = INADDR_LOOPBACK,
                                     .port = port,
                                     .backlog = DNS_BACKLOG};
    CLEANUP_FD int fd = -1;
    struct error after;
    int code = enter(g->client_ns, "command's", error);
    if (code < 0)
        return code;
    code = open_socket(&plan, &fd, error);
    int back = enter(g->host_ns, "host's", &after);
    if (back < 0) {
        *error = after;
        return back;
    }
    return code < 0 ? code : fd_steal(&fd);
}
