/* SPDX-License-Identifier: MIT
 * Makes one executable pass for another: a program connects and is gone at once, its connection is
 * kept by somebody else, and its file is changed before anybody has looked at it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(const char *what)
{
    puts(what);
    return strcmp(what, "OK") != 0;
}

/* dial FD IP PORT: begins to connect and does not wait. */
static int dial(char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    return connect(atoi(argv[0]), (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS;
}

/* By memory that was mapped for writing, and read first: where pages are not written back nobody
 * notes that. */
static int by_memory(const char *path, const char *byte)
{
    struct stat st;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &st))
        return -1;
    volatile char *at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -1;
    volatile char before = at[st.st_size - 1];
    (void)before;
    at[st.st_size - 1] = byte[0];
    return 0;
}

static int by_write(const char *path, const char *byte)
{
    struct stat st;
    int fd = open(path, O_WRONLY);
    return fd < 0 || fstat(fd, &st) || pwrite(fd, byte, 1, st.st_size - 1) != 1;
}

static int by_rename(const char *path, const char *other)
{
    return rename(other, path);
}

/* The request and its argument of ext4, which no header of user space has. */
struct move_extent {
    uint32_t reserved, donor_fd;
    uint64_t orig_start, donor_start, len, moved_len;
};
#define EXT4_IOC_MOVE_EXT _IOWR('f', 15, struct move_extent)

/* Opens a file of which nothing is cached: its pages must have been written, and be let go. */
static int open_settled(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0 || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
        return -1;
    return fd;
}

/* By giving its last block away, as if to defragment `other`: zeroes are left, and no new time. */
static int by_blocks(const char *path, const char *other)
{
    enum { BLOCK = 4096 };
    struct stat st;
    int fd = open_settled(path), to = open_settled(other);
    if (fd < 0 || to < 0 || fstat(fd, &st))
        return -1;
    const uint64_t last = (uint64_t)(st.st_size - 1) / BLOCK;
    struct move_extent move = {
        .donor_fd = (uint32_t)fd, .orig_start = last, .donor_start = last, .len = 1};
    if (ioctl(to, EXT4_IOC_MOVE_EXT, &move))
        return -1;
    return fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static const struct {
    const char *name;
    int (*change)(const char *path, const char *how);
} ways[] = {
    {"memory", by_memory}, {"write", by_write}, {"rename", by_rename}, {"blocks", by_blocks}};

static int change(const char *way, const char *path, const char *how)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].name, way) == 0)
            return ways[i].change(path, how);
    return -1;
}

/* What comes back on a connection that another process began. */
static const char *converse(int fd)
{
    char byte;
    fcntl(fd, F_SETFL, 0);
    /* Asked to connect again, a socket says when the first connection is there. */
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    while (getpeername(fd, (struct sockaddr *)&peer, &len) && errno == ENOTCONN) {
        int error = 0;
        socklen_t size = sizeof(error);
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
            return strerrorname_np(error ? error : errno);
    }
    if (send(fd, "hello", 5, MSG_NOSIGNAL) != 5)
        return strerrorname_np(errno);
    ssize_t n = recv(fd, &byte, 1, 0);
    return n < 0 ? strerrorname_np(errno) : n == 0 ? "EOF" : "OK";
}

/* swap IP PORT PROGRAM WAY HOW: PROGRAM, a copy of this one, dials; then it is changed. */
static int swap(char **argv)
{
    char number[16];
    int status, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(number, sizeof(number), "%d", fd);
    pid_t pid = fork();
    if (pid == 0) {
        execl(argv[2], "swap_exe", "dial", number, argv[0], argv[1], (char *)NULL);
        _exit(126);
    }
    if (fd < 0 || waitpid(pid, &status, 0) != pid || status)
        return say("no dial");
    if (change(argv[3], argv[2], argv[4]))
        return say("no change");
    return say(converse(fd));
}

/* change PROGRAM WAY HOW */
static int only_change(char **argv)
{
    return change(argv[1], argv[0], argv[2]) ? say(strerrorname_np(errno)) : say("OK");
}

/* set-mm: whether this process may ask for what /proc/PID/exe says of it. */
static int set_mm(char **argv)
{
    unsigned size;
    (void)argv;
    return say(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) ? strerrorname_np(errno) : "OK");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **argv);
    } table[] = {
        {"dial", 3, dial}, {"swap", 5, swap}, {"change", 3, only_change}, {"set-mm", 0, set_mm}};
    for (size_t i = 0; argc > 1 && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(argv[1], table[i].name) == 0 && argc == table[i].arguments + 2)
            return table[i].run(argv + 2);
    fputs("usage: swap_exe swap IP PORT PROGRAM memory|write|rename|blocks BYTE|OTHER\n"
          "       swap_exe change PROGRAM memory|write|rename|blocks BYTE|OTHER | set-mm\n",
          stderr);
    return 2;
}
