/* SPDX-License-Identifier: MIT
 * A client that lives no longer than one connection: says the result by errno's name and exits.
 * With --many it is N such processes at once, each executed anew with an argument of its own, so
 * that every record can be told from every other. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_SEND = 65507, RESULTS = 256, OTHER = 255 };

struct options {
    bool udp;
    bool mapped; /* 127.0.0.1 as ::ffff:127.0.0.1 */
    bool reply;  /* wait for bytes, the end, or a reset */
    bool quiet;
    int timeout_ms;
    int many;
    size_t send;
    const char *address;
    const char *port;
};

static const char usage_text[] =
    "usage: connect_once [-u] [-4] [-r] [-q] [-t MS] [--many N] [--tag TEXT] ADDR PORT [BYTES]\n"
    "  -u  UDP: connected, one datagram      -4  IPv4 as an IPv4-mapped IPv6 address\n"
    "  -r  wait for the answer               -t  how long anything may take, in ms (5000)\n"
    "Prints OK, EOF (with -r: closed without a byte), or the name of the error; exits with "
    "errno.\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return OTHER;
}

static int parse_number(const char *text, long min, long max, long *out)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < min || n > max)
        return -EINVAL;
    *out = n;
    return 0;
}

static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"many", required_argument, NULL, 'm'}, {"tag", required_argument, NULL, 'T'}, {0}};
    long n;
    int c;

    *o = (struct options){.timeout_ms = 5000};
    while ((c = getopt_long(argc, argv, "u4rqt:", longs, NULL)) != -1) {
        switch (c) {
        case 'u':
            o->udp = true;
            break;
        case '4':
            o->mapped = true;
            break;
        case 'r':
            o->reply = true;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 't':
            if (parse_number(optarg, 1, 600000, &n))
                return -EINVAL;
            o->timeout_ms = (int)n;
            break;
        case 'm':
            if (parse_number(optarg, 1, 10000, &n))
                return -EINVAL;
            o->many = (int)n;
            break;
        case 'T': /* only there to be seen in the arguments */
            break;
        default:
            return -EINVAL;
        }
    }
    if (argc - optind < 2 || argc - optind > 3)
        return -EINVAL;
    o->address = argv[optind];
    o->port = argv[optind + 1];
    o->send = o->udp ? 1 : 0;
    if (argc - optind == 3) {
        if (parse_number(argv[optind + 2], 0, MAX_SEND, &n))
            return -EINVAL;
        o->send = (size_t)n;
    }
    return 0;
}

static int parse_address(const struct options *o, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    char mapped[64];
    const char *text = o->address;
    long port;

    if (parse_number(o->port, 1, 65535, &port))
        return -EINVAL;
    memset(out, 0, sizeof(*out));
    if (o->mapped) {
        snprintf(mapped, sizeof(mapped), "::ffff:%s", o->address);
        text = mapped;
    }
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        *len = sizeof(*in);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        *len = sizeof(*in6);
        return 0;
    }
    return -EINVAL;
}

static int wait_until(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, timeout_ms);
    if (n < 0)
        return -errno;
    return n ? 0 : -ETIMEDOUT;
}

static int connect_in_time(int fd, const struct sockaddr *to, socklen_t len, int timeout_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, to, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    int r = wait_until(fd, POLLOUT, timeout_ms);
    if (r)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -errno;
    return -error;
}

/* 0, a negative errno, or 1 where the other side closed without a byte. */
static int converse(int fd, const struct options *o)
{
    static char bytes[MAX_SEND];

    if (o->send || o->udp) {
        memset(bytes, 'x', o->send);
        if (send(fd, bytes, o->send, MSG_NOSIGNAL) < 0)
            return -errno;
    }
    if (!o->reply)
        return 0;
    int r = wait_until(fd, POLLIN, o->timeout_ms);
    if (r)
        return r;
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n < 0)
        return -errno;
    return n == 0 && !o->udp;
}

static int connect_once(const struct options *o)
{
    struct sockaddr_storage to;
    socklen_t len;

    int r = parse_address(o, &to, &len);
    if (r)
        return r;
    int fd = socket(to.ss_family, (o->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    r = connect_in_time(fd, (struct sockaddr *)&to, len, o->timeout_ms);
    if (!r)
        r = converse(fd, o);
    close(fd);
    return r;
}

static const char *result_name(int status)
{
    if (status == OTHER)
        return "EOF";
    return status ? strerrorname_np(status) : "OK";
}

/* The arguments of this call with `--many N` turned into `--tag tag-I`. */
static void execute_one(char **argv, int i, int gate)
{
    static char option[] = "--tag";
    char tag[32], byte;

    snprintf(tag, sizeof(tag), "tag-%d", i);
    for (char **a = argv; *a; a++) {
        if (strcmp(*a, "--many") == 0) {
            a[0] = option;
            a[1] = tag;
            break;
        }
    }
    /* The end of the pipe is the start for everyone. */
    while (read(gate, &byte, 1) < 0 && errno == EINTR)
        ;
    close(gate);
    if (!freopen("/dev/null", "w", stdout))
        _exit(OTHER);
    execv("/proc/self/exe", argv);
    _exit(OTHER);
}

static int connect_many(char **argv, int n)
{
    int gate[2], counts[RESULTS] = {0}, worst = 0, status, started = 0;

    if (pipe(gate)) {
        perror("connect_once: pipe");
        return OTHER;
    }
    for (; started < n; started++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("connect_once: fork");
            break;
        }
        if (pid == 0) {
            close(gate[1]);
            execute_one(argv, started, gate[0]);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < started; i++)
        if (wait(&status) > 0)
            counts[WIFEXITED(status) ? WEXITSTATUS(status) : EINTR]++;
    for (int i = 0; i < RESULTS; i++) {
        if (!counts[i])
            continue;
        printf("%s %d\n", result_name(i), counts[i]);
        worst = i;
    }
    return started == n ? worst : OTHER;
}

int main(int argc, char **argv)
{
    struct options o;

    if (parse_options(argc, argv, &o))
        return usage();
    if (o.many)
        return connect_many(argv, o.many);
    int r = connect_once(&o);
    int status = r == 1 ? OTHER : -r;
    if (!o.quiet)
        puts(result_name(status));
    return status;
}
