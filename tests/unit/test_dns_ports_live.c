/* SPDX-License-Identifier: MIT
 * Sockets that are used again for questions to resolvers: from another port each time, and with
 * nothing in them that was sent to a port before. */
#include "unit/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/fd.h"
#include "dns/ports.h"

enum { REST_MS = 2, MANY = 100, PATIENCE_MS = 10000 };

struct world {
    struct event_base *base;
    struct ports *ports;
    int64_t now;
    int resolver;
    struct sockaddr_in at;
    unsigned ready, timeouts;
};

static struct world *open_world(void)
{
    struct world *w = calloc(1, sizeof *w);
    socklen_t len = sizeof w->at;
    assert_non_null(w);
    w->base = event_base_new();
    w->ports = ports_new(w->base);
    assert_non_null(w->ports);
    w->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->resolver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->resolver, (struct sockaddr *)&w->at, len), 0);
    assert_int_equal(getsockname(w->resolver, (struct sockaddr *)&w->at, &len), 0);
    return w;
}

static void close_world(struct world *w)
{
    ports_free(w->ports);
    event_base_free(w->base);
    fd_close(&w->resolver);
    free(w);
}

static void on_ready(void *context, short what)
{
    struct world *w = context;
    w->ready += (what & EV_READ) != 0;
    w->timeouts += (what & EV_TIMEOUT) != 0;
}

/* One that is connected and waited for. */
static struct port *take(struct world *w)
{
    struct port *p = NULL;
    assert_int_equal(port_take(w->ports, w->now, on_ready, w, &p), 0);
    assert_int_equal(connect(port_fd(p), (struct sockaddr *)&w->at, sizeof w->at), 0);
    assert_int_equal(port_wait(p, PATIENCE_MS), 0);
    return p;
}

static struct sockaddr_in address_of(const struct port *p)
{
    struct sockaddr_in at = {0};
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(port_fd(p), (struct sockaddr *)&at, &len), 0);
    return at;
}

static void answer(const struct world *w, const struct sockaddr_in *to, const char *text)
{
    ssize_t len = (ssize_t)strlen(text);
    /* Of an earlier one, to a port where nobody is, the kernel may say so now. */
    if (sendto(w->resolver, text, (size_t)len, 0, (const struct sockaddr *)to, sizeof *to) != len)
        assert_int_equal(errno, ECONNREFUSED);
}

static void assert_empty(const struct port *p)
{
    char text[16];
    assert_int_equal(recv(port_fd(p), text, sizeof text, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* How many the kernel draws from: every other one, at first. */
static unsigned n_ports(void)
{
    unsigned from = 0, to = 0;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u %u", &from, &to), 2);
    fclose(f);
    return (to - from) / 2 + 1;
}

static void test_another_port_each_time(void **state)
{
    (void)state;
    struct world *w = open_world();
    uint16_t seen[MANY];
    unsigned same_socket = 0, same_port = 0;
    int last = -1;
    for (unsigned i = 0; i < MANY; i++, w->now += REST_MS) {
        struct port *p = take(w);
        seen[i] = address_of(p).sin_port;
        same_socket += port_fd(p) == last;
        last = port_fd(p);
        for (unsigned k = 0; k < i; k++)
            same_port += seen[k] == seen[i];
        port_give(p, w->now);
    }
    assert_int_equal(same_socket, MANY - 1);
    /* Of 28,232 by default: that two of a hundred meet is common, that ten pairs do is not. */
    assert_true(same_port < 10 + 4 * MANY * MANY / 2 / n_ports());
    close_world(w);
}

static void test_rests_before_it_is_used_again(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct port *first = take(w);
    const int fd = port_fd(first);
    port_give(first, w->now);
    w->now += REST_MS - 1;
    struct port *second = take(w);
    assert_int_not_equal(port_fd(second), fd);
    w->now++;
    struct port *third = take(w);
    assert_int_equal(port_fd(third), fd);
    port_give(second, w->now);
    port_give(third, w->now);
    close_world(w);
}

/* What a forger sends to the port of one question does not reach the next one. */
static void test_what_was_sent_before_is_not_read(void **state)
{
    (void)state;
    static const bool turns[] = {false, true};
    for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
        struct world *w = open_world();
        struct port *p = take(w);
        const struct sockaddr_in before = address_of(p);
        answer(w, &before, "while it waited");
        port_give(p, w->now);
        answer(w, &before, "when it had left");
        if (turns[i]) /* the loop finds it, and does away with the socket */
            event_base_loop(w->base, EVLOOP_NONBLOCK);
        w->now += REST_MS;
        p = take(w);
        answer(w, &before, "later");
        assert_empty(p);
        assert_int_equal(w->ready, 0);
        const struct sockaddr_in now = address_of(p);
        answer(w, &now, "to it");
        answer(w, &now, "to it");
        event_base_loop(w->base, EVLOOP_ONCE);
        assert_int_equal(w->ready, 1);
        port_give(p, w->now);
        close_world(w);
    }
}

/* Nor what it was told by ICMP. */
static void test_an_error_is_not_handed_on(void **state)
{
    (void)state;
    struct world *w = open_world();
    fd_close(&w->resolver);
    struct port *p = take(w);
    assert_int_equal(send(port_fd(p), "anybody", 7, 0), 7);
    event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(w->ready, 1);
    port_give(p, w->now);
    w->now += REST_MS;
    p = take(w);
    assert_empty(p);
    port_give(p, w->now);
    close_world(w);
}

/* Its time ends with its use; that it rests wakes nobody. */
static void test_time(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct port *p = take(w);
    assert_int_equal(port_wait(p, 0), 0);
    event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(w->timeouts, 1);
    assert_int_equal(port_wait(p, 0), 0);
    port_give(p, w->now);
    struct timeval soon = {0, 20000};
    event_base_loopexit(w->base, &soon);
    event_base_dispatch(w->base);
    assert_int_equal(w->timeouts, 1);
    close_world(w);
}

static void test_not_all_are_kept(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct port *all[MANY];
    unsigned open = 0;
    int fds[MANY];
    for (unsigned i = 0; i < MANY; i++)
        fds[i] = port_fd(all[i] = take(w));
    for (unsigned i = 0; i < MANY; i++)
        port_give(all[i], w->now);
    for (unsigned i = 0; i < MANY; i++) {
        int type;
        socklen_t len = sizeof type;
        open += getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &type, &len) == 0;
    }
    assert_int_equal(open, 32);
    /* One that was never connected, nor waited for, is not kept either. */
    struct port *p = NULL;
    port_give(NULL, w->now);
    assert_int_equal(port_take(w->ports, w->now, on_ready, w, &p), 0);
    port_give(p, w->now);
    close_world(w);
}

static const struct unit_test tests[] = {
    REPORT("D07", test_another_port_each_time),
    REPORT("D07", test_rests_before_it_is_used_again),
    REPORT("D07", test_what_was_sent_before_is_not_read),
    REPORT("-", test_an_error_is_not_handed_on),
    REPORT("-", test_time),
    REPORT("R07", test_not_all_are_kept),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
