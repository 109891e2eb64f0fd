/* SPDX-License-Identifier: MIT
 * The relay between real sockets: what goes in comes out, in order and whole, however it is cut and
 * however slowly it is read; little by copies, much by pipes, and with either denied. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "session/limits.h"
#include "session/relay.h"
#include "unit/report.h"

enum { CLIENT, SERVER, SIDES, MIB = 1 << 20, PATIENCE_S = 60 };

struct pair {
    struct event_base *base;
    struct limits limits;
    struct pipes *pipes;
    struct relay *relay;
    int ours[SIDES], theirs[SIDES]; /* theirs: the relay's */
    size_t seen;
    bool done;
    int failed;
};

static void on_done(void *context, int failed)
{
    struct pair *p = context;
    p->done = true;
    p->failed = failed;
}

static void on_seen(void *context, const void *data, size_t len)
{
    struct pair *p = context;
    (void)data;
    p->seen += len;
}

static void on_pushed(void *context)
{
    (void)context;
}

static struct holder somebody(struct pair *p)
{
    return holder_of(&p->limits, NULL);
}

/* Two ends of a connection over TCP, whose sockets take a part of what they are given. */
static void connect_pair(int fds[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    const int small = 8192;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&a, sizeof a), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fds[1] >= 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    close(listener);
}

static void set_up(struct pair *p, size_t files)
{
    *p = (struct pair){.base = event_base_new(), .pipes = pipes_new()};
    assert_int_equal(limits_init(&p->limits, files), 0);
    for (size_t i = 0; i < SIDES; i++) {
        int fds[2];
        connect_pair(fds);
        p->ours[i] = fds[0];
        p->theirs[i] = fds[1];
    }
    const struct relay_events events = {on_done, on_seen, on_pushed, p};
    const struct holder holder = somebody(p);
    p->relay = relay_new(p->base, p->pipes, &holder, p->theirs[CLIENT], p->theirs[SERVER], &events);
    assert_non_null(p->relay);
}

static void tear_down(struct pair *p)
{
    relay_free(p->relay);
    for (size_t i = 0; i < SIDES; i++) {
        close(p->ours[i]);
        close(p->theirs[i]);
    }
    for (size_t i = 0; i < LIMIT_KINDS; i++)
        assert_int_equal(shares_taken(p->limits.of[i], NULL), 0);
    pipes_free(p->pipes);
    limits_release(&p->limits);
    event_base_free(p->base);
}

/* One direction as its ends see it: byte i of the stream is a function of i. */
struct stream {
    int from, to;
    size_t total, sent, got;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 29 + (i >> 16));
}

static size_t some(size_t most)
{
    /* Mostly little, now and then much. */
    const size_t bound = rand() % 4 ? MIN(most, 3000) : most;
    return 1 + (size_t)rand() % bound;
}

static void say(struct stream *s)
{
    static uint8_t chunk[256 << 10];
    const size_t most = some(sizeof chunk), n = MIN(most, s->total - s->sent);
    for (size_t i = 0; i < n; i++)
        chunk[i] = byte_at(s->sent + i);
    ssize_t sent = n ? send(s->from, chunk, n, MSG_NOSIGNAL) : 0;
    if (sent > 0)
        s->sent += (size_t)sent;
    if (n && s->sent == s->total)
        assert_int_equal(shutdown(s->from, SHUT_WR), 0);
}

static void hear(struct stream *s)
{
    static uint8_t chunk[256 << 10];
    ssize_t n = recv(s->to, chunk, some(sizeof chunk), 0);
    for (ssize_t i = 0; i < n; i++)
        if (chunk[i] != byte_at(s->got + (size_t)i))
            fail_msg("byte %zu is another", s->got + (size_t)i);
    if (n > 0)
        s->got += (size_t)n;
}

/* Both streams to their ends (the second is told of by closing, which is not the relay's); one side
 * reads rarely. */
static void converse(struct pair *p, struct stream streams[SIDES])
{
    for (const time_t end = time(NULL) + PATIENCE_S; time(NULL) < end && !p->done;) {
        for (size_t i = 0; i < SIDES; i++) {
            if (rand() % 3)
                say(&streams[i]);
            if (i == CLIENT || rand() % 5 == 0)
                hear(&streams[i]);
        }
        event_base_loop(p->base, EVLOOP_NONBLOCK);
    }
    for (size_t i = 0; i < SIDES; i++)
        while (p->done && streams[i].got < streams[i].total)
            hear(&streams[i]);
}

