/* SPDX-License-Identifier: MIT
 * The client of `make bench`: work in units, by some processes at once, and at the end one line of
 * JSON that says how many came out right and how long they took. What a proxy spends on them is
 * read by whoever started this.
 *
 *     load tls  IP PORT NAME WORKERS UNITS        a new connection and one request each
 *     load names IP PORT ZONE WORKERS UNITS       the same, each by a name nobody asked for before
 *     load bulk IP PORT NAME WORKERS MIB          TLS, requests of /big until that much was read
 *     load kept IP PORT NAME WORKERS UNITS        TLS, requests on one connection a worker
 *     load http IP PORT NAME WORKERS UNITS        the same without TLS
 *     load hold IP PORT NAME WORKERS UNITS        opens, says so, and waits for the end of input
 *     load keep IP PORT NAME WORKERS UNITS        the same after a request on each
 *     load leaf IP PORT NAME                      the digest of the certificate that is shown
 *     load tcp  IP PORT WORKERS UNITS             a new connection and one line, echoed, each
 *     load stream IP PORT WORKERS MIB             plain TCP, one direction
 *     load dns  IP PORT WORKERS UNITS ZONE        a name each that nobody asked for before
 *     load flow IP PORT WORKERS UNITS             UDP: a new flow and one datagram, echoed, each
 *     load datagram IP PORT WORKERS UNITS         UDP: datagrams, echoed, of one flow a worker
 *     load gap  IP PORT                           connections until the end of input: the longest
 *
 * tcp, stream, flow, datagram and gap want the origin of origin.c. With --connect TLS asks an HTTP
 * proxy at IP and PORT for NAME:443, and http asks it for the whole URL. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
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

#include "bench/conn.h"

enum { WORKERS_MAX = 64, CHUNK = 1 << 16, TRIES = 3 };

struct task {
    struct conn_way way;
    const char *name;   /* of the server, or the zone */
    bool after_request; /* hold: only after one */
    unsigned workers;
    unsigned long units; /* of this worker */
};

