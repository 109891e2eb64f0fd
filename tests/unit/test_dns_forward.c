/* SPDX-License-Identifier: MIT
 * The forwarder against resolvers of every kind, UDP and TCP, on the event loop that it runs on. */
#include "unit/report.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "dns/forward.h"
#include "dns_message.h"
#include "dns_server.h"

struct outcome {
    bool inside; /* a call that starts queries is under way: nobody may be called back */
    unsigned calls;
    int status;
    unsigned rcode;
    bool truncated;
    char address[INET_ADDRSTRLEN];
};

static void on_done(void *context, int status, const void *message, size_t len,
                    const struct dns_answer *a)
{
    struct outcome *o = context;
    assert_false(o->inside);
    o->calls++;
    o->status = status;
    assert_int_equal(status == 0, message != NULL);
    if (status)
        return;
    assert_true(len >= 12);
    o->rcode = a->rcode;
    o->truncated = a->truncated;
    struct in_addr ip = {htonl(a->n_addresses ? a->addresses[0].ip : 0)};
    inet_ntop(AF_INET, &ip, o->address, sizeof(o->address));
}

#define UDP(...) .udp = {__VA_ARGS__, ACT_NONE}
#define SILENT   .udp = {ACT_NONE}
#define CLOSED   .closed = true, .udp = {ACT_NONE}

struct exchange {
    const char *what;
    struct script servers[2];
    size_t n;
    bool tcp;
    int status;
    unsigned rcode;
    const char *address; /* NULL: none */
};

