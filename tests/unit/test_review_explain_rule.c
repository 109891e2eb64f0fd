/* SPDX-License-Identifier: MIT
 * What `explain` says of rules, against both matchers, on random policies and events: what a rule
 * is said to lack, changed and nothing else, makes it match, and any one of it left as it was does
 * not.
 *
 *     EGRESS_EXPLAINED=N   how many pairs of rule and event (60,000)
 *     EGRESS_SEED=N        where the random numbers begin */
#include "review/explain_find.h"
#include "review/explain_who.h"
#include "unit/oracle_event.h"
#include "unit/plain_match.h"
#include "unit/report.h"

enum { RULES = 60, EVENTS = 12, ROOM = RULES * MAKE_LINE };

struct counts {
    size_t pairs, matched, hopeless, single, several, denied, near, halves;
    size_t lacks[LACK_COUNT];
};

static size_t setting(const char *name, size_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static bool is_allowed(const struct policy *p, const struct event *e)
{
    struct verdict v = policy_match(p, e);
    assert_int_equal(v.action, plain_match(p, e).action);
    return v.action != VERDICT_DENY;
}

struct draft {
    struct event e;
    struct event_process p;
};

/* One part of an event into another one: the fields that each lack stands for, written down a
 * second time. */
static void take(enum lack lack, const struct draft *from, struct draft *to)
{
    const struct event *f = &from->e;
    struct event *t = &to->e;
    if (lack >= LACK_EXE)
        explain_who_copy(lack, &from->p, &to->p);
    if (lack == LACK_STAGE) {
        t->stage = f->stage;
        t->https = f->https;
        t->http = f->http;
        t->resolver_is_self = f->resolver_is_self;
    }
    if (lack == LACK_NAME) {
        t->host = f->host;
        t->names = f->names;
        t->n_names = f->n_names;
    }
    if (lack == LACK_ADDRESS || lack == LACK_PRIVATE) {
        t->has_dst = f->has_dst;
        t->dst_ip = f->dst_ip;
    }
    if (lack == LACK_BYTES)
        t->unknown_bytes = f->unknown_bytes;
    if (lack == LACK_PROTO)
        t->proto = f->proto;
    if (lack == LACK_PORT)
        t->dst_port = f->dst_port;
    if (lack == LACK_METHOD)
        t->method = f->method;
    if (lack == LACK_PATH)
        t->path = f->path;
}

static bool asks(const struct policy *alone, const struct draft *d, enum explain_half half)
{
    struct event e = explain_asked(&d->e, half);
    e.process = &d->p;
    return is_allowed(alone, &e);
}

static void check_rule(const struct policy *p, const struct rule *r, const struct make_event *m,
                       uint64_t seed, struct counts *c)
{
    struct arena arena = {0};
    struct explain_rule x;
    int found = explain_rule(p, r, &m->e, &arena, &x);
    assert_true(found >= 0);
    struct policy *alone = explain_alone(p, r, x.half);
    assert_non_null(alone);
    /* As it is: the event itself, with no other way of saying it. */
    const struct event as_it_is = explain_asked(&m->e, x.half);
    bool matches = is_allowed(alone, &as_it_is);
    c->pairs++;
    if (found == 0) {
        c->hopeless++;
        if (matches)
            fail_msg("seed %llu: '%s' matches, and is said to be out of reach",
                     (unsigned long long)seed, r->text);
    } else {
        struct draft was = {.e = explain_normal(&m->e)}, d;
        if (m->e.process)
            was.p = *m->e.process;
        d = was;
        const struct draft changed = {*x.changed, *x.process};
        unsigned n = (unsigned)__builtin_popcount(x.lacks);
        c->matched += n == 0;
        c->single += n == 1;
        c->several += n > 1;
        if (matches != (n == 0)) {
            make_show_event(m);
            fail_msg("seed %llu: '%s' lacks %#x, and matches: %d", (unsigned long long)seed,
                     r->text, x.lacks, matches);
        }
        for (unsigned lack = 0; lack < LACK_COUNT; lack++) {
            if (!(x.lacks >> lack & 1))
                continue;
            take((enum lack)lack, &changed, &d);
            c->lacks[lack]++;
        }
        if (!asks(alone, &d, x.half)) {
            make_show_event(m);
            fail_msg("seed %llu: '%s': changing %#x does not make it match",
                     (unsigned long long)seed, r->text, x.lacks);
        }
        for (unsigned lack = 0; lack < LACK_COUNT; lack++) {
            struct draft one = d;
            if (!(x.lacks >> lack & 1))
                continue;
            take((enum lack)lack, &was, &one);
            if (asks(alone, &one, x.half)) {
                make_show_event(m);
                fail_msg("seed %llu: '%s': of %#x it does not lack %u", (unsigned long long)seed,
                         r->text, x.lacks, lack);
            }
        }
    }
    policy_unref(alone);
    arena_release(&arena);
}

/* The verdict that is explained is that of both matchers, and its halves go together with it. */
static void check_event(const struct policy *p, const struct make_event *m, struct counts *c)
{
    struct arena arena = {0};
    struct explanation x;
    const struct event *e = &m->e;
    assert_int_equal(explain_find(p, e, &arena, &x), 0);
    struct verdict got = policy_match(p, e), plain = plain_match(p, e);
    assert_int_equal(x.verdict.action, got.action);
    assert_int_equal(x.verdict.action, plain.action);
    assert_int_equal(x.verdict.reason, plain.reason);
    assert_ptr_equal(x.verdict.rule, plain.rule);
    assert_int_equal(x.verdict.line, plain.line);
    if (e->stage == EVENT_DNS && x.by_name.asked) {
        bool both = x.by_name.verdict.action == VERDICT_ALLOW &&
                    x.by_address.verdict.action == VERDICT_ALLOW;
        assert_int_equal(both, got.action == VERDICT_ALLOW);
        assert_int_equal(x.by_address.verdict.rule != NULL,
                         x.by_address.verdict.action == VERDICT_ALLOW ||
                             x.by_address.verdict.reason == REASON_VETO);
        c->halves++;
    }
    c->denied += got.action == VERDICT_DENY;
    c->near += x.near.n > 0;
    if (got.action != VERDICT_DENY || got.reason == REASON_VETO)
        assert_int_equal(x.near.n, 0);
    assert_true(x.near.n <= EXPLAIN_NEAR_MAX);
    for (size_t i = 0; i < x.near.n; i++)
        assert_true(x.near.list[i].lacks != 0);
    arena_release(&arena);
}

static void one_policy(uint64_t seed, struct counts *c)
{
    static char text[ROOM];
    const struct make_above above = {0};
    struct make_random r = {.state = seed};
    size_t n = 1 + make_below(&r, RULES), len = 0;
    r.few = make_once(&r, 2);
    for (size_t i = 0; i < n; i++) {
        char line[MAKE_LINE] = "";
        make_rule(&r, &above, line);
        len += (size_t)snprintf(text + len, ROOM - len, "%s\n", line);
    }
    const struct policy_source source = {"x.rules", text, len};
    const struct policy_options options = {.owner = make_owner, .repo = make_repo};
    struct policy *p = policy_parse(&source, 1, &options);
    if (!p)
        fail_msg("seed %llu: refused\n%s", (unsigned long long)seed, text);
    for (size_t i = 0; i < EVENTS; i++) {
        struct make_event m;
        make_event(&r, &m);
        m.e.http = m.e.stage == EVENT_ADDRESS && make_once(&r, 4);
        check_event(p, &m, c);
        for (size_t k = 0; k < policy_rule_count(p) && m.e.stage != EVENT_OTHER; k++)
            if (policy_rule(p, k)->action == RULE_ALLOW)
                check_rule(p, policy_rule(p, k), &m, seed, c);
    }
    policy_unref(p);
}

static void what_is_lacking_is_all_that_is(void **state)
{
    (void)state;
    struct counts c = {0};
    uint64_t seed = setting("EGRESS_SEED", 1);
    const size_t pairs = setting("EGRESS_EXPLAINED", 60000);
    while (c.pairs < pairs)
        one_policy(seed++, &c);
    printf("  %zu pairs: %zu match, %zu lack one thing, %zu several, %zu are out of reach\n",
           c.pairs, c.matched, c.single, c.several, c.hopeless);
    printf("  %zu events denied, %zu with rules near them, %zu look-ups with two halves\n ",
           c.denied, c.near, c.halves);
    for (size_t i = 0; i < LACK_COUNT; i++)
        printf(" %zu", c.lacks[i]);
    printf("\n");
    assert_true(c.matched > c.pairs / 1000 && c.single > c.pairs / 100);
    assert_true(c.several > c.pairs / 10 && c.near > 0 && c.halves > 0);
    assert_true(c.hopeless < c.pairs / 10);
    for (size_t i = 0; i < LACK_COUNT; i++)
        assert_true(c.lacks[i] > 0);
}

int main(void)
{
    static const struct unit_test tests[] = {REPORT("-", what_is_lacking_is_all_that_is)};
    return unit_run(tests, ARRAY_SIZE(tests));
}
