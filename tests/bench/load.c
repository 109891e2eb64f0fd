/* SPDX-License-Identifier: MIT
 * The client and the plain origin of `make bench`: work in units, by some processes at once, and at
 * the end one line of JSON that says how many came out right and how long they took. What a proxy
 * spends on them is read by whoever started this.
 *
 *     load tls  IP PORT NAME WORKERS UNITS        a new connection and one request each
 *     load bulk IP PORT NAME WORKERS MIB          TLS, requests of /big until that much was read
 *     load hold IP PORT NAME UNITS                opens, says so, and waits for the end of input
 *     load tcp  IP PORT WORKERS UNITS             a new connection and one line, echoed, each
 *     load stream IP PORT WORKERS MIB             plain TCP, one direction
 *     load dns  IP PORT WORKERS UNITS ZONE        a name each that nobody asked for before
 *     load flow IP PORT WORKERS UNITS             UDP: a new flow and one datagram, echoed, each
 *     load datagram IP PORT WORKERS UNITS         UDP: datagrams, echoed, of one flow a worker
 *     load gap  IP PORT                           connections until the end of input: the longest
 * wait load serve IP PORT                          the origin of tcp, stream, flow and datagram
 *
 * With --connect the first three ask an HTTP proxy at IP and PORT for NAME:443. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, CHUNK = 1 << 16, TIMEOUT_S = 10, TRIES = 3, SERVERS = 8 };

struct task {
    struct sockaddr_in to;
    const char *name; /* of the server, or the zone */
    bool by_connect;
    unsigned worker, workers;
    unsigned long units; /* of this worker */
};

/* What each worker came to, in memory that all share. */
struct tally {
    unsigned long done, failed;
};

static SSL_CTX *tls;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(const struct task *t, int type)
{
    const struct timeval patience = {TIMEOUT_S, 0};
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&t->to, sizeof t->to) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool ask_connect(int fd, const char *name)
{
    char text[1024];
    size_t len = 0;
    int n =
        snprintf(text, sizeof text, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", name, name);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (len < sizeof text - 1) {
        /* A byte at a time: what follows belongs to TLS. */
        if (recv(fd, text + len, 1, 0) != 1)
            return false;
        text[++len] = '\0';
        if (len >= 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0)
            return strncmp(text, "HTTP/1.", 7) == 0 && strncmp(text + 8, " 200", 4) == 0;
    }
    return false;
}

