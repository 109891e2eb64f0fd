/* SPDX-License-Identifier: MIT
 * What all that the helper of the hooks' tests does stands on: addresses, the greeting by which the
 * server knows whose connection it holds. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/attrib.h"
#include "bpf/attribution.h"

/* A descriptor that the helper may write a flow_key to. */
#define HELPER_REPORT_FD 3
#define HELPER_SELF      "/proc/self/exe"

/* What a TCP client sends, so that the server knows whose connection it holds. */
struct helper_hello {
    uint32_t pid;
    char tag[28];
};

static uint16_t helper_port(const char *text)
{
    return (uint16_t)strtoul(text, NULL, 10);
}

static struct sockaddr_in helper_v4(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in6 helper_v6(uint16_t port, const char *ip)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, ip, &a.sin6_addr);
    return a;
}

static int helper_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bad = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request);
    if (fd >= 0)
        close(fd);
    return bad;
}

/* Connects and says who it is. The descriptor stays open, also over an exec. */
static int helper_connect(const char *port, const char *tag)
{
    const struct sockaddr_in to = helper_v4(helper_port(port));
    struct helper_hello hello = {.pid = (uint32_t)getpid()};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    snprintf(hello.tag, sizeof hello.tag, "%s", tag);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) ||
        write(fd, &hello, sizeof hello) != sizeof hello)
        return 1;
    return 0;
}

static int helper_wait(pid_t child)
{
    int status;
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

/* Where this is large by default it is the namespace's own; a test fills it. Before Linux 6.8 it is
 * the machine's, and small; the test sees where it is not. */
static bool helper_small_options(void)
{
    static const char *const path = "/proc/sys/net/core/optmem_max";
    static const char small[] = "20480";
    char text[32] = "";
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    bool good = pread(fd, text, sizeof text - 1, 0) > 0 &&
                (atoi(text) <= atoi(small) || pwrite(fd, small, sizeof small - 1, 0) > 0);
    close(fd);
    return good;
}

/* A filter of so many instructions; whether there was room. */
static bool helper_filter(int fd, unsigned len)
{
    static struct sock_filter code[BPF_MAXINSNS];
    const struct sock_filter nothing = BPF_STMT(BPF_LD | BPF_IMM, 0);
    const struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, 0xffff);
    const struct sock_fprog filter = {.len = (unsigned short)len, .filter = code};
    for (unsigned i = 0; i + 1 < len; i++)
        code[i] = nothing;
    code[len - 1] = pass;
    return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

/* Uses up the memory that the kernel grants to a socket's options, with the longest filter that it
 * takes, so that the hooks find no room for the owner. */
static int helper_fill_options(int fd)
{
    const int ignored = 0;
    unsigned fits = 0, too_long = BPF_MAXINSNS;
    if (helper_filter(fd, too_long))
        return 1; /* there would have been room for more */
    while (too_long - fits > 1) {
        const unsigned len = (fits + too_long) / 2;
        if (helper_filter(fd, len)) {
            fits = len;
            /* It counts until it is gone. */
            if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored))
                return 1;
        } else {
            too_long = len;
        }
    }
    return !fits || !helper_filter(fd, fits);
}
