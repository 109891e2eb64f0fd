/* SPDX-License-Identifier: MIT
 * Ways to speak DNS over TCP to port 53 of an address that ordinary clients do not have:
 *
 * - dns_stream ADDRESS cuts NAME: NAME asked for on a connection each, cut in two at every byte
 * - dns_stream ADDRESS many N NAME: N connections at once, each of which asks when all are there
 * - dns_stream ADDRESS order A B: asks for A, then B, on one connection: who is answered first
 * - dns_stream ADDRESS lie LEN NAME: a length of LEN in front of a question for NAME
 * - dns_stream ADDRESS half NAME: all of a question but its last byte, and then waits
 * - dns_stream ADDRESS flood BAD NAME: asks for BAD on one connection without end, reading what is
 *   answered, and meanwhile for NAME on another
 *
 * Prints what was answered. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000, STREAMS = 4000 };

static int dial(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        perror("dns_stream");
        exit(2);
    }
    return fd;
}

/* With its length in front. */
static size_t question(const char *name, unsigned id, uint8_t out[300])
{
    const uint8_t head[14] = {0, 0, (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
    size_t len = sizeof head;
    if (strlen(name) > 250)
        exit(2);
    memcpy(out, head, len);
    while (*name) {
        size_t label = strcspn(name, ".");
        out[len++] = (uint8_t)label;
        memcpy(out + len, name, label);
        len += label;
        name += label + (name[label] == '.');
    }
    memcpy(out + len, "\0\0\1\0\1", 5);
    len += 5;
    out[0] = (uint8_t)((len - 2) >> 8);
    out[1] = (uint8_t)(len - 2);
    return len;
}

static bool receive(int fd, uint8_t *out, size_t len)
{
    while (len) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, WAIT_MS) > 0 ? recv(fd, out, len, 0) : 0;
        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

/* The id of the next answer, -1 where the other side closed or nothing came; *records its count. */
static int answer(int fd, unsigned *records)
{
    static uint8_t message[65535];
    uint8_t prefix[2];
    if (!receive(fd, prefix, 2))
        return -1;
    size_t len = (size_t)(prefix[0] << 8 | prefix[1]);
    if (len < 12 || !receive(fd, message, len))
        return -1;
    *records = (unsigned)(message[6] << 8 | message[7]);
    return message[0] << 8 | message[1];
}

static int cuts(const char *address, const char *name)
{
    uint8_t q[300];
    unsigned good = 0, records;
    size_t len = question(name, 7, q);
    for (size_t at = 1; at < len; at++) {
        int fd = dial(address);
        send(fd, q, at, MSG_NOSIGNAL);
        usleep(1000); /* so that they are two segments; nothing depends on it */
        send(fd, q + at, len - at, MSG_NOSIGNAL);
        good += answer(fd, &records) == 7 && records > 0;
        close(fd);
    }
    printf("%u of %zu\n", good, len - 1);
    return 0;
}

static int many(const char *address, unsigned n, const char *name)
{
    static int fds[STREAMS];
    struct rlimit files;
    uint8_t q[300];
    unsigned good = 0, records;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (unsigned i = 0; i < n && i < STREAMS; i++)
        fds[i] = dial(address);
    for (unsigned i = 0; i < n && i < STREAMS; i++)
        send(fds[i], q, question(name, i, q), MSG_NOSIGNAL);
    for (unsigned i = 0; i < n && i < STREAMS; i++)
        good += answer(fds[i], &records) == (int)i && records > 0;
    printf("%u\n", good);
    return 0;
}

static int order(const char *address, const char *a, const char *b)
{
    uint8_t q[300];
    unsigned records;
    int fd = dial(address);
    send(fd, q, question(a, 1, q), MSG_NOSIGNAL);
    send(fd, q, question(b, 2, q), MSG_NOSIGNAL);
    int first = answer(fd, &records), second = answer(fd, &records);
    printf("%d %d\n", first, second);
    return 0;
}

static int lie(const char *address, unsigned len, const char *name, size_t cut)
{
    uint8_t q[300], byte;
    size_t whole = question(name, 7, q) - cut;
    unsigned records;
    int fd = dial(address);
    if (!cut) {
        q[0] = (uint8_t)(len >> 8);
        q[1] = (uint8_t)len;
    }
    send(fd, q, whole, MSG_NOSIGNAL);
    if (!cut)
        shutdown(fd, SHUT_WR);
    bool answered = answer(fd, &records) >= 0;
    printf("%s\n", answered ? "answered" : receive(fd, &byte, 1) ? "said" : "closed");
    return 0;
}

/* Two processes, so that neither side of the connection ever waits for the other. */
static int flood(const char *address, const char *bad, const char *name)
{
    static uint8_t questions[65536], answers[1 << 20];
    uint8_t q[300];
    unsigned records;
    size_t len = question(bad, 1, q), n = 0;
    for (; n + len <= sizeof questions; n += len)
        memcpy(questions + n, q, len);
    int fd = dial(address);
    pid_t asks = fork();
    while (asks == 0 && send(fd, questions, n, MSG_NOSIGNAL) > 0)
        ;
    if (asks == 0)
        _exit(0);
    pid_t reads = receive(fd, answers, sizeof answers) ? fork() : -1; /* it is under way */
    while (reads == 0 && recv(fd, answers, sizeof answers, 0) > 0)
        ;
    if (reads == 0)
        _exit(0);
    int other = dial(address);
    send(other, q, question(name, 2, q), MSG_NOSIGNAL);
    printf("%s\n", reads < 0 ? "no flood" : answer(other, &records) == 2 ? "answered" : "starved");
    kill(asks, SIGKILL);
    if (reads > 0)
        kill(reads, SIGKILL);
    while (wait(NULL) > 0)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "cuts") == 0)
        return cuts(argv[1], argv[3]);
    if (argc == 5 && strcmp(argv[2], "many") == 0)
        return many(argv[1], (unsigned)atoi(argv[3]), argv[4]);
    if (argc == 5 && strcmp(argv[2], "order") == 0)
        return order(argv[1], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[2], "lie") == 0)
        return lie(argv[1], (unsigned)atoi(argv[3]), argv[4], 0);
    if (argc == 4 && strcmp(argv[2], "half") == 0)
        return lie(argv[1], 0, argv[3], 1);
    if (argc == 5 && strcmp(argv[2], "flood") == 0)
        return flood(argv[1], argv[3], argv[4]);
    fprintf(stderr, "usage: see dns_stream.c\n");
    return 2;
}
