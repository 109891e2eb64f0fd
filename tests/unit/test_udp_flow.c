/* SPDX-License-Identifier: MIT
 * The life of UDP flows under the sanitizers: opened by a keeper that is played here, relayed on
 * loopback, refused, crowded out, ended; each with its records, in their order. */
#include "unit/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "attribution/places.h"
#include "attribution/who.h"
#include "audit/submit.h"
#include "base/fd.h"
#include "udp/udp.h"

enum { RECORDS = 64, PATIENCE_MS = 10000, FILES = 16 };

/* What the keeper was told and has done. */
struct keeper {
    struct ipc *ipc;
    int32_t socket_status, record_status;
    bool silent;      /* leaves questions for sockets unanswered */
    bool slow;        /* leaves records unanswered as well */
    uint32_t written; /* the newest record that it left so */
    int gate;         /* the next socket to hand out */
    unsigned asked;
    struct record records[RECORDS];
    char error[RECORDS][24];
    size_t n;
};

struct world {
    struct event_base *base;
    struct keeper keeper;
    struct requests *requests;
    struct ipc *ipc;
    struct engine engine;
    struct udp *udp;
    void *names;
    struct once connections;
    struct shared_lock lock;
    _Atomic uint64_t last_conn;
    int client, server;
    struct flow_key flow;
};

struct waiter {
    struct udp_waiter waiter;
    int status; /* 1: not told yet */
};

static void on_told(struct udp_waiter *w, int status)
{
    struct waiter *mine = (struct waiter *)w;
    assert_int_equal(mine->status, 1);
    mine->status = status;
}

static void answer_record(struct keeper *k, uint32_t id)
{
    ipc_send(k->ipc, IPC_RECORD_DONE, id, &k->record_status, sizeof k->record_status, -1);
}

static void keeper_hears(void *context, struct ipc_message *m)
{
    struct keeper *k = context;
    if (m->type == IPC_SOCKET_GET) {
        k->asked++;
        if (!k->silent)
            ipc_send(k->ipc, IPC_SOCKET, m->id, &k->socket_status, sizeof k->socket_status,
                     k->socket_status ? -1 : k->gate);
    } else if (m->type == IPC_RECORD) {
        assert_true(k->n < RECORDS);
        struct record *r = &k->records[k->n];
        assert_int_equal(record_unpack(m->data, m->len, r), 0);
        snprintf(k->error[k->n++], sizeof k->error[0], "%.*s", (int)r->error.len,
                 r->error.data ? r->error.data : "");
        if (k->slow)
            k->written = m->id;
        else if (m->id)
            answer_record(k, m->id);
    }
}

static void proxy_hears(void *context, struct ipc_message *m)
{
    struct world *w = context;
    if (m->type == IPC_SOCKET)
        udp_take_socket(w->udp, m);
    else
        requests_answer(w->requests, m);
}

static void on_closed(void *context)
{
    (void)context;
}

