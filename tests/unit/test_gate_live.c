/* SPDX-License-Identifier: MIT
 * The gate on the running kernel: what leaves the command's namespace by TCP and DNS arrives at
 * our sockets with the addresses and ports that the command used, and nothing stays behind. */
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "setup/link.h"
#include "unit/gate_live.h"

enum { GOOGLE = 0x08080808, RESOLVER = 0x01020304, STUB = 0x7f000035 };
enum { MANY = 10000, HOSTS = 40, FIRST_HOST = 0x0a010001 };

static ino_t inode_of(const char *path)
{
    struct stat st = {0};
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static size_t count_entries(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void test_caller_stays_where_it_was(void **state)
{
    (void)state;
    ino_t before = inode_of("/proc/thread-self/ns/net");
    size_t links = count_entries("/sys/class/net");
    size_t descriptors = count_entries("/proc/self/fd");
    struct gate g = open_gate();
    struct stat host, gate, client;
    assert_int_equal(fstat(g.host_ns, &host), 0);
    assert_int_equal(fstat(g.gate_ns, &gate), 0);
    assert_int_equal(fstat(g.client_ns, &client), 0);
    assert_int_equal(host.st_ino, before);
    assert_true(gate.st_ino != client.st_ino && gate.st_ino != before && client.st_ino != before);
    assert_true(g.client_cookie != 0);
    assert_int_equal(inode_of("/proc/thread-self/ns/net"), before);
    assert_int_equal(count_entries("/sys/class/net"), links);
    gate_close(&g);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    gate_close(&g); /* once more does no harm */
}

static int body_tcp(int parent)
{
    char answer[4] = {0};
    CLEANUP_FD int fd = connected(SOCK_STREAM, GOOGLE, 81);
    if (fd < 0)
        return 1;
    uint16_t port = own_port(fd);
    if (send(parent, &port, sizeof port, 0) != sizeof port)
        return 2;
    return read(fd, answer, sizeof answer) == 4 && memcmp(answer, "well", 4) == 0 ? 0 : 3;
}

static void test_tcp_arrives_with_its_addresses(void **state)
{
    (void)state;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_tcp);
    uint16_t port = 0;
    struct sockaddr_in to = {0}, from = {0};
    socklen_t to_len = sizeof to, from_len = sizeof from;
    assert_true(readable(g.tcp[0]));
    CLEANUP_FD int fd = accept4(g.tcp[0], NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(recv(c.fd, &port, sizeof port, 0), sizeof port);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &to_len), 0);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&from, &from_len), 0);
    assert_int_equal(ntohl(to.sin_addr.s_addr), GOOGLE);
    assert_int_equal(ntohs(to.sin_port), 81);
    assert_int_equal(ntohl(from.sin_addr.s_addr), GATE_CLIENT_IP);
    assert_int_equal(ntohs(from.sin_port), port);
    assert_int_equal(write(fd, "well", 4), 4);
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

/* What each of the many connections says about itself. */
struct claim {
    uint32_t ip;
    uint16_t source, port;
};

/* As many as there may be descriptors, in parent and child alike. */
static int how_many(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 0;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return 0;
    return files.rlim_max > MANY + 64 ? MANY : (int)files.rlim_max - 64;
}

static int body_many(int parent)
{
    static int fds[MANY];
    int n = how_many();
    for (int i = 0; i < n; i++) {
        struct claim claim = {.ip = (uint32_t)(FIRST_HOST + i % HOSTS), .port = 443};
        fds[i] = connected(SOCK_STREAM, claim.ip, claim.port);
        if (fds[i] < 0)
            return 1;
        claim.source = own_port(fds[i]);
        if (write(fds[i], &claim, sizeof claim) != sizeof claim)
            return 2;
    }
    char end; /* all stay open until the parent has seen all */
    return recv(parent, &end, 1, 0) == 0 ? 0 : 3;
}

static void check_claim(int fd, bool *used)
{
    struct claim claim = {0};
    struct sockaddr_in to = {0}, from = {0};
    socklen_t to_len = sizeof to, from_len = sizeof from;
    assert_true(readable(fd));
    assert_int_equal(recv(fd, &claim, sizeof claim, MSG_WAITALL), sizeof claim);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &to_len), 0);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&from, &from_len), 0);
    assert_int_equal(ntohs(from.sin_port), claim.source);
    assert_int_equal(ntohl(to.sin_addr.s_addr), claim.ip);
    assert_int_equal(ntohs(to.sin_port), claim.port);
    used[claim.source] = true;
}