static SSL *open_tls(const struct task *t)
{
    int fd = dial(t, SOCK_STREAM);
    if (fd < 0)
        return NULL;
    SSL *ssl = SSL_new(tls);
    if (ssl && (!t->by_connect || ask_connect(fd, t->name)) && SSL_set_fd(ssl, fd) == 1 &&
        SSL_set_tlsext_host_name(ssl, t->name) && SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void close_tls(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

/* Bytes of the answer to one request, head and all; 0 where it did not come whole. */
static size_t request(SSL *ssl, const char *name, const char *path)
{
    static char piece[CHUNK];
    size_t got = 0;
    int n = snprintf(piece, sizeof piece,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, name);
    if (SSL_write(ssl, piece, n) != n)
        return 0;
    while ((n = SSL_read(ssl, piece, sizeof piece)) > 0)
        got += (size_t)n;
    return SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN ? got : 0;
}

static void do_tls(const struct task *t, struct tally *tally)
{
    for (unsigned long i = 0; i < t->units; i++) {
        SSL *ssl = open_tls(t);
        bool good = ssl && request(ssl, t->name, "/small") > 1024;
        tally->done += good;
        tally->failed += !good;
        if (ssl)
            close_tls(ssl);
    }
}

static void do_bulk(const struct task *t, struct tally *tally)
{
    size_t got = 0;
    while (got >> 20 < t->units) {
        SSL *ssl = open_tls(t);
        size_t n = ssl ? request(ssl, t->name, "/big") : 0;
        got += n;
        if (ssl)
            close_tls(ssl);
        if (!n) {
            tally->failed++;
            break;
        }
    }
    tally->done += got >> 20;
}

static bool say(int fd, const char *line, size_t len)
{
    return send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool hear(int fd, const char *line, size_t len)
{
    char back[64];
    return recv(fd, back, len, MSG_WAITALL) == (ssize_t)len && memcmp(back, line, len) == 0;
}

static void do_tcp(const struct task *t, struct tally *tally)
{
    static const char line[] = "one line\n";
    for (unsigned long i = 0; i < t->units; i++) {
        int fd = dial(t, SOCK_STREAM);
        bool good = fd >= 0 && say(fd, line, sizeof line - 1) && hear(fd, line, sizeof line - 1);
        tally->done += good;
        tally->failed += !good;
        if (fd >= 0)
            close(fd);
    }
}

static void do_stream(const struct task *t, struct tally *tally)
{
    static char piece[CHUNK];
    char line[32];
    size_t got = 0;
    ssize_t n;
    int fd = dial(t, SOCK_STREAM), len = snprintf(line, sizeof line, "send %lu\n", t->units);
    if (fd >= 0 && say(fd, line, (size_t)len))
        while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
            got += (size_t)n;
    tally->done += got >> 20;
    tally->failed += got >> 20 < t->units;
    if (fd >= 0)
        close(fd);
}

/* One datagram and its answer, sent again where it is lost. */
static bool exchange(int fd, const void *what, size_t len, void *back, size_t room, size_t least)
{
    for (int i = 0; i < TRIES; i++) {
        struct pollfd p = {fd, POLLIN, 0};
        if (send(fd, what, len, 0) != (ssize_t)len)
            continue;
        while (poll(&p, 1, 1000) > 0) {
            ssize_t n = recv(fd, back, room, 0);
            if (n >= (ssize_t)least && memcmp(back, what, 2) == 0)
                return true;
            if (n < 0)
                break;
        }
    }
    return false;
}

static size_t put_query(uint8_t *out, const struct task *t, unsigned long i)
{
    const uint8_t head[12] = {(uint8_t)(i >> 8), (uint8_t)i, 1, 0, 0, 1};
    char name[128];
    size_t len = sizeof head;
    /* Of this process alone, so that no run before it left an answer in anybody's cache. */
    snprintf(name, sizeof name, "n%d-%lu.%s", getpid(), i, t->name);
    memcpy(out, head, sizeof head);
    for (const char *label = name; *label;) {
        size_t n = strcspn(label, ".");
        out[len++] = (uint8_t)n;
        memcpy(out + len, label, n);
        len += n;
        label += n + (label[n] == '.');
    }
    memcpy(out + len, "\0\0\1\0\1", 5);
    return len + 5;
}

static void do_dns(const struct task *t, struct tally *tally)
{
    uint8_t query[256], answer[1500];
    int fd = dial(t, SOCK_DGRAM);
    for (unsigned long i = 0; i < t->units; i++) {
        size_t len = put_query(query, t, i);
        bool good = exchange(fd, query, len, answer, sizeof answer, len) &&
                    (answer[3] & 0xf) == 0 && answer[7] > 0;
        tally->done += good;
        tally->failed += !good;
    }
    close(fd);
}

static void do_datagrams(const struct task *t, struct tally *tally, bool each_a_flow)
{
    char back[64];
    int fd = -1;
    for (unsigned long i = 0; i < t->units; i++) {
        if (fd < 0)
            fd = dial(t, SOCK_DGRAM);
        bool good = fd >= 0 && exchange(fd, "a datagram", 10, back, sizeof back, 10);
        tally->done += good;
        tally->failed += !good;
        if (each_a_flow && fd >= 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void do_flow(const struct task *t, struct tally *tally)
{
    do_datagrams(t, tally, true);
}

static void do_datagram(const struct task *t, struct tally *tally)
{
    do_datagrams(t, tally, false);
}

static int share_out(struct task *t, unsigned long units,
                     void (*work)(const struct task *, struct tally *))
{
    struct tally *tallies = mmap(NULL, sizeof(*tallies) * WORKERS_MAX, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct tally sum = {0};
    double from = seconds();
    if (tallies == MAP_FAILED || !t->workers || t->workers > WORKERS_MAX)
        return 2;
    for (t->worker = 0; t->worker < t->workers; t->worker++) {
        t->units = units / t->workers + (t->worker < units % t->workers);
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(t, &tallies[t->worker]);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    for (unsigned i = 0; i < t->workers; i++) {
        sum.done += tallies[i].done;
        sum.failed += tallies[i].failed;
    }
    printf("{\"units\":%lu,\"failed\":%lu,\"seconds\":%.6f}\n", sum.done, sum.failed,
           seconds() - from);
    return 0;
}

static void wait_for_end(void)
{
    char scrap[64];
    while (read(STDIN_FILENO, scrap, sizeof scrap) > 0)
        ;
}

static int hold(const struct task *t, unsigned long units)
{
    unsigned long done = 0;
    for (unsigned long i = 0; i < units; i++)
        done += open_tls(t) != NULL;
    printf("{\"units\":%lu,\"failed\":%lu}\n", done, units - done);
    fflush(stdout);
    wait_for_end();
    return 0;
}

/* From one echo to the next, the longest time; and how many did not come. */
static int gap(const struct task *t)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    double longest = 0, last = seconds();
    unsigned long done = 0, failed = 0;
    while (poll(&input, 1, 0) == 0) {
        struct tally one = {0};
        struct task each = *t;
        each.units = 1;
        do_tcp(&each, &one);
        done += one.done;
        failed += one.failed;
        if (one.done && done > 1 && seconds() - last > longest)
            longest = seconds() - last;
        if (one.done)
            last = seconds();
    }
    printf("{\"units\":%lu,\"failed\":%lu,\"longest\":%.6f}\n", done, failed, longest);
    return 0;
}

/* One connection: an echo of its line, or as many MiB as it asks for. */
static void serve_one(int fd)
{
    static char piece[CHUNK];
    char line[64] = "";
    unsigned long mib;
    ssize_t n = recv(fd, line, sizeof line - 1, 0);
    if (n > 0 && sscanf(line, "send %lu", &mib) == 1) {
        for (unsigned long left = mib << 20; left;) {
            n = send(fd, piece, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            left -= (unsigned long)n;
        }
        return;
    }
    while (n > 0 && say(fd, line, (size_t)n))
        n = recv(fd, line, sizeof line - 1, 0);
}

static int serve(const struct task *t)
{
    char piece[2048];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    int on = 1, tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(tcp, (const struct sockaddr *)&t->to, sizeof t->to) || listen(tcp, 4096) ||
        bind(udp, (const struct sockaddr *)&t->to, sizeof t->to)) {
        perror("load: serve");
        return 1;
    }
    for (int i = 0; i < SERVERS; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) {
                int fd = accept(tcp, NULL, NULL);
                if (fd >= 0)
                    serve_one(fd);
                close(fd);
            }
        }
    for (;;) {
        ssize_t n = recvfrom(udp, piece, sizeof piece, 0, (struct sockaddr *)&from, &len);
        if (n > 0)
            sendto(udp, piece, (size_t)n, 0, (struct sockaddr *)&from, len);
        len = sizeof from;
    }
}

static const struct work {
    const char *name;
    void (*run)(const struct task *, struct tally *);
    bool names; /* a name of the server comes before the workers */
} works[] = {
    {"tls", do_tls, true},
    {"bulk", do_bulk, true},
    {"tcp", do_tcp, false},
    {"stream", do_stream, false},
    {"dns", do_dns, false},
    {"flow", do_flow, false},
    {"datagram", do_datagram, false},
};

static int run_work(const struct work *work, struct task *t, int n, char **args)
{
    int at = 0;
    if (n < (work->names ? 3 : 2))
        return 2;
    if (work->names)
        t->name = args[at++];
    t->workers = (unsigned)strtoul(args[at++], NULL, 10);
    unsigned long units = strtoul(args[at++], NULL, 10);
    if (at < n)
        t->name = args[at];
    return share_out(t, units, work->run);
}

int main(int argc, char **argv)
{
    struct task t = {0};
    const struct rlimit most = {65536, 65536};
    int at = 1;
    if (argc > 1 && strcmp(argv[1], "--connect") == 0) {
        t.by_connect = true;
        at++;
    }
    if (argc < at + 3 || inet_pton(AF_INET, argv[at + 1], &t.to.sin_addr) != 1) {
        fputs("load: see the first lines of load.c\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &most); /* where it may; else fewer are held, and it says so */
    t.to.sin_family = AF_INET;
    t.to.sin_port = htons((uint16_t)strtoul(argv[at + 2], NULL, 10));
    tls = SSL_CTX_new(TLS_client_method());
    if (!tls)
        return 1;
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    const char *name = argv[at];
    if (strcmp(name, "serve") == 0)
        return serve(&t);
    if (strcmp(name, "gap") == 0)
        return gap(&t);
    if (strcmp(name, "hold") == 0 && argc == at + 5) {
        t.name = argv[at + 3];
        return hold(&t, strtoul(argv[at + 4], NULL, 10));
    }
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(name, works[i].name) == 0)
            return run_work(&works[i], &t, argc - at - 3, argv + at + 3);
    return 2;
}
