/* SPDX-License-Identifier: MIT
 * Many connections of one process to an echo, all open at once: each says its number, and when
 * every one has heard its own again, each says it once more. Prints how many did. With FILE it
 * makes FILE.open in between and goes on when FILE is there. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 16384, WAIT_MS = 30000 };

struct line {
    char text[16];
    char heard[16];
    size_t n_heard;
};

static struct pollfd fds[MOST];
static struct line lines[MOST];

static int dial_all(const char *ip, const char *port, int n)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    if (inet_pton(AF_INET, ip, &to.sin_addr) != 1)
        return -EINVAL;
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
            return -errno;
        fds[i] = (struct pollfd){fd, POLLIN, 0};
    }
    return 0;
}

/* Returns how many heard what they said. */
static int round_trip(int n)
{
    int done = 0;
    for (int i = 0; i < n; i++) {
        struct line *l = &lines[i];
        int len = snprintf(l->text, sizeof(l->text), "line %d\n", i);
        l->n_heard = 0;
        fds[i].events = POLLIN;
        if (send(fds[i].fd, l->text, (size_t)len, MSG_NOSIGNAL) != len)
            return -errno;
    }
    while (done < n && poll(fds, (nfds_t)n, WAIT_MS) > 0) {
        for (int i = 0; i < n; i++) {
            struct line *l = &lines[i];
            if (!fds[i].revents)
                continue;
            ssize_t got = recv(fds[i].fd, l->heard + l->n_heard, sizeof(l->heard) - l->n_heard, 0);
            if (got <= 0)
                return done;
            l->n_heard += (size_t)got;
            if (l->n_heard < strlen(l->text))
                continue;
            fds[i].events = 0;
            done += memcmp(l->heard, l->text, strlen(l->text)) == 0;
        }
    }
    return done;
}

static void wait_for_file(const char *file)
{
    char opened[256];
    snprintf(opened, sizeof(opened), "%s.open", file);
    FILE *mark = fopen(opened, "w");
    if (mark)
        fclose(mark);
    while (mark && access(file, F_OK) != 0)
        poll(NULL, 0, 20);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int n = argc == 4 || argc == 5 ? atoi(argv[3]) : 0;
    if (n < 1 || n > MOST) {
        fputs("usage: crowd IP PORT COUNT [FILE]\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int failed = dial_all(argv[1], argv[2], n);
    if (failed) {
        printf("%s\n", strerrorname_np(-failed));
        return 1;
    }
    int first = round_trip(n);
    if (argc == 5)
        wait_for_file(argv[4]);
    printf("%d %d\n", first, round_trip(n));
    return 0;
}