static void relay_both_ways(struct pair *p, size_t up, size_t down)
{
    struct stream streams[SIDES] = {
        {.from = p->ours[CLIENT], .to = p->ours[SERVER], .total = up},
        {.from = p->ours[SERVER], .to = p->ours[CLIENT], .total = down},
    };
    assert_int_equal(relay_start(p->relay, RELAY_UP, NULL, 0), 0);
    assert_int_equal(relay_start(p->relay, RELAY_DOWN, NULL, 0), 0);
    converse(p, streams);
    assert_true(p->done);
    assert_int_equal(p->failed, 0);
    assert_int_equal(streams[CLIENT].got, up);
    assert_int_equal(streams[SERVER].got, down);
    assert_int_equal(relay_bytes(p->relay, RELAY_UP), up);
    assert_int_equal(relay_bytes(p->relay, RELAY_DOWN), down);
}

static void test_whole_and_in_order(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 8; seed++) {
        struct pair p;
        srand(seed);
        set_up(&p, 4096);
        relay_both_ways(&p, 3 * MIB + seed, 2 * MIB + seed);
        assert_int_equal(p.seen, 0);
        tear_down(&p);
    }
}

/* What is observed is shown to the last byte. */
static void test_seen(void **state)
{
    struct pair p;
    (void)state;
    srand(1);
    set_up(&p, 4096);
    relay_observe(p.relay, true);
    relay_both_ways(&p, MIB, MIB);
    assert_int_equal(p.seen, MIB);
    tear_down(&p);
}

/* Others hold all the memory that may be held, so that pipes must do; or all pipes, so that copies
 * must until there is much. */
static void test_with_one_of_both(void **state)
{
    static const enum limit taken[] = {LIMIT_BYTES, LIMIT_PIPES};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        struct pair p;
        const struct process other = {.key = {.pid = 7, .start_ns = 7}};
        size_t n = 0;
        srand(1);
        set_up(&p, 4096);
        const struct holder greedy = holder_of(&p.limits, &other);
        while (holder_take_more(&greedy, taken[i], 1 << (taken[i] == LIMIT_BYTES ? 12 : 0)))
            n += 1 << (taken[i] == LIMIT_BYTES ? 12 : 0);
        /* Its share leaves as much to others as it holds; they take that too. */
        const struct process third = {.key = {.pid = 8, .start_ns = 8}};
        const struct holder rest = holder_of(&p.limits, &third);
        size_t m = 0;
        while (holder_take(&rest, taken[i], 1))
            m++;
        if (taken[i] == LIMIT_BYTES)
            relay_both_ways(&p, MIB, MIB);
        else
            relay_both_ways(&p, 2000, 2000);
        holder_give(&greedy, taken[i], n);
        holder_give(&rest, taken[i], m);
        tear_down(&p);
    }
}

/* A side that is gone ends the relay with its error, also with bytes under way. */
static void test_gone(void **state)
{
    struct pair p;
    (void)state;
    set_up(&p, 4096);
    assert_int_equal(relay_start(p.relay, RELAY_UP, NULL, 0), 0);
    const struct linger abrupt = {.l_onoff = 1};
    setsockopt(p.ours[SERVER], SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    close(p.ours[SERVER]);
    p.ours[SERVER] = -1;
    assert_int_equal(send(p.ours[CLIENT], "abc", 3, 0), 3);
    for (const time_t end = time(NULL) + PATIENCE_S; time(NULL) < end && !p.done;)
        event_base_loop(p.base, EVLOOP_NONBLOCK);
    assert_true(p.done);
    assert_true(p.failed == -EPIPE || p.failed == -ECONNRESET);
    assert_int_equal(relay_bytes(p.relay, RELAY_UP), 3);
    tear_down(&p);
}

static const struct unit_test tests[] = {
    REPORT("-", test_whole_and_in_order),
    REPORT("-", test_seen),
    REPORT("R07", test_with_one_of_both),
    REPORT("R01", test_gone),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