static void test_10000_connections_keep_their_ports(void **state)
{
    (void)state;
    static int fds[MANY];
    static bool used[UINT16_MAX + 1];
    int n = how_many(), ports = 0;
    assert_true(n >= 512);
    struct gate g = open_gate();
    struct client c = client_start(&g, body_many);
    for (int i = 0; i < n; i++) {
        assert_true(readable(g.tcp[0]));
        fds[i] = accept4(g.tcp[0], NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    for (int i = 0; i < n; i++)
        check_claim(fds[i], used);
    for (size_t i = 0; i < ARRAY_SIZE(used); i++)
        ports += used[i];
    assert_true(ports > HOSTS);
    assert_int_equal(client_end(&c), 0);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    gate_close(&g);
}

enum { LOOPS = 4, SPREAD = 400 };

static int body_spread(int parent)
{
    (void)parent;
    for (int i = 0; i < SPREAD; i++)
        if (connected(SOCK_STREAM, GOOGLE, 81) < 0)
            return 1;
    return 0;
}

static void test_loops_share_connections(void **state)
{
    (void)state;
    struct gate g;
    struct error error = {0};
    struct pollfd waiting[LOOPS];
    int got[LOOPS] = {0}, all = 0;
    assert_int_equal(gate_open(&g, LOOPS, &error), 0);
    for (int i = 0; i < LOOPS; i++)
        waiting[i] = (struct pollfd){g.tcp[i], POLLIN, 0};
    assert_int_equal(g.tcp[LOOPS], -1);
    struct client c = client_start(&g, body_spread);
    assert_int_equal(client_end(&c), 0);
    while (all < SPREAD && poll(waiting, LOOPS, 5000) > 0)
        for (int i = 0; i < LOOPS; i++) {
            CLEANUP_FD int fd = waiting[i].revents ? accept4(g.tcp[i], NULL, NULL, 0) : -1;
            got[i] += fd >= 0;
            all += fd >= 0;
        }
    assert_int_equal(all, SPREAD);
    /* By hash: of many connections none has less than half of its share. */
    for (int i = 0; i < LOOPS; i++)
        assert_in_range(got[i], SPREAD / LOOPS / 2, SPREAD);
    gate_close(&g);
}

static int ask_dns(uint32_t server)
{
    char answer[16];
    CLEANUP_FD int fd = connected(SOCK_DGRAM, server, 53);
    if (fd < 0 || send(fd, "ask", 3, 0) != 3)
        return 1;
    /* Connected: the kernel passes an answer only when it comes from the address asked. */
    return recv(fd, answer, sizeof answer, 0) == 6 && memcmp(answer, "answer", 6) == 0 ? 0 : 2;
}

/* Receives the question and answers from the address that was asked. */
static void answer_dns(int fd, uint32_t server, uint32_t client)
{
    char text[16], control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
    struct sockaddr_in from = {0};
    struct iovec part = {text, sizeof text};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    assert_true(readable(fd));
    assert_int_equal(recvmsg(fd, &m, 0), 3);
    struct cmsghdr *header = CMSG_FIRSTHDR(&m);
    assert_non_null(header);
    struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(header);
    assert_int_equal(header->cmsg_type, IP_PKTINFO);
    assert_int_equal(ntohl(info->ipi_addr.s_addr), server);
    assert_int_equal(ntohl(from.sin_addr.s_addr), client);
    info->ipi_spec_dst = info->ipi_addr;
    info->ipi_ifindex = 0;
    memcpy(text, "answer", 6);
    part.iov_len = 6;
    assert_int_equal(sendmsg(fd, &m, 0), 6);
}

static int body_dns(int parent)
{
    (void)parent;
    return ask_dns(RESOLVER);
}

static void test_dns_is_answered_from_the_address_asked(void **state)
{
    (void)state;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_dns);
    answer_dns(g.dns_udp, RESOLVER, GATE_CLIENT_IP);
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

static int body_stub(int parent)
{
    (void)parent;
    CLEANUP_FD int tcp = connected(SOCK_STREAM, STUB, 53);
    return tcp < 0 ? 10 : ask_dns(STUB);
}

static void test_loopback_resolver_is_ours(void **state)
{
    (void)state;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_stub);
    answer_dns(g.client_dns_udp, STUB, INADDR_LOOPBACK);
    assert_true(readable(g.client_dns_tcp));
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

static int body_listen(int parent)
{
    uint16_t port = 0;
    if (recv(parent, &port, sizeof port, 0) != sizeof port)
        return 1;
    CLEANUP_FD int fd = connected(SOCK_STREAM, INADDR_LOOPBACK, port);
    return fd < 0 ? 2 : 0;
}

static void test_host_port_listens_inside(void **state)
{
    (void)state;
    struct error error;
    struct gate g = open_gate();
    ino_t before = inode_of("/proc/thread-self/ns/net");
    CLEANUP_FD int fd = gate_listen_client(&g, 8123, &error);
    assert_true(fd >= 0);
    assert_int_equal(inode_of("/proc/thread-self/ns/net"), before);
    assert_int_equal(gate_listen_client(&g, 8123, &error), -EADDRINUSE);
    assert_int_equal(inode_of("/proc/thread-self/ns/net"), before);
    struct client c = client_start(&g, body_listen);
    uint16_t port = own_port(fd);
    assert_int_equal(send(c.fd, &port, sizeof port, 0), sizeof port);
    assert_int_equal(client_end(&c), 0);
    gate_close(&g);
}

static int body_ipv6(int parent)
{
    (void)parent;
    static const struct {
        const char *to;
        bool reached;
    } table[] = {{"2001:db8::1", false}, {"::1", false},     {"2002:c000:204::", false},
                 {"fe80::1", false},     {"ff02::1", false}, {"::ffff:8.8.8.8", true}};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < ARRAY_SIZE(table) * ARRAY_SIZE(types); i++) {
        struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
        to.sin6_scope_id = if_nametoindex("egress0");
        CLEANUP_FD int fd = socket(AF_INET6, types[i % 2] | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return errno == EAFNOSUPPORT ? 100 : 1;
        if (inet_pton(AF_INET6, table[i / 2].to, &to.sin6_addr) != 1)
            return 2;
        bool sent = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && send(fd, "6", 1, 0) == 1;
        if (sent != table[i / 2].reached)
            return 10 + (int)i;
    }
    return 0;
}

static void test_ipv6_is_closed_and_mapped_is_ipv4(void **state)
{
    (void)state;
    struct gate g = open_gate();
    struct client c = client_start(&g, body_ipv6);
    int status = client_end(&c);
    if (status != 100) { /* a kernel without IPv6 is closed by itself */
        struct sockaddr_in to = {0};
        socklen_t len = sizeof to;
        assert_int_equal(status, 0);
        CLEANUP_FD int fd = accept4(g.tcp[0], NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
        assert_int_equal(ntohl(to.sin_addr.s_addr), GOOGLE);
        assert_int_equal(accept4(g.tcp[0], NULL, NULL, SOCK_CLOEXEC), -1);
    }
    gate_close(&g);
}

/* A device of the watcher's goes away with its peer, and the peer with its namespace. */
static int watch_end(struct gate *g)
{
    struct link *l = NULL;
    if (unshare(CLONE_NEWNET) < 0 || link_open(&l) < 0 ||
        link_add_veth(l, "watch0", "watched0", g->gate_ns) < 0 ||
        link_add_veth(l, "watch1", "watched1", g->client_ns) < 0)
        return 1;
    gate_close(g);
    for (int left = PATIENCE_MS / 10; left > 0; left--) {
        if (!if_nametoindex("watch0") && !if_nametoindex("watch1"))
            return 0;
        poll(NULL, 0, 10);
    }
    return 2;
}

static int body_wait(int parent)
{
    char end;
    return recv(parent, &end, 1, 0) == 0 ? 0 : 1;
}

static void test_namespaces_go_with_their_last_holder(void **state)
{
    (void)state;
    size_t links = count_entries("/sys/class/net");
    struct gate g = open_gate();
    struct client c = client_start(&g, body_wait);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        close(c.fd);
        _exit(watch_end(&g));
    }
    gate_close(&g);
    assert_int_equal(client_end(&c), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(count_entries("/sys/class/net"), links);
}

/* With the program that loads rules replaced by one that always fails. */
static int open_without_rules(void)
{
    struct gate g;
    struct error error = {0};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("/bin/false", "/usr/sbin/iptables-restore", NULL, MS_BIND, NULL) < 0)
        return 1;
    size_t descriptors = count_entries("/proc/self/fd");
    ino_t before = inode_of("/proc/thread-self/ns/net");
    if (gate_open(&g, 1, &error) >= 0 || error.code >= 0)
        return 2;
    if (!strstr(error.text, "iptables-restore refused the gate's rules"))
        return 3;
    if (g.tcp[0] != -1 || g.gate_ns != -1 || g.host_ns != -1)
        return 4;
    if (inode_of("/proc/thread-self/ns/net") != before)
        return 5;
    return count_entries("/proc/self/fd") == descriptors ? 0 : 6;
}

static int open_without_right(void)
{
    struct gate g;
    struct error error = {0};
    if (setresuid(65534, 65534, 65534) < 0)
        return 1;
    if (gate_open(&g, 1, &error) != -EPERM)
        return 2;
    return strstr(error.text, "cannot make the gate's network namespace") ? 0 : 3;
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    static int (*const cases[])(void) = {open_without_rules, open_without_right};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = 0;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(cases[i]());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static const struct unit_test tests[] = {
    REPORT("-", test_caller_stays_where_it_was),
    REPORT("-", test_tcp_arrives_with_its_addresses),
    REPORT("P09", test_10000_connections_keep_their_ports),
    REPORT("-", test_loops_share_connections),
    REPORT("-", test_dns_is_answered_from_the_address_asked),
    REPORT("-", test_loopback_resolver_is_ours),
    REPORT("-", test_host_port_listens_inside),
    REPORT("B01", test_ipv6_is_closed_and_mapped_is_ipv4),
    REPORT("-", test_namespaces_go_with_their_last_holder),
    REPORT("R03", test_all_or_nothing),
};

int main(void)
{
    return can_run(tests, ARRAY_SIZE(tests)) ? unit_run(tests, ARRAY_SIZE(tests)) : 0;
}
