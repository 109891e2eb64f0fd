/* SPDX-License-Identifier: MIT
 * Conversations that ordinary clients do not hold: half-closed both ways, a first message sent byte
 * by byte, packets of protocols that no library speaks. Each says by errno's name how it went. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, TRICKLE = 2048, WAIT_MS = 20000 };

static int fail(const char *what)
{
    fprintf(stderr, "talk: %s: %s\n", what, strerrorname_np(errno));
    return 1;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
        fprintf(stderr, "talk: '%s' is no IPv4 address\n", ip);
        exit(2);
    }
    return a;
}

static int dial(const char *ip, const char *port)
{
    struct sockaddr_in to = address(ip, port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0)
        return fd;
    exit(fail("connect"));
}

/* A listening socket; port 0 is one that the kernel chooses, and is printed. */
static int listen_at(const char *ip, const char *port)
{
    struct sockaddr_in at = address(ip, port);
    socklen_t len = sizeof(at);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&at, &len))
        exit(fail("listen"));
    if (strcmp(port, "0") == 0) {
        printf("%d\n", ntohs(at.sin_port));
        fflush(stdout);
    }
    return fd;
}

static int write_all(int fd, const char *bytes, ssize_t n)
{
    for (ssize_t done = 0, m; done < n; done += m)
        if ((m = write(fd, bytes + done, (size_t)(n - done))) < 0)
            return -1;
    return 0;
}

/* Everything from one descriptor to another, until the end. */
static int copy(int from, int to)
{
    static char bytes[CHUNK];
    ssize_t n;
    while ((n = read(from, bytes, sizeof(bytes))) > 0)
        if (write_all(to, bytes, n))
            return -1;
    return n < 0 ? -1 : 0;
}

/* send IP PORT: standard input, then the end of our side; prints what still comes. */
static int talk_send(char **argv)
{
    int fd = dial(argv[0], argv[1]);
    if (copy(STDIN_FILENO, fd))
        return fail("send");
    if (shutdown(fd, SHUT_WR))
        return fail("shutdown");
    return copy(fd, STDOUT_FILENO) ? fail("receive") : 0;
}

/* listen IP PORT: what is told after the server has ended its own side still arrives. Reads the
 * greeting to its end first, and only then speaks. */
static int talk_listen(char **argv)
{
    int fd = dial(argv[0], argv[1]);
    if (copy(fd, STDOUT_FILENO))
        return fail("receive");
    if (copy(STDIN_FILENO, fd))
        return fail("send");
    return shutdown(fd, SHUT_WR) ? fail("shutdown") : 0;
}

/* serve PORT [GREETING]: one connection after another; with a greeting, says it and ends its own
 * side at once. What comes is printed, and a greeting-less server answers with the count. */
static int talk_serve(char **argv)
{
    char chunk[CHUNK], count[32];
    int listener = listen_at("0.0.0.0", argv[0]);
    for (;;) {
        unsigned long long total = 0;
        ssize_t n;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return fail("accept");
        if (argv[1]) {
            (void)!write_all(fd, argv[1], (ssize_t)strlen(argv[1]));
            shutdown(fd, SHUT_WR);
        }
        while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
            total += (unsigned long long)n;
            if (write_all(STDOUT_FILENO, chunk, n))
                return fail("print");
        }
        snprintf(count, sizeof(count), "%llu\n", total);
        if (!argv[1])
            (void)!write_all(fd, count, (ssize_t)strlen(count));
        close(fd);
    }
}

/* The first bytes of the client's one by one, the rest as it comes. */
static int relay_slowly(int client, int server)
{
    static char bytes[CHUNK];
    size_t sent = 0;
    for (;;) {
        struct pollfd p[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (poll(p, 2, WAIT_MS) <= 0)
            return -1;
        for (int i = 0; i < 2; i++) {
            if (!p[i].revents)
                continue;
            ssize_t n = read(p[i].fd, bytes, sizeof(bytes)), at = 0;
            if (n <= 0)
                return (int)n;
            for (; i == 0 && at < n && sent < TRICKLE; at++, sent++)
                if (write_all(server, bytes + at, 1))
                    return -1;
            if (write_all(i ? client : server, bytes + at, n - at))
                return -1;
        }
    }
}

/* trickle IP PORT: listens on loopback, prints the port, and relays one connection. */
static int talk_trickle(char **argv)
{
    int client = accept(listen_at("127.0.0.1", "0"), NULL, NULL);
    if (client < 0)
        return fail("accept");
    return relay_slowly(client, dial(argv[0], argv[1])) ? fail("relay") : 0;
}

/* packet PROTOCOL IP: one packet by a raw socket; `ping` is an echo by a ping socket. */
static int talk_packet(char **argv)
{
    static const unsigned char echo[8] = {8, 0, 0, 0, 0, 1, 0, 1};
    struct sockaddr_in to = address(argv[1], "0");
    bool ping = strcmp(argv[0], "ping") == 0;
    int proto = ping ? IPPROTO_ICMP : (int)strtol(argv[0], NULL, 10);
    int fd = socket(AF_INET, ping ? SOCK_DGRAM : SOCK_RAW, proto);
    if (fd < 0)
        return fail("socket");
    if (sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
        return fail("sendto");
    puts("sent");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int least;
        int (*run)(char **argv);
    } table[] = {{"send", 2, talk_send},
                 {"listen", 2, talk_listen},
                 {"serve", 1, talk_serve},
                 {"trickle", 2, talk_trickle},
                 {"packet", 2, talk_packet}};
    for (size_t i = 0; argc > 1 && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(argv[1], table[i].name) == 0 && argc - 2 >= table[i].least)
            return table[i].run(argv + 2);
    fputs("usage: talk send|listen|trickle IP PORT | serve PORT [GREETING] | "
          "packet PROTOCOL|ping IP\n",
          stderr);
    return 2;
}