static const struct exchange quick[] = {
    {"good", {{UDP(ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"nxdomain", {{UDP(ACT_NXDOMAIN)}, {UDP(ACT_GOOD)}}, 2, false, 0, DNS_NXDOMAIN, NULL},
    {"wrong id first", {{UDP(ACT_WRONG_ID, ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"wrong question first", {{UDP(ACT_WRONG_QUESTION, ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"other letter case first", {{UDP(ACT_WRONG_CASE, ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"another source first", {{UDP(ACT_WRONG_SOURCE, ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"garbage first", {{UDP(ACT_GARBAGE, ACT_EMPTY, ACT_GOOD)}}, 1, false, 0, 0, "10.0.0.1"},
    {"answered twice", {{UDP(ACT_GOOD, ACT_SERVFAIL)}}, 1, false, 0, 0, "10.0.0.1"},
    {"an alien record", {{UDP(ACT_ALIEN_RECORD)}}, 1, false, 0, 0, NULL},
    {"flood", {{UDP(ACT_FLOOD)}}, 1, false, -EBADMSG, 0, NULL},
    {"flood, then another", {{UDP(ACT_FLOOD)}, {UDP(ACT_GOOD)}}, 2, false, 0, 0, "10.0.0.1"},
    {"flood hides nothing",
     {{UDP(ACT_FLOOD, ACT_GOOD)}, {UDP(ACT_NXDOMAIN)}},
     2,
     false,
     0,
     DNS_NXDOMAIN,
     NULL},
    {"port closed", {{CLOSED}}, 1, false, -ECONNREFUSED, 0, NULL},
    {"port closed, then another", {{CLOSED}, {UDP(ACT_GOOD)}}, 2, false, 0, 0, "10.0.0.1"},
    {"servfail", {{UDP(ACT_SERVFAIL)}}, 1, false, 0, DNS_SERVFAIL, NULL},
    {"servfail, then another", {{UDP(ACT_SERVFAIL)}, {UDP(ACT_GOOD)}}, 2, false, 0, 0, "10.0.0.1"},
    {"refused, then servfail",
     {{UDP(ACT_REFUSED)}, {UDP(ACT_SERVFAIL)}},
     2,
     false,
     0,
     DNS_SERVFAIL,
     NULL},
    {"servfail, then closed", {{UDP(ACT_SERVFAIL)}, {CLOSED}}, 2, false, 0, DNS_SERVFAIL, NULL},
    {"cut", {{UDP(ACT_CUT), .tcp = ACT_GOOD}}, 1, false, 0, 0, NULL},
    {"cut, then TCP", {{UDP(ACT_CUT), .tcp = ACT_GOOD}}, 1, true, 0, 0, "10.0.0.1"},
    {"TCP in pieces", {{UDP(ACT_CUT), .tcp = ACT_PIECES}}, 1, true, 0, 0, "10.0.0.1"},
    {"TCP hangs up", {{UDP(ACT_CUT), .tcp = ACT_HANG_UP}}, 1, true, -EBADMSG, 0, NULL},
    {"TCP says nothing", {{UDP(ACT_CUT), .tcp = ACT_EMPTY}}, 1, true, -EBADMSG, 0, NULL},
    {"TCP with a wrong id", {{UDP(ACT_CUT), .tcp = ACT_WRONG_ID}}, 1, true, -EBADMSG, 0, NULL},
    {"TCP with a wrong question",
     {{UDP(ACT_CUT), .tcp = ACT_WRONG_QUESTION}},
     1,
     true,
     -EBADMSG,
     0,
     NULL},
    {"TCP cut too", {{UDP(ACT_CUT), .tcp = ACT_CUT}}, 1, true, 0, 0, NULL},
    {"TCP closed", {{UDP(ACT_CUT), .no_tcp = true}}, 1, true, -ECONNREFUSED, 0, NULL},
    {"TCP closed, then another",
     {{UDP(ACT_CUT), .no_tcp = true}, {UDP(ACT_GOOD)}},
     2,
     true,
     0,
     0,
     "10.0.0.1"},
};

/* These take the forwarder's own times, so they run at once. */
static const struct exchange slow[] = {
    {"silent, then another", {{SILENT}, {UDP(ACT_GOOD)}}, 2, false, 0, 0, "10.0.0.1"},
    {"silent", {{SILENT}}, 1, false, -ETIMEDOUT, 0, NULL},
    {"two silent", {{SILENT}, {SILENT}}, 2, false, -ETIMEDOUT, 0, NULL},
    {"only a wrong id", {{UDP(ACT_WRONG_ID)}}, 1, false, -EBADMSG, 0, NULL},
    {"only another letter case", {{UDP(ACT_WRONG_CASE)}}, 1, false, -EBADMSG, 0, NULL},
    {"only another source", {{UDP(ACT_WRONG_SOURCE)}}, 1, false, -ETIMEDOUT, 0, NULL},
};

struct run {
    const struct exchange *exchange;
    struct server servers[2];
    struct forwarder *forwarder;
    struct forward_query *query;
    struct outcome outcome;
};

static void make_question(struct message *query, struct dns_question *q)
{
    message_make(query, 0x1234, 0x100, "www.x.org A", "");
    assert_int_equal(dns_read_query(query->data, query->len, q, NULL), 0);
}

static void run_start(struct run *r, const struct exchange *e)
{
    static struct message query;
    struct dns_question q;
    struct resolver resolvers[2];
    *r = (struct run){.exchange = e};
    for (size_t i = 0; i < e->n; i++) {
        server_start(&r->servers[i], &e->servers[i]);
        resolvers[i] = (struct resolver){.address = r->servers[i].address};
    }
    r->forwarder = forwarder_new(base, resolvers, e->n);
    assert_non_null(r->forwarder);
    make_question(&query, &q);
    r->outcome.inside = true;
    r->query = forward_query(r->forwarder, &q, query.data, NULL, e->tcp, on_done, &r->outcome);
    r->outcome.inside = false;
    assert_non_null(r->query);
    /* The query is copied. */
    memset(&query, 0xff, 64);
    memset(&q, 0xff, sizeof(q));
}

static void run_check(struct run *r)
{
    const struct exchange *e = r->exchange;
    const struct outcome *o = &r->outcome;
    if (o->calls != 1 || o->status != e->status || (!o->status && o->rcode != e->rcode))
        fail_msg("%s: called %u times, status %d, rcode %u", e->what, o->calls, o->status,
                 o->rcode);
    if (!o->status && strcmp(o->address, e->address ? e->address : "0.0.0.0") != 0)
        fail_msg("%s: %s", e->what, o->address);
    forwarder_free(r->forwarder);
    for (size_t i = 0; i < e->n; i++)
        server_stop(&r->servers[i]);
}

static void test_quick(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(quick); i++) {
        struct run r;
        run_start(&r, &quick[i]);
        while (!r.outcome.calls)
            event_base_loop(base, EVLOOP_ONCE);
        /* What else is under way comes too, and is not told to anybody. */
        event_base_loop(base, EVLOOP_NONBLOCK);
        run_check(&r);
    }
}

static void test_slow(void **state)
{
    (void)state;
    static struct run runs[ARRAY_SIZE(slow)];
    unsigned left = ARRAY_SIZE(slow);
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
        run_start(&runs[i], &slow[i]);
    while (left) {
        event_base_loop(base, EVLOOP_ONCE);
        left = 0;
        for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
            left += !runs[i].outcome.calls;
    }
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
        run_check(&runs[i]);
}

/* One that asks this server for everything, n 0: none. */
static struct forwarder *new_forwarder(const struct server *s, size_t n)
{
    const struct resolver one = {.address = s->address};
    struct forwarder *f = forwarder_new(base, &one, n);
    assert_non_null(f);
    return f;
}

/* The n-th name of our own. */
static const char *name_of(unsigned n)
{
    static char name[32];
    snprintf(name, sizeof(name), "n%u.x.org", n);
    return name;
}

static const struct script good = {UDP(ACT_GOOD)}, silent = {SILENT};

static void test_resolve(void **state)
{
    (void)state;
    struct server s;
    struct outcome o = {0};
    server_start(&s, &good);
    struct forwarder *f = new_forwarder(&s, 1);
    assert_non_null(forward_resolve(f, "www.x.org", 0, on_done, &o));
    while (!o.calls)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(o.status, 0);
    assert_string_equal(o.address, "10.0.0.1");
    errno = 0;
    assert_null(forward_resolve(f, "www..org", 0, on_done, &o));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(o.calls, 1);
    forwarder_free(f);
    server_stop(&s);
}

/* `only` is asked and nobody else, also where there is nobody else. */
/* Nothing may leave: only what is kept counts. */
static void test_kept_alone(void **state)
{
    (void)state;
    const struct kept_key key = {.name = "www.x.org", .type = DNS_A, .rd = true};
    struct outcome first = {0}, second = {0};
    struct resolver resolver = {0};
    struct server s;
    server_start(&s, &good);
    resolver.address = s.address;
    struct forwarder *f = forwarder_new(base, &resolver, 1);
    errno = 0;
    assert_null(forward_resolve(f, "www.x.org", FORWARD_KEPT, on_done, &first));
    assert_int_equal(errno, EKEYEXPIRED);
    kept_ask(forwarder_kept(f), &key);
    assert_non_null(forward_resolve(f, "www.x.org", 0, on_done, &first));
    while (!first.calls)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(s.queries, 1);
    assert_non_null(forward_resolve(f, "www.x.org", FORWARD_KEPT, on_done, &second));
    while (!second.calls)
        event_base_loop(base, EVLOOP_ONCE);
    assert_string_equal(second.address, "10.0.0.1");
    assert_int_equal(s.queries, 1);
    forwarder_free(f);
    server_stop(&s);
}

static void test_only(void **state)
{
    (void)state;
    static struct message query;
    struct server asked, other;
    struct outcome o = {0};
    struct dns_question q;
    make_question(&query, &q);
    server_start(&asked, &good);
    server_start(&other, &silent);
    for (size_t n = 0; n < 2; n++) {
        struct forwarder *f = new_forwarder(&other, n);
        o.calls = 0;
        assert_non_null(forward_query(f, &q, query.data, &asked.address, 0, on_done, &o));
        while (!o.calls)
            event_base_loop(base, EVLOOP_ONCE);
        assert_string_equal(o.address, "10.0.0.1");
        forwarder_free(f);
    }
    assert_int_equal(asked.queries, 2);
    assert_int_equal(other.queries, 0);
    struct forwarder *f = forwarder_new(base, NULL, 0);
    assert_null(forward_query(f, &q, query.data, NULL, 0, on_done, &o));
    assert_int_equal(errno, EDESTADDRREQ);
    forwarder_free(f);
    server_stop(&asked);
    server_stop(&other);
}

static void test_cancel(void **state)
{
    (void)state;
    struct server s;
    struct outcome gone = {0}, stays = {0};
    server_start(&s, &good);
    struct forwarder *f = new_forwarder(&s, 1);
    struct forward_query *a = forward_resolve(f, "www.x.org", 0, on_done, &gone);
    struct forward_query *b = forward_resolve(f, "www.x.org", 0, on_done, &stays);
    struct forward_query *c = forward_resolve(f, "www.x.org", 0, on_done, &gone);
    assert_true(a && b && c);
    forward_cancel(a);
    forward_cancel(c);
    forward_cancel(NULL);
    while (!stays.calls)
        event_base_loop(base, EVLOOP_ONCE);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(gone.calls, 0);
    /* And those still under way when all ends. */
    assert_non_null(forward_resolve(f, "www.x.org", 0, on_done, &gone));
    assert_non_null(forward_resolve(f, "www.x.org", 0, on_done, &gone));
    forwarder_free(f);
    forwarder_free(NULL);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(gone.calls, 0);
    server_stop(&s);
}

/* Who is told may start another, and may end the forwarder. */
struct chain {
    struct forwarder *forwarder;
    unsigned left;
};

static void on_chain(void *context, int status, const void *message, size_t len,
                     const struct dns_answer *a)
{
    struct chain *c = context;
    assert_int_equal(status, 0);
    assert_true(message && len > 12 && a->n_addresses == 1);
    if (--c->left)
        assert_non_null(forward_resolve(c->forwarder, "www.x.org", 0, on_chain, c));
    else
        forwarder_free(c->forwarder);
}

static void test_from_within(void **state)
{
    (void)state;
    static const struct script cut = {UDP(ACT_CUT), .tcp = ACT_GOOD};
    const struct script *const scripts[] = {&good, &cut};
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct server s;
        server_start(&s, scripts[i]);
        struct chain c = {new_forwarder(&s, 1), 20};
        assert_non_null(forward_resolve(c.forwarder, "www.x.org", 0, on_chain, &c));
        while (c.left)
            event_base_loop(base, EVLOOP_ONCE);
        assert_int_equal(s.queries, 20);
        server_stop(&s);
    }
}

/* Bounded by descriptors, and by its own limit. */
static void test_too_many(void **state)
{
    (void)state;
    struct server s;
    struct rlimit old, limit;
    struct outcome o = {0};
    size_t n = 0;
    server_start(&s, &silent);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    static const rlim_t limits[] = {64, FORWARD_MAX + 64};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        limit = (struct rlimit){MIN(limits[i], old.rlim_max), old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        struct forwarder *f = new_forwarder(&s, 1);
        for (n = 0; n <= FORWARD_MAX && forward_resolve(f, name_of((unsigned)n), 0, on_done, &o);
             n++)
            ;
        if (limit.rlim_cur > FORWARD_MAX) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(n, FORWARD_MAX);
        } else {
            assert_int_equal(errno, EMFILE);
        }
        forwarder_free(f);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(o.calls, 0);
    server_stop(&s);
}

/* Ids and ports are not a sequence that could be foreseen: both vary between queries. More are
 * asked than ids are had from the kernel at once. */
static void test_ids_vary(void **state)
{
    (void)state;
    enum { N = 300 };
    struct server s;
    struct outcome o = {0};
    unsigned ids = 0, ports = 0, last_id = 0, last_port = 0, again = 0;
    static bool used[65536];
    server_start(&s, &silent);
    struct forwarder *f = new_forwarder(&s, 1);
    for (unsigned i = 0; i < N; i++) {
        uint8_t bytes[512];
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        assert_non_null(forward_resolve(f, name_of(i), 0, on_done, &o));
        ssize_t n = recvfrom(s.udp, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);
        assert_true(n > 12);
        unsigned id = (unsigned)(bytes[0] << 8 | bytes[1]);
        again += used[id];
        used[id] = true;
        ids += id != last_id && id != last_id + 1;
        ports += from.sin_port != last_port;
        last_id = id;
        last_port = from.sin_port;
    }
    assert_true(ids > N / 2 && ports > N / 2);
    assert_true(again < 20); /* by chance it is one at most, nearly always */
    forwarder_free(f);
    server_stop(&s);
}

/* Many who ask the same at the same time: one query, and each is told once; whoever cancels is not,
 * also from within another's call. */
struct crowd {
    struct forward_query *other; /* cancelled by the first who is told */
    unsigned calls;
};

static void on_crowd(void *context, int status, const void *message, size_t len,
                     const struct dns_answer *a)
{
    struct crowd *c = context;
    assert_int_equal(status, 0);
    assert_true(message && len > 12 && a->n_addresses == 1);
    c->calls++;
    forward_cancel(STEAL(c->other));
}

static void test_asked_once(void **state)
{
    (void)state;
    enum { N = 50 };
    struct server s;
    struct crowd c = {0};
    struct outcome gone = {0};
    server_start(&s, &good);
    struct forwarder *f = new_forwarder(&s, 1);
    struct forward_query *first = forward_resolve(f, "www.x.org", 0, on_done, &gone);
    /* The one who will be cancelled waits behind the others. */
    c.other = forward_resolve(f, "www.x.org", 0, on_done, &gone);
    for (unsigned i = 0; i < N; i++)
        assert_non_null(forward_resolve(f, "www.x.org", 0, on_crowd, &c));
    forward_cancel(first);
    while (c.calls < N)
        event_base_loop(base, EVLOOP_ONCE);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(c.calls, N);
    assert_int_equal(gone.calls, 0);
    assert_int_equal(s.queries, 1);
    forwarder_free(f);
    server_stop(&s);
}

/* Those of the longest zone are asked, and nobody else. */
static void test_zones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned who; /* of the servers below */
    } cases[] = {
        {"y.org", 0},     {"org", 0},     {"xx.org", 0},      {"x.org", 1},
        {"www.x.org", 1}, {"w.x.org", 2}, {"a.b.w.x.org", 2}, {"x.org.net", 0},
    };
    static const char *const zones[] = {"", "x.org", "w.x.org"};
    struct server servers[ARRAY_SIZE(zones)];
    struct resolver resolvers[ARRAY_SIZE(zones)] = {0};
    unsigned want[ARRAY_SIZE(zones)] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        server_start(&servers[i], &silent);
        resolvers[i].address = servers[i].address;
        snprintf(resolvers[i].zone, sizeof(resolvers[i].zone), "%s", zones[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = {0};
        struct forwarder *f = forwarder_new(base, resolvers, ARRAY_SIZE(resolvers));
        assert_non_null(forward_resolve(f, cases[i].name, 0, on_done, &o));
        want[cases[i].who]++;
        while (servers[cases[i].who].queries < want[cases[i].who])
            event_base_loop(base, EVLOOP_ONCE);
        forwarder_free(f);
        for (size_t j = 0; j < ARRAY_SIZE(zones); j++)
            if (servers[j].queries != want[j])
                fail_msg("%s: asked '%s'", cases[i].name, zones[j]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++)
        server_stop(&servers[i]);
}

/* An answer that is kept is given again, checked and told as if it had come; others are not kept.
 */
static void test_given_again(void **state)
{
    (void)state;
    static const struct {
        struct script script;
        unsigned queries;
    } cases[] = {
        {{UDP(ACT_GOOD)}, 1},
        {{UDP(ACT_NXDOMAIN)}, 1},
        {{UDP(ACT_SERVFAIL)}, 3},
        {{UDP(ACT_REFUSED)}, 3},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool paid = i < ARRAY_SIZE(cases);
        const struct kept_key key = {.name = "www.x.org", .type = DNS_A, .rd = true};
        struct server s;
        server_start(&s, &cases[i % ARRAY_SIZE(cases)].script);
        struct forwarder *f = new_forwarder(&s, 1);
        if (paid)
            kept_ask(forwarder_kept(f), &key);
        for (unsigned n = 0; n < 3; n++) {
            struct outcome o = {.inside = true};
            assert_non_null(forward_resolve(f, "www.x.org", 0, on_done, &o));
            o.inside = false;
            while (!o.calls)
                event_base_loop(base, EVLOOP_ONCE);
            assert_int_equal(o.status, 0);
            if (i % ARRAY_SIZE(cases) == 0)
                assert_string_equal(o.address, "10.0.0.1");
        }
        assert_int_equal(s.queries, paid ? cases[i].queries : 3);
        forwarder_free(f);
        server_stop(&s);
    }
}

static void test_resolver_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *again; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1:53"},
        {"192.0.2.1:5353", "192.0.2.1:5353"},
        {"corp=10.0.0.53", "corp=10.0.0.53:53"},
        {"Corp.Example.=10.0.0.53:54", "corp.example=10.0.0.53:54"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:000053", NULL},
        {"192.0.2.1:53x", NULL},
        {"192.0.2.1:+53", NULL},
        {"192.0.2.1 ", NULL},
        {"0.0.0.0", NULL},
        {"::1", NULL},
        {"=192.0.2.1", NULL},
        {".=192.0.2.1", NULL},
        {"a..b=192.0.2.1", NULL},
        {"*.b=192.0.2.1", NULL},
        {"a b=192.0.2.1", NULL},
        {"corp=", NULL},
        {"corp=192.0.2.1=1", NULL},
        {"1.2.3.4=192.0.2.1", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct resolver r;
        const char *why = NULL;
        char text[RESOLVER_TEXT];
        int failed = resolver_parse(cases[i].text, &r, &why);
        if (failed != (cases[i].again ? 0 : -EINVAL) || !failed == !!why)
            fail_msg("'%s': %d, %s", cases[i].text, failed, why ? why : "no reason");
        if (failed)
            continue;
        resolver_text(&r, text);
        assert_string_equal(text, cases[i].again);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("D07", test_quick),       REPORT("D07", test_slow),
        REPORT("-", test_resolve),       REPORT("-", test_only),
        REPORT("-", test_cancel),        REPORT("-", test_from_within),
        REPORT("-", test_too_many),      REPORT("D07", test_ids_vary),
        REPORT("-", test_asked_once),    REPORT("-", test_zones),
        REPORT("D06", test_given_again), REPORT("-", test_resolver_words),
        REPORT("D06", test_kept_alone),
    };
    base = event_base_new();
    int r = unit_run(tests, ARRAY_SIZE(tests));
    event_base_free(base);
    return r;
}
