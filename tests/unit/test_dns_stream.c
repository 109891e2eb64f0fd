/* SPDX-License-Identifier: MIT
 * Streams of DNS against their limits, with small ones: silence, half messages, answers that nobody
 * reads, too many at once; each with what the log says of it. The keeper is played here. */
#include "unit/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "attribution/places.h"
#include "attribution/who.h"
#include "audit/submit.h"
#include "base/fd.h"
#include "dns/asking.h"
#include "dns/name_limits.h"
#include "dns/stream.h"

enum { RECORDS = 4096, PATIENCE = 20000, STREAMS = 8, UNREAD = 40000 };

struct world {
    struct event_base *base;
    struct ipc *keeper, *proxy;
    struct requests *requests;
    struct engine engine;
    struct streams *streams;
    struct shared_lock lock;
    _Atomic uint64_t last_conn;
    void *names, *budgets;
    int resolver;
    char reasons[RECORDS][16];
    size_t n;
};

/* Times that no test waits for; one that does has short ones. */
static const struct stream_limits patient = {
    .idle_ms = 60000, .whole_ms = 60000, .streams = STREAMS, .unread = UNREAD};

static void keeper_hears(void *context, struct ipc_message *m)
{
    struct world *w = context;
    struct record r;
    const int32_t status = 0;
    assert_int_equal(record_unpack(m->data, m->len, &r), 0);
    snprintf(w->reasons[w->n++ % RECORDS], sizeof w->reasons[0], "%.*s", (int)r.reason.len,
             r.reason.data ? r.reason.data : "");
    if (m->id)
        ipc_send(w->keeper, IPC_RECORD_DONE, m->id, &status, sizeof status, -1);
}

static void proxy_hears(void *context, struct ipc_message *m)
{
    struct world *w = context;
    requests_answer(w->requests, m);
}

static void on_closed(void *context)
{
    (void)context;
}

static int make_resolver(struct resolver_address *out)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *out = (struct resolver_address){INADDR_LOOPBACK, ntohs(at.sin_port)};
    return fd;
}

static struct world *open_world(const struct stream_limits *limits)
{
    static const char rules[] = "a.example\n*.wild.example\n";
    const struct policy_source source = {"rules", rules, sizeof rules - 1};
    const struct policy_options options = {0};
    struct resolver resolver = {0};
    int pair[2];
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = event_base_new();
    assert_int_equal(ipc_pair(pair), 0);
    const struct ipc_handlers keeper = {keeper_hears, on_closed, w};
    const struct ipc_handlers proxy = {proxy_hears, on_closed, w};
    w->keeper = ipc_new(w->base, pair[0], &keeper);
    w->proxy = ipc_new(w->base, pair[1], &proxy);
    w->requests = requests_new(w->proxy);
    w->names = calloc(1, names_size(16));
    w->budgets = calloc(1, name_limits_size());
    w->resolver = make_resolver(&resolver.address);
    w->engine = (struct engine){.base = w->base,
                                .policy = policy_parse(&source, 1, &options),
                                .names = names_attach(w->names, names_size(16)),
                                .forwarder = forwarder_new(w->base, &resolver, 1),
                                .name_limits = name_limits_attach(w->budgets, name_limits_size()),
                                .last_conn = &w->last_conn,
                                .lock = &w->lock,
                                .loop = 1,
                                .submit = submit_new(w->base, w->requests, w->proxy)};
    assert_true(engine_make_places(&w->engine, 1024));
    w->streams = streams_new(&w->engine, limits);
    assert_non_null(w->streams);
    return w;
}

static void turn(struct world *w)
{
    static const struct timeval moment = {0, 1000};
    event_base_loopexit(w->base, &moment);
    event_base_dispatch(w->base);
}

/* All streams end by their own times. */
static void close_world(struct world *w)
{
    for (int i = 0; i < PATIENCE && w->engine.active; i++)
        turn(w);
    assert_int_equal(w->engine.active, 0);
    streams_free(w->streams);
    submit_free(w->engine.submit);
    forwarder_free(w->engine.forwarder);
    places_free(w->engine.judging);
    places_free(w->engine.asking);
    policy_unref(w->engine.policy);
    requests_free(w->requests);
    ipc_free(w->proxy);
    ipc_free(w->keeper);
    event_base_free(w->base);
    close(w->resolver);
    free(w->names);
    free(w->budgets);
    free(w);
}