/* What each worker came to, in memory that all share. */
struct tally {
    unsigned long done, failed, again; /* again: done, at the second try */
    atomic_bool ready;                 /* whoever goes on holding what it has done */
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool one_request(const struct task *t, const char *name)
{
    struct conn c;
    if (!conn_open_tls(&c, &t->way, name))
        return false;
    const bool good = conn_request(&c, "/small", name, true) > 0;
    conn_close(&c);
    return good;
}

static void do_tls(const struct task *t, struct tally *tally)
{
    for (unsigned long i = 0; i < t->units; i++) {
        bool good = one_request(t, t->name);
        tally->done += good;
        tally->failed += !good;
    }
}

/* Twice at most for each: HAProxy 2.6 ends the first connection for which it makes a certificate.
 */
static void do_names(const struct task *t, struct tally *tally)
{
    for (unsigned long i = 0; i < t->units; i++) {
        char name[128];
        snprintf(name, sizeof name, "n%d-%lu.%s", getpid(), i, t->name);
        bool first = one_request(t, name), good = first || one_request(t, name);
        tally->done += good;
        tally->failed += !good;
        tally->again += good && !first;
    }
}

static void do_bulk(const struct task *t, struct tally *tally)
{
    size_t got = 0;
    while (got >> 20 < t->units) {
        struct conn c;
        bool open = conn_open_tls(&c, &t->way, t->name);
        size_t n = open ? conn_request(&c, "/big", t->name, true) : 0;
        got += n;
        if (open)
            conn_close(&c);
        if (!n) {
            tally->failed++;
            break;
        }
    }
    tally->done += got >> 20;
}

/* On one connection, and on another where that one was closed. */
static void do_requests(const struct task *t, struct tally *tally, bool by_tls)
{
    char url[160];
    struct conn c;
    bool open = false;
    snprintf(url, sizeof url, "http://%s/small", t->name);
    const char *path = by_tls || !t->way.by_connect ? "/small" : url;
    for (unsigned long i = 0; i < t->units; i++) {
        if (!open && by_tls)
            open = conn_open_tls(&c, &t->way, t->name);
        else if (!open)
            open = conn_open_plain(&c, &t->way);
        bool good = open && conn_request(&c, path, t->name, false);
        tally->done += good;
        tally->failed += !good;
        if (open && !good) {
            conn_close(&c);
            open = false;
        }
    }
    if (open)
        conn_close(&c);
}

static void do_kept(const struct task *t, struct tally *tally)
{
    do_requests(t, tally, true);
}

static void do_http(const struct task *t, struct tally *tally)
{
    do_requests(t, tally, false);
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
        int fd = conn_dial(&t->way, SOCK_STREAM);
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
    int fd = conn_dial(&t->way, SOCK_STREAM),
        len = snprintf(line, sizeof line, "send %lu\n", t->units);
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
    int fd = conn_dial(&t->way, SOCK_DGRAM);
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
            fd = conn_dial(&t->way, SOCK_DGRAM);
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

static void print_tallies(const struct tally *tallies, unsigned n, double took)
{
    struct tally sum = {0};
    for (unsigned i = 0; i < n; i++) {
        sum.done += tallies[i].done;
        sum.failed += tallies[i].failed;
        sum.again += tallies[i].again;
    }
    printf("{\"units\":%lu,\"failed\":%lu,\"again\":%lu,\"seconds\":%.6f}\n", sum.done, sum.failed,
           sum.again, took);
    fflush(stdout);
}

static void wait_for_end(void)
{
    char scrap[64];
    while (read(STDIN_FILENO, scrap, sizeof scrap) > 0)
        ;
}

/* By several processes at once, until each has ended or, where they hold what they have done, until
 * the end of input, with which they end. */
static int share_out(struct task *t, unsigned long units,
                     void (*work)(const struct task *, struct tally *), bool holds)
{
    struct tally *tallies = mmap(NULL, sizeof(*tallies) * WORKERS_MAX, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct timespec moment = {0, 10000000};
    double from = seconds();
    if (tallies == MAP_FAILED || !t->workers || t->workers > WORKERS_MAX)
        return 2;
    for (unsigned i = 0; i < t->workers; i++) {
        t->units = units / t->workers + (i < units % t->workers);
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(t, &tallies[i]);
            _exit(0);
        }
    }
    for (unsigned i = 0; holds && i < t->workers; i++)
        while (!tallies[i].ready && waitpid(-1, NULL, WNOHANG) == 0)
            nanosleep(&moment, NULL);
    while (!holds && wait(NULL) > 0)
        ;
    print_tallies(tallies, t->workers, seconds() - from);
    if (holds)
        wait_for_end();
    return 0;
}

static void do_hold(const struct task *t, struct tally *tally)
{
    struct conn c;
    for (unsigned long i = 0; i < t->units; i++) {
        bool good = conn_open_tls(&c, &t->way, t->name) &&
                    (!t->after_request || conn_request(&c, "/small", t->name, false));
        tally->done += good;
        tally->failed += !good;
    }
    /* Held until the process that says how many there are has been told to end. */
    tally->ready = true;
    for (;;)
        pause();
}

/* Whose certificate it is tells whether somebody between has opened the connection. */
static int show_leaf(const struct task *t)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct conn c;
    if (!conn_open_tls(&c, &t->way, t->name))
        return 1;
    X509 *leaf = SSL_get1_peer_certificate(c.ssl);
    if (leaf)
        X509_digest(leaf, EVP_sha256(), digest, &len);
    for (unsigned i = 0; i < len; i++)
        printf("%02x", digest[i]);
    printf("\n");
    X509_free(leaf);
    conn_close(&c);
    return len == 0;
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

static const struct work {
    const char *name;
    void (*run)(const struct task *, struct tally *);
    bool names; /* a name of the server comes before the workers */
    bool holds;
} works[] = {
    {"tls", do_tls, true, false},        {"names", do_names, true, false},
    {"bulk", do_bulk, true, false},      {"kept", do_kept, true, false},
    {"http", do_http, true, false},      {"hold", do_hold, true, true},
    {"keep", do_hold, true, true},       {"tcp", do_tcp, false, false},
    {"stream", do_stream, false, false}, {"dns", do_dns, false, false},
    {"flow", do_flow, false, false},     {"datagram", do_datagram, false, false},
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
    return share_out(t, units, work->run, work->holds);
}

int main(int argc, char **argv)
{
    struct task t = {0};
    struct rlimit files;
    int at = 1;
    if (argc > 1 && strcmp(argv[1], "--connect") == 0) {
        t.way.by_connect = true;
        at++;
    }
    if (argc < at + 3 || inet_pton(AF_INET, argv[at + 1], &t.way.to.sin_addr) != 1) {
        fputs("load: see the first lines of load.c\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    t.way.to.sin_family = AF_INET;
    t.way.to.sin_port = htons((uint16_t)strtoul(argv[at + 2], NULL, 10));
    t.way.tls = conn_tls_new();
    if (!t.way.tls)
        return 1;
    const char *name = argv[at];
    if (strcmp(name, "gap") == 0)
        return gap(&t);
    if (argc > at + 3)
        t.name = argv[at + 3];
    if (strcmp(name, "leaf") == 0 && t.name)
        return show_leaf(&t);
    t.after_request = strcmp(name, "keep") == 0;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(name, works[i].name) == 0)
            return run_work(&works[i], &t, argc - at - 3, argv + at + 3);
    return 2;
}