static int udp_socket(uint32_t ip, uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void connect_to(int fd, uint32_t ip, uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
}

/* The client on 127.0.0.1, the gate's end on 127.0.0.2, the server on 127.0.0.1. */
static void make_sockets(struct world *w)
{
    uint16_t client, gate, server;
    w->client = udp_socket(INADDR_LOOPBACK, &client);
    w->keeper.gate = udp_socket(INADDR_LOOPBACK + 1, &gate);
    w->server = udp_socket(INADDR_LOOPBACK, &server);
    connect_to(w->client, INADDR_LOOPBACK + 1, gate);
    connect_to(w->keeper.gate, INADDR_LOOPBACK, client);
    w->flow = (struct flow_key){.src_ip = htonl(INADDR_LOOPBACK),
                                .dst_ip = htonl(INADDR_LOOPBACK),
                                .src_port = client,
                                .dst_port = server,
                                .proto = IPPROTO_UDP};
}

static struct world *open_world(void)
{
    static const char rules[] = "127.0.0.1:*/udp\n";
    const struct policy_source source = {"rules", rules, sizeof rules - 1};
    const struct policy_options options = {0};
    int pair[2];
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = event_base_new();
    assert_int_equal(ipc_pair(pair), 0);
    const struct ipc_handlers keeper = {keeper_hears, on_closed, &w->keeper};
    const struct ipc_handlers proxy = {proxy_hears, on_closed, w};
    w->keeper.ipc = ipc_new(w->base, pair[0], &keeper);
    w->ipc = ipc_new(w->base, pair[1], &proxy);
    w->requests = requests_new(w->ipc);
    w->names = calloc(1, names_size(16));
    w->engine = (struct engine){.base = w->base,
                                .policy = policy_parse(&source, 1, &options),
                                .names = names_attach(w->names, names_size(16)),
                                .forwarder = forwarder_new(w->base, NULL, 0),
                                .who = who_new(w->requests, w->ipc, -1, &w->connections, false),
                                .last_conn = &w->last_conn,
                                .lock = &w->lock,
                                .loop = 1,
                                .submit = submit_new(w->base, w->requests, w->ipc)};
    assert_non_null(w->engine.policy);
    assert_non_null(w->engine.names);
    assert_true(engine_make_places(&w->engine, FILES));
    /* Wide: what is asked here is the table's own bound, which is met first outside too. */
    assert_int_equal(limits_init(&w->engine.limits, 16 * FILES), 0);
    w->udp = udp_new(&w->engine, w->ipc, FILES);
    assert_non_null(w->udp);
    make_sockets(w);
    return w;
}

static void close_world(struct world *w)
{
    udp_drain(w->udp);
    for (int i = 0; i < 200 && w->engine.active; i++)
        event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(w->engine.active, 0);
    udp_free(w->udp);
    limits_release(&w->engine.limits);
    submit_free(w->engine.submit);
    who_free(w->engine.who);
    forwarder_free(w->engine.forwarder);
    places_free(w->engine.judging);
    places_free(w->engine.asking);
    policy_unref(w->engine.policy);
    requests_free(w->requests);
    ipc_free(w->ipc);
    ipc_free(w->keeper.ipc);
    event_base_free(w->base);
    free(w->names);
    fd_close(&w->client);
    fd_close(&w->server);
    fd_close(&w->keeper.gate);
    free(w);
}

static void turn(struct world *w)
{
    static const struct timeval moment = {0, 1000};
    event_base_loopexit(w->base, &moment);
    event_base_dispatch(w->base);
}

static void open_flow(struct world *w, struct waiter *waiter)
{
    const struct subject s = {w->flow, NULL};
    const struct verdict v = {.action = VERDICT_ALLOW};
    *waiter = (struct waiter){.waiter = {.done = on_told}, .status = 1};
    udp_open(w->udp, &s, &v, "", &waiter->waiter);
}

/* Opened, and told so. */
static void open_well(struct world *w)
{
    struct waiter waiter;
    open_flow(w, &waiter);
    for (int i = 0; i < PATIENCE_MS && waiter.status == 1; i++)
        turn(w);
    assert_int_equal(waiter.status, 0);
}

/* What arrives at a socket while the loop turns. */
static ssize_t arrives(struct world *w, int fd, void *data, size_t size, struct sockaddr_in *from)
{
    socklen_t len = sizeof *from;
    for (int i = 0; i < PATIENCE_MS; i++) {
        ssize_t n = recvfrom(fd, data, size, 0, (struct sockaddr *)from, &len);
        if (n >= 0 || errno != EAGAIN)
            return n;
        turn(w);
    }
    return -1;
}

static void wait_for_records(struct world *w, size_t n)
{
    for (int i = 0; i < PATIENCE_MS && w->keeper.n < n; i++)
        turn(w);
    assert_int_equal(w->keeper.n, n);
}

static void test_relayed_both_ways_and_recorded(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct sockaddr_in from;
    char text[16];
    assert_int_equal(send(w->client, "early", 5, 0), 5);
    open_well(w);
    assert_int_equal(w->keeper.n, 1); /* before anything was read */
    assert_int_equal(w->keeper.records[0].event, RECORD_CONNECT);
    assert_int_equal(arrives(w, w->server, text, sizeof text, &from), 5);
    assert_int_equal(sendto(w->server, "answer", 6, 0, (struct sockaddr *)&from, sizeof from), 6);
    assert_int_equal(arrives(w, w->client, text, sizeof text, &from), 6);
    open_well(w); /* a second packet finds it open */
    assert_int_equal(w->keeper.asked, 1);
    assert_int_equal(send(w->client, "late", 4, 0), 4);
    udp_drain(w->udp);
    wait_for_records(w, 2);
    assert_int_equal(recv(w->server, text, sizeof text, 0), 4); /* what waited was passed on */
    const struct record *close = &w->keeper.records[1];
    assert_int_equal(close->event, RECORD_CLOSE);
    assert_int_equal(close->bytes_up, 9);
    assert_int_equal(close->bytes_down, 6);
    assert_string_equal(w->keeper.error[1], "");
    close_world(w);
}

static void test_dns_is_answered_and_not_relayed(void **state)
{
    (void)state;
    static const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\6secret\7example\0\0\1\0\1";
    struct world *w = open_world();
    struct sockaddr_in from;
    uint8_t text[512];
    open_well(w);
    assert_int_equal(send(w->client, query, sizeof query - 1, 0), sizeof query - 1);
    assert_int_equal(send(w->client, "other", 5, 0), 5);
    assert_int_equal(arrives(w, w->server, text, sizeof text, &from), 5);
    assert_true(arrives(w, w->client, text, sizeof text, &from) > 12);
    assert_int_equal(text[3] & 15, 3); /* NXDOMAIN */
    assert_int_equal(w->keeper.records[1].event, RECORD_QUERY);
    assert_int_equal(w->keeper.records[1].outcome, RECORD_DENIED);
    close_world(w);
}

/* Its answer comes when the flow has ended: nobody is there, and nothing is touched. */
static void test_dns_outlives_its_flow(void **state)
{
    (void)state;
    static const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\6secret\7example\0\0\1\0\1";
    struct world *w = open_world();
    open_well(w);
    assert_int_equal(send(w->client, query, sizeof query - 1, 0), sizeof query - 1);
    udp_drain(w->udp); /* reads the query, and ends the flow before its record is written */
    wait_for_records(w, 3);
    close_world(w);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct waiter again;
    open_well(w);
    fd_close(&w->server);
    assert_int_equal(send(w->client, "anybody", 7, 0), 7);
    wait_for_records(w, 2);
    assert_string_equal(w->keeper.error[1], "upstream-refused");
    open_flow(w, &again);
    assert_int_equal(again.status, -ECONNREFUSED); /* at once: the client hears of it */
    wait_for_records(w, 3);
    assert_int_equal(w->keeper.records[2].outcome, RECORD_FAILED);
    assert_string_equal(w->keeper.error[2], "upstream-refused");
    open_well(w); /* told once; now it is tried anew */
    close_world(w);
}

static void test_client_has_gone(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct sockaddr_in from;
    char text[16];
    open_well(w);
    assert_int_equal(send(w->client, "hello", 5, 0), 5);
    assert_int_equal(arrives(w, w->server, text, sizeof text, &from), 5);
    fd_close(&w->client);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sendto(w->server, "?", 1, 0, (struct sockaddr *)&from, sizeof from), 1);
    wait_for_records(w, 2);
    assert_int_equal(w->keeper.records[1].event, RECORD_CLOSE);
    assert_string_equal(w->keeper.error[1], "");
    close_world(w);
}

