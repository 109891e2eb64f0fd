/* SPDX-License-Identifier: MIT
 * Datagrams by every call that sends one, by many sockets at once, in long runs, as raw fragments;
 * and conversations on one socket that change their nature between DNS and something else. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGEST = 65507, WAVE = 1000, AGAIN_MS = 500, TRIES = 40, HEADER = 12, WAIT_MS = 10000 };

static int wait_ms = WAIT_MS;

static int fail(const char *what)
{
    printf("%s: %s\n", what, strerrorname_np(errno));
    return 1;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
        fprintf(stderr, "udp_ways: '%s' is no IPv4 address\n", ip);
        exit(2);
    }
    return a;
}

/* The answer's length, or -1: an error, or nothing came (ETIMEDOUT). */
static ssize_t answer(int fd, void *bytes, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, wait_ms);
    if (n == 0)
        errno = ETIMEDOUT;
    ssize_t got = n == 1 ? recv(fd, bytes, size, MSG_DONTWAIT) : -1;
    const int error = errno;
    while (got < 0 && recv(fd, bytes, size, MSG_DONTWAIT | MSG_ERRQUEUE) >= 0)
        ; /* told already */
    errno = error;
    return got;
}

static int send_by(const char *way, int fd, struct sockaddr *to, socklen_t len)
{
    struct iovec iov = {(void *)(uintptr_t)way, strlen(way)};
    struct mmsghdr m = {.msg_hdr = {to, len, &iov, 1, NULL, 0, 0}};
    if (strcmp(way, "sendmsg") == 0)
        return sendmsg(fd, &m.msg_hdr, 0) < 0 ? -1 : 0;
    if (strcmp(way, "sendmmsg") == 0)
        return sendmmsg(fd, &m, 1, 0) == 1 ? 0 : -1;
    if (strcmp(way, "connected") != 0)
        return sendto(fd, way, strlen(way), 0, to, len) < 0 ? -1 : 0;
    return connect(fd, to, len) == 0 && send(fd, way, strlen(way), 0) >= 0 ? 0 : -1;
}

/* by WAY IP PORT: one datagram by sendto, sendmsg, sendmmsg, connected or mapped (sendto on an IPv6
 * socket); says what came of it. */
static int send_one(char **argv)
{
    const char *way = argv[0];
    const int on = 1;
    char bytes[64];
    struct sockaddr_in to = address(argv[1], argv[2]);
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = to.sin_port};
    bool mapped = strcmp(way, "mapped") == 0;
    int fd = socket(mapped ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    to6.sin6_addr.s6_addr[10] = to6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(to6.sin6_addr.s6_addr + 12, &to.sin_addr, 4);
    /* An unconnected socket hears of errors only where it asks to. */
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)))
        return fail("socket");
    if (mapped ? send_by(way, fd, (struct sockaddr *)&to6, sizeof(to6))
               : send_by(way, fd, (struct sockaddr *)&to, sizeof(to)))
        return fail("send");
    puts(answer(fd, bytes, sizeof(bytes)) < 0 ? strerrorname_np(errno) : "OK");
    return 0;
}

/* Waits for one answer at each of n sockets. A datagram may be lost where many come at once: those
 * that are silent send again, as clients do. Returns how many were answered. */
static int await_all(struct pollfd *p, int n)
{
    char byte;
    int answered = 0;
    for (int silent = 0; answered < n && silent < TRIES;) {
        int ready = poll(p, (nfds_t)n, AGAIN_MS);
        silent += ready <= 0;
        for (int i = 0; i < n; i++) {
            if (ready <= 0 && p[i].fd >= 0)
                (void)!send(p[i].fd, "x", 1, 0);
            if (ready <= 0 || p[i].fd < 0 || !p[i].revents)
                continue;
            if (recv(p[i].fd, &byte, 1, MSG_DONTWAIT) == 1) {
                p[i].fd = -1; /* stays open, and is asked no more */
                answered++;
            }
        }
    }
    return answered;
}

/* many IP PORT COUNT: that many sockets, all open to the end; up to WAVE of them are sent by before
 * the first answer is read. */
static int many(char **argv)
{
    static struct pollfd fds[WAVE];
    struct sockaddr_in to = address(argv[0], argv[1]);
    int count = atoi(argv[2]), answered = 0;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (int left = count, n; left > 0; left -= n) {
        n = left < WAVE ? left : WAVE;
        for (int i = 0; i < n; i++) {
            int fd = socket(AF_INET, SOCK_DGRAM, 0);
            if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
                send(fd, "x", 1, 0) < 0)
                return fail("send");
            fds[i] = (struct pollfd){fd, POLLIN, 0};
        }
        answered += await_all(fds, n);
    }
    printf("%d\n", answered);
    return 0;
}

/* run IP PORT COUNT SIZE: one after another on one socket, each when the one before was answered;
 * prints how many came back whole. */