static size_t recorded(const struct world *w, const char *reason)
{
    size_t n = 0;
    for (size_t i = 0; i < MIN(w->n, RECORDS); i++)
        n += strcmp(w->reasons[i], reason) == 0;
    return n;
}

/* The client's end of a new stream of that process. */
static int dial(struct world *w, uint32_t pid)
{
    const struct process p = {.key = {.pid = pid, .start_ns = 1}};
    int pair[2], small = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const struct stream_start start = {
        .fd = pair[0],
        .flow = {.src_port = (uint16_t)pair[1], .dst_port = 53, .proto = IPPROTO_TCP},
        .process = process_copy(&p),
        .self = true};
    stream_serve(w->streams, &start);
    return pair[1];
}

/* 1: there is something to read; 0: it was closed; -1: neither. */
static int heard(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK);
    return n > 0 ? 1 : n == 0 || errno != EAGAIN ? 0 : -1;
}

static bool hears(struct world *w, int fd, int what)
{
    for (int i = 0; i < PATIENCE && heard(fd) != what; i++)
        turn(w);
    return heard(fd) == what;
}

static const char question[] = "\0\x1f\x12\x34\1\0\0\1\0\0\0\0\0\0\5other\7example\0\0\1\0\1";
enum { QUESTION = sizeof question - 1 };

static void ask(int fd)
{
    assert_int_equal(send(fd, question, QUESTION, MSG_NOSIGNAL), QUESTION);
}

static void silence_is_ended(void **state UNUSED)
{
    const struct stream_limits limits = {
        .idle_ms = 300, .whole_ms = 60000, .streams = STREAMS, .unread = UNREAD};
    struct world *w = open_world(&limits);
    int mute = dial(w, 1), asks = dial(w, 1);
    ask(asks);
    assert_true(hears(w, asks, 1));
    assert_true(hears(w, mute, 0));
    close_world(w); /* the other one too, when it has been silent */
    close(mute);
    close(asks);
}

/* However long it drips: the time is the message's, not the byte's. */
static void a_message_that_drips_is_ended_and_recorded(void **state UNUSED)
{
    const struct stream_limits limits = {
        .idle_ms = 60000, .whole_ms = 100, .streams = STREAMS, .unread = UNREAD};
    struct world *w = open_world(&limits);
    int fd = dial(w, 1);
    for (int at = 0, i = 0; i < PATIENCE && heard(fd) < 0; i++) {
        if (at < QUESTION - 1 && i % 20 == 0 && send(fd, question + at, 1, MSG_NOSIGNAL) == 1)
            at++;
        turn(w);
    }
    assert_int_equal(heard(fd), 0);
    for (int i = 0; i < PATIENCE && !w->n; i++)
        turn(w);
    assert_int_equal(recorded(w, "limit"), 1);
    close_world(w);
    close(fd);
}

/* An end inside a message, at every byte; an end between two says nothing. */
static void an_end_inside_a_message_is_recorded(void **state UNUSED)
{
    for (size_t cut = 0; cut <= QUESTION; cut++) {
        struct world *w = open_world(&patient);
        int fd = dial(w, 1);
        ask(fd);
        assert_true(hears(w, fd, 1));
        assert_int_equal(send(fd, question, cut, MSG_NOSIGNAL), cut);
        shutdown(fd, SHUT_WR);
        for (int i = 0; i < PATIENCE && w->engine.active; i++)
            turn(w);
        for (int i = 0; i < 20; i++)
            turn(w);
        assert_int_equal(recorded(w, "malformed"), cut > 0 && cut < QUESTION);
        assert_int_equal(recorded(w, "limit"), 0);
        close_world(w);
        close(fd);
    }
}

/* Asks on and on and reads nothing, by as many streams as it may have: those of it that hold most
 * are ended, and another process reads its answers. */
