/* SPDX-License-Identifier: MIT
 * Either side of a conversation over TCP, step by step as told: servers of protocols that nothing
 * light speaks, and clients that say the wrong thing at the wrong time. What a server heard is
 * printed when a connection ends: the proof of what arrived. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEARD_MAX = 1 << 17, CHUNK = 65536, WAIT_MS = 20000 };

struct peer {
    int fd;
    char heard[HEARD_MAX + 1];
    size_t n_heard, looked; /* before it, an earlier step has looked */
    size_t total;           /* with what was not kept for want of room */
    const char *end;        /* how the other side ended, or NULL */
};

/* More of what the other side says. Returns false at its end. */
static bool hear(struct peer *p)
{
    char scrap[CHUNK];
    struct pollfd f = {p->fd, POLLIN, 0};
    bool room = p->n_heard < HEARD_MAX;
    if (p->end)
        return false;
    if (poll(&f, 1, WAIT_MS) <= 0) {
        p->end = "silence";
        return false;
    }
    ssize_t n = room ? recv(p->fd, p->heard + p->n_heard, HEARD_MAX - p->n_heard, 0)
                     : recv(p->fd, scrap, sizeof(scrap), 0);
    if (n <= 0)
        p->end = n == 0 ? "end" : errno == ECONNRESET ? "reset" : strerrorname_np(errno);
    if (n > 0) {
        p->total += (size_t)n;
        p->n_heard += room ? (size_t)n : 0;
    }
    return n > 0;
}

static bool send_all(struct peer *p, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Until the other side's kernel has it: what is sent next is a segment of its own. */
static bool settle(struct peer *p)
{
    int left = 1;
    for (int i = 0; i < 20000 && left; i++) {
        if (ioctl(p->fd, SIOCOUTQ, &left) < 0)
            return false;
        if (left)
            poll(NULL, 0, 1);
    }
    return left == 0;
}

/* \r, \n, \0 and \xNN in place. */
static size_t unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        unsigned byte;
        if (at[0] != '\\' || !at[1]) {
            *to++ = *at;
        } else if (at[1] == 'x' && sscanf(at + 2, "%2x", &byte) == 1) {
            *to++ = (char)byte;
            at += 3;
        } else {
            at++;
            *to++ = *at == 'r' ? '\r' : *at == 'n' ? '\n' : *at == '0' ? '\0' : *at;
        }
    }
    return (size_t)(to - text);
}

static bool step_send(struct peer *p, const char *arg)
{
    char text[CHUNK];
    snprintf(text, sizeof(text), "%s", arg);
    return send_all(p, text, unescape(text));
}

/* PATH, or PATH@FROM, or PATH@FROM+COUNT */
static bool step_file(struct peer *p, const char *arg)
{
    static char data[1 << 20];
    char path[256];
    size_t from = 0, count = sizeof(data), len;
    snprintf(path, sizeof(path), "%s", arg);
    char *range = strchr(path, '@');
    if (range) {
        *range = '\0';
        sscanf(range + 1, "%zu+%zu", &from, &count);
    }
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    len = fread(data, 1, sizeof(data), f);
    fclose(f);
    from = from < len ? from : len;
    len -= from;
    return send_all(p, data + from, len < count ? len : count);
}

/* The whole file, each byte a segment of its own. */
static bool step_drip(struct peer *p, const char *arg)
{
    char data[4096];
    FILE *f = fopen(arg, "re");
    size_t len = f ? fread(data, 1, sizeof(data), f) : 0;
    if (f)
        fclose(f);
    for (size_t i = 0; i < len; i++)
        if (!send_all(p, data + i, 1) || !settle(p))
            return false;
    return len > 0;
}

static bool step_wait(struct peer *p, const char *arg)
{
    char text[1024], *found;
    snprintf(text, sizeof(text), "%s", arg);
    size_t n = unescape(text);
    while (!(found = memmem(p->heard + p->looked, p->n_heard - p->looked, text, n)))
        if (!hear(p))
            return false;
    p->looked = (size_t)(found - p->heard) + n;
    return true;
}

static bool step_bytes(struct peer *p, const char *arg)
{
    size_t n = strtoul(arg, NULL, 10);
    while (p->n_heard - p->looked < n)
        if (!hear(p))
            return false;
    p->looked += n;
    return true;
}