static int run(char **argv)
{
    static char out[LARGEST], in[LARGEST + 1];
    struct sockaddr_in to = address(argv[0], argv[1]);
    int count = atoi(argv[2]), whole = 0, fd = socket(AF_INET, SOCK_DGRAM, 0);
    size_t size = (size_t)atoi(argv[3]);
    const int room = 4 << 20;
    if (size < 1 || size > sizeof(out) || fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)))
        return fail("socket");
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('!' + i % 90); /* no zero byte: no DNS */
    for (int i = 0; i < count; i++) {
        out[0] = (char)('!' + i % 90);
        if (send(fd, out, size, 0) < 0)
            return fail("send");
        ssize_t n = answer(fd, in, sizeof(in));
        whole += n == (ssize_t)size && memcmp(in, out, size) == 0;
    }
    printf("%d\n", whole);
    return 0;
}

/* A query for the address of a name; returns its length. */
static size_t query(const char *name, unsigned char *out)
{
    static const unsigned char head[HEADER] = {0x12, 0x34, 1, 0, 0, 1};
    static const unsigned char tail[] = {0, 0, 1, 0, 1};
    size_t at = sizeof(head);
    memcpy(out, head, sizeof(head));
    while (*name) {
        size_t len = strcspn(name, ".");
        out[at++] = (unsigned char)len;
        memcpy(out + at, name, len);
        at += len;
        name += len + (name[len] == '.');
    }
    memcpy(out + at, tail, sizeof(tail));
    return at + sizeof(tail);
}

/* One word is sent and its answer told: of a query its rcode and the last record's address. */
static void converse(int fd, const struct sockaddr_in *to, const char *word)
{
    unsigned char bytes[4096];
    char ip[INET_ADDRSTRLEN] = "";
    bool dns = strncmp(word, "dns:", 4) == 0;
    size_t len = dns ? query(word + 4, bytes) : strlen(word);
    if (!dns)
        memcpy(bytes, word, len);
    if (sendto(fd, bytes, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        fail("send");
        return;
    }
    ssize_t n = answer(fd, bytes, sizeof(bytes));
    if (n < 0)
        puts(errno == ETIMEDOUT ? "silence" : strerrorname_np(errno));
    else if (dns && n > HEADER)
        printf("rcode %d%s%s\n", bytes[3] & 15, bytes[7] ? " " : "",
               bytes[7] ? inet_ntop(AF_INET, bytes + n - 4, ip, sizeof(ip)) : "");
    else
        printf("%.*s\n", (int)n, (const char *)bytes);
}

/* What a socket is told before it is used; false where that is refused. */
static bool prepare(int fd, const char *name, const char *value)
{
    static const struct {
        const char *name;
        int level, option;
    } numbers[] = {{"mark", SOL_SOCKET, SO_MARK},
                   {"tos", IPPROTO_IP, IP_TOS},
                   {"transparent", IPPROTO_IP, IP_TRANSPARENT},
                   {"freebind", IPPROTO_IP, IP_FREEBIND},
                   {"recverr", IPPROTO_IP, IP_RECVERR}};
    const int number = atoi(value);
    if (strcmp(name, "device") == 0)
        return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, value, (socklen_t)strlen(value)) == 0;
    if (strcmp(name, "port") == 0 || strcmp(name, "from") == 0) {
        const bool port = *name == 'p';
        struct sockaddr_in at = address(port ? "0.0.0.0" : value, port ? value : "0");
        return bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(name, numbers[i].name) == 0)
            return setsockopt(fd, numbers[i].level, numbers[i].option, &number, sizeof(number)) ==
                   0;
    fprintf(stderr, "udp_ways: what is '%s'?\n", name);
    exit(2);
}

/* talk [NAME=VALUE…] WORD…: on one socket, which sends to where `to=IP:PORT` last said; a word
 * `read` waits for a line of standard input. */
static int talk(char **argv)
{
    struct sockaddr_in to = {0};
    char line[8];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; *argv; argv++) {
        char *value = strchr(*argv, '='), *port = strchr(*argv, ':');
        if (strcmp(*argv, "read") == 0 && !fgets(line, sizeof(line), stdin))
            return 1;
        if (strcmp(*argv, "read") == 0)
            continue;
        if (!value) {
            converse(fd, &to, *argv);
            continue;
        }
        *value++ = '\0';
        if (strcmp(*argv, "to") == 0 && port) {
            *port++ = '\0';
            to = address(value, port);
        } else if (strcmp(*argv, "wait") == 0) {
            wait_ms = atoi(value);
        } else if (!prepare(fd, *argv, value)) {
            printf("%s: %s\n", *argv, strerrorname_np(errno));
        }
    }
    return 0;
}

/* share IP PORT PROGRAM: sends, then lets PROGRAM go on with the same socket as its standard
 * input. */