static void test_what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct waiter first, second;
    w->keeper.socket_status = -EMFILE;
    open_flow(w, &first);
    open_flow(w, &second); /* waits for the same */
    wait_for_records(w, 2);
    assert_int_equal(first.status, -ECONNREFUSED);
    assert_int_equal(second.status, -ECONNREFUSED);
    assert_int_equal(w->keeper.asked, 1);
    assert_int_equal(w->keeper.records[0].outcome, RECORD_ALLOWED);
    assert_int_equal(w->keeper.records[1].event, RECORD_CLOSE);
    assert_string_equal(w->keeper.error[1], "limit");
    w->keeper.socket_status = 0;
    w->keeper.record_status = -ENOSPC; /* what cannot be recorded does not pass */
    open_flow(w, &first);
    wait_for_records(w, 4);
    for (int i = 0; i < PATIENCE_MS && first.status == 1; i++)
        turn(w);
    assert_int_equal(first.status, -ECONNREFUSED);
    assert_int_equal(w->keeper.records[3].outcome, RECORD_FAILED);
    assert_string_equal(w->keeper.error[3], "unrecorded");
    close_world(w);
}

/* FILES give room for FILES / 4 flows, half of them for one process. */
static void test_the_oldest_makes_room(void **state)
{
    (void)state;
    struct world *w = open_world();
    for (int i = 0; i < FILES; i++) {
        open_well(w);
        w->flow.src_port++;
    }
    wait_for_records(w, FILES + FILES - FILES / 4);
    size_t limits = 0;
    for (size_t i = 0; i < w->keeper.n; i++)
        limits += strcmp(w->keeper.error[i], "limit") == 0;
    assert_int_equal(limits, FILES - FILES / 4);
    close_world(w);
}

