/* SPDX-License-Identifier: MIT
 * The channel between roles: what waits is bounded by the memory that it takes, and what a peer
 * said before it died is heard. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
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

static const struct unit_test tests[] = {
    REPORT("R01", test_the_dead_are_heard_out),
    REPORT("R01", test_a_failed_write_ends_nothing),
    REPORT("R12", test_what_waits_is_bounded),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
