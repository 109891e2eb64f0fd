/* SPDX-License-Identifier: MIT
 * A resolver of bad manners for the tests of the forwarder: UDP and TCP at one port of loopback, on
 * the event loop of the test, doing for each query what its script says. */
#pragma once

#include "unit/report.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "dns/forward.h"
#include "dns_message.h"

enum act {
    ACT_GOOD, /* 10.0.0.1 */
    ACT_WRONG_ID,
    ACT_WRONG_QUESTION,
    ACT_WRONG_CASE,
    ACT_WRONG_SOURCE, /* all these say 10.6.6.6 */
    ACT_ALIEN_RECORD,
    ACT_GARBAGE,
    ACT_EMPTY,
    ACT_CUT, /* TC */
    ACT_SERVFAIL,
    ACT_REFUSED,
    ACT_NXDOMAIN,
    ACT_FLOOD,   /* more garbage than a try bears */
    ACT_PIECES,  /* TCP: byte by byte */
    ACT_HANG_UP, /* TCP: closes before the end */
    ACT_NONE = -1,
};

enum { ACTS_MAX = 4 };

/* What a resolver does for each datagram, in order, and for each connection. */
struct script {
    enum act udp[ACTS_MAX];
    enum act tcp;
    bool closed, no_tcp;
};

struct server {
    const struct script *script;
    struct resolver_address address;
    int udp, listener;
    struct event *udp_event, *listener_event;
    unsigned queries, connections;
};

static struct event_base *base;

/* The messages that an act sends for a query. */
static void make_answer(enum act act, const struct message *query, struct message *m)
{
    static const struct {
        enum act act;
        unsigned id_change, flags;
        const char *question, *records;
    } answers[] = {
        {ACT_GOOD, 0, 0x8180, "www.x.org A", "@12 A 10.0.0.1 60"},
        {ACT_PIECES, 0, 0x8180, "www.x.org A", "@12 A 10.0.0.1 60"},
        {ACT_HANG_UP, 0, 0x8180, "www.x.org A", "@12 A 10.6.6.6 60"},
        {ACT_WRONG_ID, 1, 0x8180, "www.x.org A", "@12 A 10.6.6.6 60"},
        {ACT_WRONG_QUESTION, 0, 0x8180, "www.y.org A", "@12 A 10.6.6.6 60"},
        {ACT_WRONG_CASE, 0, 0x8180, "wWw.x.org A", "@12 A 10.6.6.6 60"},
        {ACT_WRONG_SOURCE, 0, 0x8180, "www.x.org A", "@12 A 10.6.6.6 60"},
        {ACT_ALIEN_RECORD, 0, 0x8180, "www.x.org A", "bank.org A 10.6.6.6 60"},
        {ACT_CUT, 0, 0x8380, "www.x.org A", ""},
        {ACT_SERVFAIL, 0, 0x8182, "www.x.org A", ""},
        {ACT_REFUSED, 0, 0x8185, "www.x.org A", ""},
        {ACT_NXDOMAIN, 0, 0x8183, "www.x.org A", ""},
        {ACT_GARBAGE, 0, 0x7fff, "www.x.org A", "@12 A 10.6.6.6 60"},
        {ACT_FLOOD, 0, 0x7fff, "www.x.org A", "@12 A 10.6.6.6 60"},
    };
    m->len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (answers[i].act == act) {
            unsigned id = (unsigned)(query->data[0] << 8 | query->data[1]);
            message_make(m, id ^ answers[i].id_change, answers[i].flags, answers[i].question,
                         answers[i].records);
        }
}

static void send_datagrams(struct server *s, enum act act, const struct message *m,
                           const struct sockaddr_in *to)
{
    CLEANUP_FD int other = -1;
    int from = s->udp;
    if (act == ACT_WRONG_SOURCE) {
        other = socket(AF_INET, SOCK_DGRAM, 0);
        from = other;
    }
    for (unsigned i = 0; i < (act == ACT_FLOOD ? 20 : 1); i++)
        sendto(from, m->data, m->len, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void on_query(evutil_socket_t fd, short what, void *context)
{
    static struct message query, m;
    struct server *s = context;
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    (void)what;
    ssize_t n = recvfrom(fd, query.data, sizeof(query.data), 0, (struct sockaddr *)&from, &size);
    assert_true(n > 12);
    query.len = (size_t)n;
    s->queries++;
    for (size_t i = 0; i < ACTS_MAX && s->script->udp[i] != ACT_NONE; i++) {
        make_answer(s->script->udp[i], &query, &m);
        send_datagrams(s, s->script->udp[i], &m, &from);
    }
}

static void set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* A connection whose query has come: answered at once, the query is in the socket's buffer. */
static void on_stream_query(evutil_socket_t fd, short what, void *context)
{
    static struct message query, m;
    struct server *s = context;
    uint8_t prefix[2];
    (void)what;
    set_blocking(fd, true);
    if (recv(fd, prefix, 2, MSG_WAITALL) == 2) {
        query.len = (size_t)(prefix[0] << 8 | prefix[1]);
        assert_int_equal(recv(fd, query.data, query.len, MSG_WAITALL), query.len);
        enum act act = s->script->tcp;
        make_answer(act, &query, &m);
        prefix[0] = (uint8_t)(m.len >> 8);
        prefix[1] = (uint8_t)m.len;
        size_t step = act == ACT_PIECES ? 1 : m.len;
        size_t end = act == ACT_HANG_UP ? m.len - 1 : m.len;
        send(fd, prefix, 1, MSG_NOSIGNAL);
        send(fd, prefix + 1, 1, MSG_NOSIGNAL);
        for (size_t i = 0; i < end; i += step)
            send(fd, m.data + i, MIN(step, end - i), MSG_NOSIGNAL);
    }
    close(fd);
}

static void on_connection(evutil_socket_t fd, short what, void *context)
{
    struct server *s = context;
    int client = accept(fd, NULL, NULL);
    (void)what;
    assert_true(client >= 0);
    s->connections++;
    event_base_once(base, client, EV_READ, on_stream_query, s, NULL);
}

/* UDP and TCP at one port that is free for both. */
static void server_start(struct server *s, const struct script *script)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    *s = (struct server){.script = script, .udp = -1, .listener = -1};
    do {
        fd_close(&s->udp);
        fd_close(&s->listener);
        at.sin_port = 0;
        s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s->udp, (struct sockaddr *)&at, size), 0);
        assert_int_equal(getsockname(s->udp, (struct sockaddr *)&at, &size), 0);
    } while (bind(s->listener, (struct sockaddr *)&at, size));
    s->address = (struct resolver_address){INADDR_LOOPBACK, ntohs(at.sin_port)};
    if (script->closed)
        fd_close(&s->udp);
    else
        s->udp_event = event_new(base, s->udp, EV_READ | EV_PERSIST, on_query, s);
    if (script->no_tcp || script->closed) {
        fd_close(&s->listener);
    } else {
        assert_int_equal(listen(s->listener, 8), 0);
        s->listener_event = event_new(base, s->listener, EV_READ | EV_PERSIST, on_connection, s);
    }
    if (s->udp_event)
        event_add(s->udp_event, NULL);
    if (s->listener_event)
        event_add(s->listener_event, NULL);
}

static void server_stop(struct server *s)
{
    if (s->udp_event)
        event_free(s->udp_event);
    if (s->listener_event)
        event_free(s->listener_event);
    fd_close(&s->udp);
    fd_close(&s->listener);
}