static void who_does_not_read_gives_way(void **state UNUSED)
{
    struct world *w = open_world(&patient);
    int greedy[STREAMS - 1];
    size_t alive = 0;
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++)
        greedy[i] = dial(w, 1);
    int honest = dial(w, 2);
    for (int round = 0; round < 400; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(greedy); i++)
            for (int k = 0; k < 4; k++)
                (void)!send(greedy[i], question, QUESTION, MSG_NOSIGNAL);
        if (round % 40 == 0) {
            char answer[256];
            ask(honest);
            assert_true(hears(w, honest, 1));
            assert_true(recv(honest, answer, sizeof answer, 0) > 12);
        }
        turn(w);
    }
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++)
        alive += send(greedy[i], question, QUESTION, MSG_NOSIGNAL) > 0 || errno == EAGAIN;
    assert_true(alive < ARRAY_SIZE(greedy)); /* some had to go */
    ask(honest);
    assert_true(hears(w, honest, 1));
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++)
        close(greedy[i]);
    close(honest);
    close_world(w);
}

/* One process has all streams, each with half a question: another is answered. */
static void who_has_most_streams_gives_way(void **state UNUSED)
{
    struct world *w = open_world(&patient);
    int greedy[STREAMS + 2], honest[3];
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++) {
        greedy[i] = dial(w, 1);
        (void)!send(greedy[i], question, 5, MSG_NOSIGNAL);
        turn(w);
    }
    for (size_t i = 0; i < ARRAY_SIZE(honest); i++) {
        honest[i] = dial(w, 2);
        ask(honest[i]);
        assert_true(hears(w, honest[i], 1));
    }
    assert_int_equal(heard(greedy[0]), 0); /* the oldest */
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++)
        close(greedy[i]);
    for (size_t i = 0; i < ARRAY_SIZE(honest); i++)
        close(honest[i]);
    close_world(w);
}

/* An answer that was kept when the question came, and is so no more when its record is written: by
 * its time, or because its asker sees to that with other names. Then it is a new question, and has
 * to be paid for; all was spent before, so that nothing may leave. */
static void what_is_kept_no_more_is_paid_for(void **state UNUSED)
{
    static const char kept[] = "\0\x20\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\4wild\7example\0\0\1\0\1";
    const struct kept_key key = {.name = "x.wild.example", .type = DNS_A, .rd = true};
    const struct process p = {.key = {.pid = 1, .start_ns = 1}};
    struct world *w = open_world(&patient);
    struct kept *all = forwarder_kept(w->engine.forwarder);
    char name[64], byte;
    kept_ask(all, &key);
    kept_put(all, &key, kept + 2, sizeof kept - 3, 300, false, engine_now());
    const struct kept_key again = {.name = "a.wild.example", .type = DNS_A, .rd = true};
    while (asking_pay(&w->engine, &p, "wild.example", &again) == ASKING_PAID)
        ; /* each time some bits, of a budget that comes back slowly */
    assert_int_equal(asking_pay(&w->engine, &p, "wild.example", &key), ASKING_FREE);
    int fd = dial(w, 1);
    assert_int_equal(send(fd, kept, sizeof kept - 1, MSG_NOSIGNAL), sizeof kept - 1);
    for (int i = 0; i < PATIENCE && !w->engine.exchanges.lh_first; i++)
        event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_non_null(w->engine.exchanges.lh_first); /* its record is being written */
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%u.other.example", i);
        kept_ask(all, &(struct kept_key){.name = name, .type = DNS_A});
    }
    assert_true(hears(w, fd, 1));
    assert_int_equal(recorded(w, ASKING_TOO_MUCH), 1);
    assert_int_equal(recv(w->resolver, &byte, 1, 0), -1); /* nothing came */
    close(fd);
    close_world(w);
}

static const struct unit_test tests[] = {
    REPORT("D03", silence_is_ended),
    REPORT("D03", a_message_that_drips_is_ended_and_recorded),
    REPORT("D03", an_end_inside_a_message_is_recorded),
    REPORT("D06", what_is_kept_no_more_is_paid_for),
    REPORT("D10", who_does_not_read_gives_way),
    REPORT("D10", who_has_most_streams_gives_way),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
