/* SPDX-License-Identifier: MIT
 * The socket of one UDP flow in the gate: it stands for the server that the command speaks to, and
 * while it stands the rules let that flow's packets pass to it, and no other's. */
#include "setup/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/fd.h"

/* Datagrams of one flow that wait for the proxy; what is more is lost, as on any wire. */
enum { RECEIVE_BYTES = 512 << 10, DNS_PORT = 53 };

static const char nowhere[] = "lo"; /* a device by which no packet of the command comes */

bool gate_can_flow(const struct gate_flow *f)
{
    const uint32_t top = f->dst_ip >> 24;
    /* Many answer to a group or a broadcast, none of them from the address that was asked. Nothing
     * of ours, and no loopback: what is the command's own would be the host's for the proxy. */
    return f->src_port && f->dst_port && f->dst_port != DNS_PORT && top != 0 && top != 127 &&
           top < 224 && (f->dst_ip ^ GATE_IP) >> 2 != 0;
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

static int set_options(int fd)
{
    static const struct {
        int level, option;
    } flags[] = {{SOL_SOCKET, SO_REUSEADDR}, /* many flows may lead to one server */
                 {IPPROTO_IP, IP_TRANSPARENT}};
    const int on = 1, bytes = RECEIVE_BYTES;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (setsockopt(fd, flags[i].level, flags[i].option, &on, sizeof on) < 0)
            return -errno;
    /* A small buffer loses datagrams under load but breaks nothing: no reason to fail. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    return 0;
}

/* Between bind and connect the socket would match every packet to that server, and other flows
 * would pass with this one's permission. It is kept to a device that brings none until it knows its
 * peer. */
static int open_socket(const struct gate_flow *f)
{
    const struct sockaddr_in server = address(f->dst_ip, f->dst_port);
    const struct sockaddr_in client = address(GATE_CLIENT_IP, f->src_port);
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int code = set_options(fd);
    if (code < 0)
        return code;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, nowhere, sizeof nowhere) < 0 ||
        bind(fd, (const struct sockaddr *)&server, sizeof server) < 0 ||
        connect(fd, (const struct sockaddr *)&client, sizeof client) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0) < 0)
        return -errno;
    return fd_steal(&fd);
}

int gate_open_udp(const struct gate *g, const struct gate_flow *flows, size_t n, int *out)
{
    int code = setns(g->gate_ns, CLONE_NEWNET) < 0 ? -errno : 0;
    for (size_t i = 0; i < n; i++)
        out[i] = code < 0 ? code : gate_can_flow(&flows[i]) ? open_socket(&flows[i]) : -EINVAL;
    if (code == 0 && setns(g->host_ns, CLONE_NEWNET) < 0)
        code = -ENOTRECOVERABLE;
    for (size_t i = 0; code == -ENOTRECOVERABLE && i < n; i++)
        fd_close(&out[i]);
    return code;
}
