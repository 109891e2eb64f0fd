/* SPDX-License-Identifier: MIT
 * The plain origin of `make bench`, at one address for TCP and UDP: a line or a datagram is sent
 * back, and "send N" is answered by as many MiB.
 *
 *     origin IP PORT */
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, SERVERS = 8 };

static void send_much(int fd, unsigned long mib)
{
    static char piece[CHUNK];
    for (unsigned long left = mib << 20; left;) {
        ssize_t n = send(fd, piece, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        left -= (unsigned long)n;
    }
}

static void serve_one(int fd)
{
    char line[64] = "";
    unsigned long mib;
    ssize_t n = recv(fd, line, sizeof line - 1, 0);
    if (n > 0 && sscanf(line, "send %lu", &mib) == 1) {
        send_much(fd, mib);
        return;
    }
    while (n > 0 && send(fd, line, (size_t)n, MSG_NOSIGNAL) == n)
        n = recv(fd, line, sizeof line - 1, 0);
}

static void serve_connections(int tcp)
{
    for (;;) {
        int fd = accept(tcp, NULL, NULL);
        if (fd < 0)
            continue;
        serve_one(fd);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    char piece[2048];
    struct sockaddr_in at = {.sin_family = AF_INET}, from;
    int on = 1, tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
        fputs("usage: origin IP PORT\n", stderr);
        return 2;
    }
    at.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(tcp, (const struct sockaddr *)&at, sizeof at) || listen(tcp, 4096) ||
        bind(udp, (const struct sockaddr *)&at, sizeof at)) {
        perror("origin");
        return 1;
    }
    for (int i = 0; i < SERVERS; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve_connections(tcp);
        }
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(udp, piece, sizeof piece, 0, (struct sockaddr *)&from, &len);
        if (n > 0)
            sendto(udp, piece, (size_t)n, 0, (const struct sockaddr *)&from, len);
    }
}