static void test_ends_while_it_is_opened(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct waiter waiter;
    w->keeper.silent = true;
    open_flow(w, &waiter);
    udp_drain(w->udp);
    wait_for_records(w, 2); /* when it took too long */
    assert_int_equal(waiter.status, -ECONNREFUSED);
    assert_int_equal(w->keeper.records[1].event, RECORD_CLOSE);
    assert_string_equal(w->keeper.error[1], "interrupted");
    close_world(w);
}

/* Its socket may be there before its record is written: nothing is read from it until then. */
static void test_nothing_passes_before_its_record(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct waiter waiter;
    struct sockaddr_in from;
    char text[16];
    w->keeper.slow = true;
    assert_int_equal(send(w->client, "early", 5, 0), 5);
    open_flow(w, &waiter);
    wait_for_records(w, 1);
    for (int i = 0; i < PATIENCE_MS && !w->keeper.asked; i++)
        turn(w);
    for (int i = 0; i < 20; i++)
        turn(w);
    assert_int_equal(waiter.status, 1);
    assert_int_equal(recv(w->server, text, sizeof text, 0), -1);
    assert_int_equal(errno, EAGAIN);
    w->keeper.slow = false;
    answer_record(&w->keeper, w->keeper.written);
    assert_int_equal(arrives(w, w->server, text, sizeof text, &from), 5);
    assert_int_equal(waiter.status, 0);
    close_world(w);
}

/* Where there is no way to the server nobody is asked for anything, and it is recorded as failed.
 */
static void test_no_way_to_the_server(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct waiter waiter;
    w->flow.dst_ip = htonl(INADDR_BROADCAST); /* EACCES: the socket may not */
    open_flow(w, &waiter);
    assert_int_equal(waiter.status, -ECONNREFUSED);
    wait_for_records(w, 1);
    assert_int_equal(w->keeper.records[0].outcome, RECORD_FAILED);
    assert_string_equal(w->keeper.error[0], "upstream-failed");
    assert_int_equal(w->keeper.asked, 0);
    close_world(w);
}

static const struct unit_test tests[] = {
    REPORT("-", test_relayed_both_ways_and_recorded),
    REPORT("B11", test_dns_is_answered_and_not_relayed),
    REPORT("-", test_dns_outlives_its_flow),
    REPORT("-", test_nobody_there),
    REPORT("-", test_client_has_gone),
    REPORT("R06", test_what_cannot_be_opened_is_told),
    REPORT("R07", test_the_oldest_makes_room),
    REPORT("-", test_ends_while_it_is_opened),
    REPORT("-", test_nothing_passes_before_its_record),
    REPORT("-", test_no_way_to_the_server),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