static int share(char **argv)
{
    struct sockaddr_in to = address(argv[0], argv[1]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    converse(fd, &to, "first");
    if (dup2(fd, STDIN_FILENO) < 0)
        return fail("dup2");
    execl(argv[2], argv[2], "inherited", argv[0], argv[1], (char *)NULL);
    return fail("exec");
}

static int inherited(char **argv)
{
    struct sockaddr_in to = address(argv[0], argv[1]);
    wait_ms = 500;
    for (int i = 0; i < 2; i++)
        converse(STDIN_FILENO, &to, "second");
    return 0;
}

/* pump IP PORT FILE: goes on until the file exists, whatever becomes of each datagram; prints how
 * many were answered. */
static int pump(char **argv)
{
    char byte;
    struct sockaddr_in to = address(argv[0], argv[1]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), answered = 0;
    wait_ms = 100;
    while (access(argv[2], F_OK)) {
        if (sendto(fd, "a pump that nobody else sounds as", 33, 0, (struct sockaddr *)&to,
                   sizeof(to)) < 0 &&
            errno != ECONNREFUSED)
            return fail("send");
        answered += answer(fd, &byte, 1) == 1;
    }
    printf("%d\n", answered);
    return 0;
}

struct piece {
    struct iphdr ip;
    uint8_t rest[1500];
};

/* Part of a datagram, from its offset on; options in front of it. */
static int send_piece(int fd, const struct sockaddr_in *to, uint32_t from, const uint8_t *data,
                      size_t at, size_t len, bool more, const uint8_t *options, size_t n_options)
{
    struct piece p = {.ip = {.version = 4,
                             .ihl = (5 + (unsigned)n_options / 4) & 15,
                             .id = htons((uint16_t)(to->sin_port + getpid())),
                             .frag_off = htons((uint16_t)(at / 8 | (more ? IP_MF : 0))),
                             .ttl = 64,
                             .protocol = IPPROTO_UDP,
                             .saddr = from,
                             .daddr = to->sin_addr.s_addr}};
    memcpy(p.rest, options, n_options);
    memcpy(p.rest + n_options, data + at, len);
    return sendto(fd, &p, sizeof(p.ip) + n_options + len, 0, (const struct sockaddr *)to,
                  sizeof(*to)) < 0;
}

/* raw HOW FROM SOURCE_PORT IP PORT: a datagram of 40 bytes (no checksum) as a whole, in tiny pieces
 * of 8 bytes, in pieces backwards, in pieces that overlap, without its end, with record route, or
 * by way of another host. */
static int raw(char **argv)
{
    static const uint8_t record_route[] = {7, 7, 4, 0, 0, 0, 0, 0};
    static const uint8_t source_route[] = {131, 7, 4, 93, 184, 216, 35, 0};
    const char *how = argv[0];
    struct sockaddr_in from = address(argv[1], argv[2]), to = address(argv[3], argv[4]);
    uint16_t head[4] = {from.sin_port, to.sin_port, htons(48), 0};
    uint8_t data[48];
    int bad = 0, fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    memset(data, 'r', sizeof(data));
    memcpy(data, head, sizeof(head));
    if (fd < 0)
        return fail("socket");
    if (strcmp(how, "tiny") == 0) {
        for (size_t at = 0; at < 48; at += 8)
            bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, at, 8, at < 40, NULL, 0);
    } else if (strcmp(how, "backwards") == 0) {
        for (size_t at = 48; at; at -= 8)
            bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, at - 8, 8, at < 48, NULL, 0);
    } else if (strcmp(how, "overlap") == 0) {
        bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, 0, 24, true, NULL, 0);
        bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, 16, 16, true, NULL, 0);
        bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, 24, 24, false, NULL, 0);
    } else if (strcmp(how, "endless") == 0) {
        bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, 0, 24, true, NULL, 0);
    } else {
        const uint8_t *options = strcmp(how, "options") == 0        ? record_route
                                 : strcmp(how, "source-route") == 0 ? source_route
                                                                    : NULL;
        bad |= send_piece(fd, &to, from.sin_addr.s_addr, data, 0, 48, false, options,
                          options ? sizeof(record_route) : 0);
    }
    if (bad)
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
    } table[] = {{"by", 3, send_one}, {"many", 3, many},   {"run", 4, run},
                 {"talk", 2, talk},   {"share", 3, share}, {"inherited", 2, inherited},
                 {"pump", 3, pump},   {"raw", 5, raw}};
    for (size_t i = 0; argc > 1 && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(argv[1], table[i].name) == 0 && argc - 2 >= table[i].least)
            return table[i].run(argv + 2);
    fputs("usage: udp_ways by WAY IP PORT | many IP PORT COUNT | run IP PORT COUNT SIZE |\n"
          "       talk [NAME=VALUE|WORD|dns:NAME|read]… | share IP PORT PROGRAM |\n"
          "       pump IP PORT FILE | raw HOW FROM SOURCE_PORT IP PORT\n",
          stderr);
    return 2;
}
