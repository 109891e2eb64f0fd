/* SPDX-License-Identifier: MIT
 * The channel between roles: what waits is bounded by the memory that it takes, and what a peer
 * said before it died is heard. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "keeper/ipc.h"
#include "unit/report.h"

struct end {
    struct event_base *base;
    struct ipc *ipc;
    unsigned messages, closed;
    uint32_t last_id;
};

static void on_message(void *context, struct ipc_message *m)
{
    struct end *e = context;
    e->messages++;
    e->last_id = m->id;
}

static void on_closed(void *context)
{
    struct end *e = context;
    e->closed++;
    ipc_free(e->ipc);
    e->ipc = NULL;
}

/* Returns the other end, bare. */
static int make_end(struct end *e)
{
    const struct ipc_handlers handlers = {on_message, on_closed, e};
    int pair[2];
    *e = (struct end){.base = event_base_new()};
    assert_non_null(e->base);
    assert_int_equal(ipc_pair(pair), 0);
    e->ipc = ipc_new(e->base, pair[0], &handlers);
    assert_non_null(e->ipc);
    return pair[1];
}

static void end_release(struct end *e)
{
    ipc_free(e->ipc);
    event_base_free(e->base);
}

static void say(int fd, uint32_t id)
{
    const uint32_t header[2] = {IPC_RECORD, id};
    assert_int_equal(send(fd, header, sizeof header, 0), sizeof header);
}

/* It died with something of ours unread, which the kernel tells us before what it said. */
static void test_the_dead_are_heard_out(void **state)
{
    struct end e;
    (void)state;
    int peer = make_end(&e);
    assert_int_equal(ipc_send(e.ipc, IPC_PROCESS, 1, "x", 1, -1), 0);
    for (uint32_t id = 1; id <= 100; id++)
        say(peer, id);
    close(peer);
    ipc_drain(e.ipc);
    assert_int_equal(e.messages, 100);
    assert_int_equal(e.last_id, 100);
    assert_int_equal(e.closed, 1);
    assert_null(e.ipc);
    end_release(&e);
}

/* Nor does a write that fails cut off what was said. */
static void test_a_failed_write_ends_nothing(void **state)
{
    struct end e;
    (void)state;
    int peer = make_end(&e);
    while (ipc_send(e.ipc, IPC_PROCESS, 1, NULL, 0, -1) == 0 && e.messages < 100000)
        e.messages++; /* until some must wait */
    e.messages = 0;
    say(peer, 7);
    close(peer);
    for (int i = 0; i < 100 && !e.closed; i++)
        event_base_loop(e.base, EVLOOP_NONBLOCK);
    assert_int_equal(e.messages, 1);
    assert_int_equal(e.closed, 1);
    end_release(&e);
}

/* One that asks and never reads: answers without a payload take memory too. */
static void test_what_waits_is_bounded(void **state)
{
    struct end e;
    unsigned long sent = 0;
    int failed = 0;
    (void)state;
    int peer = make_end(&e);
    while (!failed && sent < 4 * (IPC_BACKLOG_MAX / 16)) {
        failed = ipc_send(e.ipc, IPC_PROCESS, 1, NULL, 0, -1);
        sent++;
    }
    assert_int_equal(failed, -ENOBUFS);
    assert_true(sent < IPC_BACKLOG_MAX / 16);
    close(peer);
    end_release(&e);
}

/* The id of the next message that lies at that end; 0: none does. */
static uint32_t heard(int fd, int *descriptor)
{
    uint32_t header[2];
    struct iovec iov = {header, sizeof header};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    if (recvmsg(fd, &msg, MSG_DONTWAIT) != sizeof header)
        return 0;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (descriptor)
        *descriptor = -1;
    if (c && descriptor)
        memcpy(descriptor, CMSG_DATA(c), sizeof *descriptor);
    return header[1];
}

/* What is sent in one turn leaves at its end, and in order, also where a descriptor goes at once,
 * and where there is more than one call takes. */
static void test_gathered_leave_in_order(void **state)
{
    struct end e;
    (void)state;
    int peer = make_end(&e), passed;
    ipc_gather(e.ipc);
    assert_int_equal(ipc_send(e.ipc, IPC_RECORD, 1, NULL, 0, -1), 0);
    assert_int_equal(ipc_send(e.ipc, IPC_RECORD, 2, NULL, 0, -1), 0);
    assert_int_equal(heard(peer, NULL), 0);
    event_base_loop(e.base, EVLOOP_NONBLOCK);
    assert_int_equal(heard(peer, NULL), 1);
    assert_int_equal(heard(peer, NULL), 2);

    assert_int_equal(ipc_send(e.ipc, IPC_RECORD, 3, NULL, 0, -1), 0);
    assert_int_equal(ipc_send(e.ipc, IPC_SOCKET, 4, NULL, 0, peer), 0);
    assert_int_equal(ipc_send(e.ipc, IPC_RECORD, 5, NULL, 0, -1), 0);
    assert_int_equal(heard(peer, &passed), 3);
    assert_int_equal(passed, -1);
    assert_int_equal(heard(peer, &passed), 4);
    assert_true(passed >= 0);
    close(passed);
    assert_int_equal(heard(peer, NULL), 0);

    for (uint32_t id = 6; id <= 105; id++)
        assert_int_equal(ipc_send(e.ipc, IPC_RECORD, id, NULL, 0, -1), 0);
    event_base_loop(e.base, EVLOOP_NONBLOCK);
    for (uint32_t id = 5; id <= 105; id++)
        assert_int_equal(heard(peer, NULL), id);
    close(peer);
    end_release(&e);
}

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* What nobody waits for leaves with what is sent next and not before, in order; alone it leaves
 * too, a moment later. */