/* Somebody outside makes the file when the time has come. */
static bool step_when(struct peer *p, const char *arg)
{
    (void)p;
    for (int i = 0; i < WAIT_MS; i++) {
        if (access(arg, F_OK) == 0)
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

static bool step_settle(struct peer *p, const char *arg)
{
    (void)arg;
    return settle(p);
}

static bool step_end(struct peer *p, const char *arg)
{
    (void)arg;
    return shutdown(p->fd, SHUT_WR) == 0;
}

static bool step_rest(struct peer *p, const char *arg)
{
    (void)arg;
    while (hear(p))
        ;
    return true;
}

static int dial(const char *ip, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, ip, &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* From here on another server of 127.0.0.1 speaks. */
static bool step_relay(struct peer *p, const char *arg)
{
    char data[CHUNK];
    int other = dial("127.0.0.1", arg);
    struct pollfd f[] = {{p->fd, POLLIN, 0}, {other, POLLIN, 0}};
    if (other < 0 || write(other, p->heard + p->looked, p->n_heard - p->looked) < 0)
        return false;
    while (poll(f, 2, WAIT_MS) > 0) {
        for (int i = 0; i < 2; i++) {
            ssize_t n = f[i].revents ? recv(f[i].fd, data, sizeof(data), 0) : 1;
            if (n <= 0)
                return close(other) == 0;
            if (f[i].revents && send(f[!i].fd, data, (size_t)n, MSG_NOSIGNAL) != n)
                return close(other) == 0;
        }
    }
    return close(other) == 0;
}

static const struct {
    const char *name;
    bool (*run)(struct peer *p, const char *arg);
    const char *help;
} steps[] = {
    {"send:", step_send, "TEXT, with \\r, \\n, \\0 and \\xNN"},
    {"file:", step_file, "PATH[@FROM[+COUNT]]: sends what is in it"},
    {"drip:", step_drip, "PATH: sends what is in it, byte by byte"},
    {"wait:", step_wait, "TEXT: hears until the other side has said it"},
    {"bytes:", step_bytes, "N: hears until so many more have come"},
    {"when:", step_when, "PATH: waits until there is such a file"},
    {"settle", step_settle, "waits until all that was sent was taken"},
    {"end", step_end, "ends this side"},
    {"rest", step_rest, "hears to the end"},
    {"relay:", step_relay, "PORT: the server there goes on"},
};

/* Returns the step that failed, or NULL. */
static const char *run(struct peer *p, char **argv)
{
    for (; *argv; argv++) {
        size_t i = 0;
        while (i < sizeof(steps) / sizeof(*steps) &&
               strncmp(*argv, steps[i].name, strlen(steps[i].name)) != 0)
            i++;
        if (i == sizeof(steps) / sizeof(*steps)) {
            fprintf(stderr, "converse: '%s' is no step\n", *argv);
            exit(2);
        }
        if (!steps[i].run(p, *argv + strlen(steps[i].name)))
            return *argv;
    }
    return NULL;
}

/* In one line. */
static void print_heard(const struct peer *p, const char *failed)
{
    char line[1024];
    size_t n = 0;
    for (size_t i = 0; i < p->n_heard && n + 5 < sizeof(line) - 200; i++) {
        unsigned char c = (unsigned char)p->heard[i];
        if (isprint(c) && c != '\\')
            line[n++] = (char)c;
        else
            n += (size_t)sprintf(line + n, c == '\r' ? "\\r" : c == '\n' ? "\\n" : "\\x%02x", c);
    }
    line[n] = '\0';
    printf("%zu %s%s%s %s\n", p->total, p->end ? p->end : "open", failed ? " at " : "",
           failed ? failed : "", line);
    fflush(stdout);
}

static int converse_client(char **argv)
{
    static struct peer p;
    p.fd = dial(argv[0], argv[1]);
    if (p.fd < 0) {
        printf("0 %s\n", strerrorname_np(errno));
        return 1;
    }
    const char *failed = run(&p, argv + 2);
    print_heard(&p, failed);
    return failed != NULL;
}

static int converse_server(char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[0], NULL, 10))};
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    signal(SIGCHLD, SIG_IGN);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 4096)) {
        fprintf(stderr, "converse: cannot listen on port %s: %s\n", argv[0], strerror(errno));
        return 1;
    }
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (fork() == 0) {
            static struct peer p;
            p.fd = fd;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            const char *failed = run(&p, argv + 1);
            print_heard(&p, failed);
            _exit(0);
        }
        close(fd);
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "client") == 0)
        return converse_client(argv + 2);
    if (argc >= 3 && strcmp(argv[1], "server") == 0)
        return converse_server(argv + 2);
    fputs("usage: converse client IP PORT STEP… | server PORT STEP…, where a step is\n", stderr);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        fprintf(stderr, "  %-7s%s\n", steps[i].name, steps[i].help);
    return 2;
}
