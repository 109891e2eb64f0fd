/* SPDX-License-Identifier: MIT
 * dns_names ADDRESS FIRST N FORMAT [forks]: asks port 53 of ADDRESS for N names, one after the
 * other over UDP, each built by FORMAT from the numbers from FIRST on: %n is the number, %s are 50
 * letters and digits that look random. `forks`: a process for each. Prints how many were answered
 * with each code, sorted: "NOERROR 12 REFUSED 3". With N behind a `+`, nobody waits for answers:
 * the names are sent as fast as they go, from a few sockets, and nothing is printed. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void random_letters(unsigned long long n, char out[51])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned long long state = n * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 50; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = letters[(state >> 33) % 36];
    }
    out[50] = '\0';
}

static void make_name(const char *format, unsigned long long n, char *out, size_t size)
{
    char letters[51];
    size_t len = 0;
    random_letters(n, letters);
    for (; *format && len + 64 < size; format++) {
        if (*format != '%') {
            out[len++] = *format;
            continue;
        }
        format++;
        len += (size_t)(*format == 'n' ? snprintf(out + len, size - len, "%llu", n)
                                       : snprintf(out + len, size - len, "%s", letters));
    }
    out[len] = '\0';
}

static size_t make_query(const char *name, unsigned id, uint8_t out[512])
{
    const uint8_t head[12] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
    size_t len = sizeof head;
    memcpy(out, head, len);
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label > 63 || len + label + 6 > 512)
            exit(2);
        out[len++] = (uint8_t)label;
        memcpy(out + len, name, label);
        len += label;
        name += label + (name[label] == '.');
    }
    memcpy(out + len, "\0\0\1\0\1", 5);
    return len + 5;
}

static int open_to(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("dns_names");
        exit(2);
    }
    return fd;
}

/* The answer's code; asked again where it was lost; 15 where none comes. */
static int ask(const char *address, const char *name, unsigned id)
{
    uint8_t query[512], answer[4096];
    size_t len = make_query(name, id, query);
    int fd = open_to(address), code = 15;
    for (int tries = 0; tries < 5 && code == 15; tries++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        send(fd, query, len, 0);
        if (poll(&p, 1, 4000) > 0 && recv(fd, answer, sizeof answer, 0) >= 12)
            code = answer[3] & 15;
    }
    close(fd);
    return code;
}

static int ask_forked(const char *address, const char *name, unsigned id)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(ask(address, name, id));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) & 15 : 15;
}

static void flood(const char *address, unsigned long long first, unsigned long long n,
                  const char *format)
{
    enum { SOCKETS = 16 };
    int fds[SOCKETS];
    char name[512];
    uint8_t query[512];
    for (int i = 0; i < SOCKETS; i++)
        fds[i] = open_to(address);
    for (unsigned long long i = 0; i < n; i++) {
        make_name(format, first + i, name, sizeof name);
        size_t len = make_query(name, (unsigned)i, query);
        send(fds[i % SOCKETS], query, len, 0);
    }
}

int main(int argc, char **argv)
{
    static const char *const words[16] = {"NOERROR", "FORMERR", "SERVFAIL",      "NXDOMAIN",
                                          "NOTIMP",  "REFUSED", [15] = "silence"};
    unsigned long long counts[16] = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: dns_names ADDRESS FIRST [+]N FORMAT [forks]\n");
        return 2;
    }
    unsigned long long first = strtoull(argv[2], NULL, 10), n = strtoull(argv[3], NULL, 10);
    bool forks = argc > 5;
    if (*argv[3] == '+') {
        flood(argv[1], first, n, argv[4]);
        return 0;
    }
    for (unsigned long long i = first; i < first + n; i++) {
        char name[512];
        make_name(argv[4], i, name, sizeof name);
        counts[(forks ? ask_forked : ask)(argv[1], name, (unsigned)i & 0xffff)]++;
    }
    const char *space = "";
    for (int i = 0; i < 16; i++) {
        if (!counts[i])
            continue;
        printf("%s%s %llu", space, words[i] ? words[i] : "other", counts[i]);
        space = " ";
    }
    printf("\n");
    return 0;
}