static void test_lazy_leave_with_others(void **state)
{
    struct end e;
    uint32_t id = 0;
    (void)state;
    int peer = make_end(&e);
    ipc_gather(e.ipc);
    const uint64_t begun = now_us();
    assert_int_equal(ipc_send_lazily(e.ipc, IPC_PROCESS, "x", 1), 0);
    event_base_loop(e.base, EVLOOP_NONBLOCK);
    ssize_t alone = recv(peer, &id, sizeof id, MSG_DONTWAIT | MSG_PEEK);
    if (now_us() - begun < 5000) /* else it had its time, on a machine that gave us none */
        assert_int_equal(alone, -1);
    assert_int_equal(ipc_send(e.ipc, IPC_RECORD, 1, NULL, 0, -1), 0);
    event_base_loop(e.base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(peer, &id, sizeof id, MSG_DONTWAIT), sizeof id);
    assert_int_equal(id, IPC_PROCESS);
    assert_int_equal(heard(peer, NULL), 1);

    assert_int_equal(ipc_send_lazily(e.ipc, IPC_PROCESS, "x", 1), 0);
    for (ssize_t n = -1; n < 0; n = recv(peer, &id, sizeof id, MSG_DONTWAIT))
        event_base_loop(e.base, EVLOOP_ONCE);
    assert_int_equal(id, IPC_PROCESS);
    close(peer);
    end_release(&e);
}

/* More than the socket takes: it goes on when there is room, and nothing is lost or turned round.
 */
static void test_gathered_wait_for_room(void **state)
{
    enum { MESSAGES = 5000 };
    struct end e;
    uint32_t next = 1, id;
    (void)state;
    int peer = make_end(&e), passed;
    ipc_gather(e.ipc);
    for (uint32_t i = 1; i <= MESSAGES; i++)
        assert_int_equal(ipc_send(e.ipc, IPC_SOCKET, i, NULL, 0, i % 100 ? -1 : peer), 0);
    for (int turns = 0; turns < MESSAGES && next <= MESSAGES; turns++) {
        event_base_loop(e.base, EVLOOP_NONBLOCK);
        while ((id = heard(peer, &passed))) {
            assert_int_equal(id, next++);
            assert_int_equal(passed >= 0, id % 100 == 0);
            if (passed >= 0)
                close(passed);
        }
    }
    assert_int_equal(next, MESSAGES + 1);
    close(peer);
    end_release(&e);
}

/* Where nobody reads, what was gathered counts as much as what waits for room. */
static void test_gathered_is_bounded(void **state)
{
    struct end e;
    unsigned long sent = 0;
    int failed = 0;
    (void)state;
    int peer = make_end(&e);
    ipc_gather(e.ipc);
    while (!failed && sent++ < IPC_BACKLOG_MAX / 16)
        failed = ipc_send(e.ipc, IPC_PROCESS, 1, NULL, 0, -1);
    assert_int_equal(failed, -ENOBUFS);
    close(peer);
    end_release(&e);
}

/* A peer that has gone is told of once, however much was gathered for it. */
static void test_gathered_for_the_dead(void **state)
{
    struct end e;
    (void)state;
    int peer = make_end(&e);
    ipc_gather(e.ipc);
    close(peer);
    for (uint32_t id = 1; id <= 100; id++)
        (void)ipc_send(e.ipc, IPC_RECORD, id, NULL, 0, -1);
    for (int i = 0; i < 100 && !e.closed; i++)
        event_base_loop(e.base, EVLOOP_NONBLOCK);
    assert_int_equal(e.closed, 1);
    end_release(&e);
}

static void on_third_free(void *context, struct ipc_message *m)
{
    struct end *e = context;
    on_message(context, m);
    assert_true(m->fd >= 0);
    if (e->messages == 3) {
        ipc_free(e->ipc);
        e->ipc = NULL;
    }
}

/* Freed while more was received than was handed over: nothing is handed over any more, and the
 * descriptors that came with it are closed. */
static void test_freed_amid_what_came(void **state)
{
    const struct ipc_handlers handlers = {on_third_free, on_closed, NULL};
    struct end e = {.base = event_base_new()};
    struct ipc_handlers own = handlers;
    struct ipc *sender;
    int pair[2], pipes[2];
    char byte;
    (void)state;
    own.context = &e;
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(pipe(pipes), 0);
    e.ipc = ipc_new(e.base, pair[0], &own);
    sender = ipc_new(e.base, pair[1], &own);
    assert_non_null(e.ipc);
    assert_non_null(sender);
    for (uint32_t id = 1; id <= 10; id++)
        assert_int_equal(ipc_send(sender, IPC_SOCKET, id, NULL, 0, pipes[1]), 0);
    close(pipes[1]);
    ipc_drain(e.ipc);
    assert_int_equal(e.messages, 3);
    assert_null(e.ipc);
    assert_int_equal(read(pipes[0], &byte, 1), 0); /* nobody holds the other end */
    close(pipes[0]);
    ipc_free(sender);
    end_release(&e);
}

static const struct unit_test tests[] = {
    REPORT("-", test_gathered_leave_in_order),  REPORT("-", test_lazy_leave_with_others),
    REPORT("-", test_gathered_wait_for_room),   REPORT("R12", test_gathered_is_bounded),
    REPORT("R01", test_gathered_for_the_dead),  REPORT("-", test_freed_amid_what_came),
    REPORT("R01", test_the_dead_are_heard_out), REPORT("R01", test_a_failed_write_ends_nothing),
    REPORT("R12", test_what_waits_is_bounded),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
