/* SPDX-License-Identifier: MIT
 * Answers on one port, TCP and UDP, with what it was sent, and prints a line for every connection
 * and datagram: the lab's proof of what arrived where no HTTP or DNS server listens. With a
 * banner it speaks first, as SSH and SMTP servers do. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UDP, TCP, FIRST_CLIENT, MAX_FDS = 8192 };

static int listen_on(int type, uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, type, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
        (type == SOCK_STREAM && listen(fd, 4096))) {
        fprintf(stderr, "echo_server: cannot listen on port %d: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

/* The answer must come from the address that was asked, which a wildcard socket does not do by
 * itself where there are several. */
static void echo_datagram(int fd)
{
    static char bytes[65536];
    char control[256];
    struct sockaddr_in from;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, 0);

    if (n < 0)
        return;
    printf("udp %s:%d %zd\n", inet_ntoa(from.sin_addr), ntohs(from.sin_port), n);
    iov.iov_len = (size_t)n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
        }
    }
    if (sendmsg(fd, &m, MSG_DONTWAIT) < 0)
        printf("udp cannot answer: %s\n", strerror(errno));
}

static int greet(int listener, const char *banner)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int fd = accept(listener, (struct sockaddr *)&from, &len);

    if (fd < 0)
        return -1;
    printf("tcp %s:%d\n", inet_ntoa(from.sin_addr), ntohs(from.sin_port));
    if (banner && send(fd, banner, strlen(banner), MSG_NOSIGNAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* 0 while the connection lasts. A client that does not read what it sent waits for itself. */
static int echo_bytes(int fd)
{
    static char bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return -1;
    return send(fd, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct pollfd fds[MAX_FDS];
    nfds_t n = FIRST_CLIENT;
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    int on = 1;

    if (port < 1 || port > 65535 || argc > 3) {
        fputs("usage: echo_server PORT [BANNER]\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    fds[UDP] = (struct pollfd){listen_on(SOCK_DGRAM, (uint16_t)port), POLLIN, 0};
    fds[TCP] = (struct pollfd){listen_on(SOCK_STREAM, (uint16_t)port), POLLIN, 0};
    if (setsockopt(fds[UDP].fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)))
        return 1;
    for (;;) {
        fds[TCP].events = n < MAX_FDS ? POLLIN : 0;
        if (poll(fds, n, -1) < 0)
            continue;
        if (fds[UDP].revents)
            echo_datagram(fds[UDP].fd);
        for (nfds_t i = n; i-- > FIRST_CLIENT;) {
            if (fds[i].revents && echo_bytes(fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--n];
            }
        }
        if (fds[TCP].revents & POLLIN) {
            int fd = greet(fds[TCP].fd, argc > 2 ? argv[2] : NULL);
            if (fd >= 0)
                fds[n++] = (struct pollfd){fd, POLLIN, 0};
        }
    }
}
