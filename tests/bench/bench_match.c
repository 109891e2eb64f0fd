/* SPDX-License-Identifier: MIT
 * How long loading and judging take, and what a rule weighs: figures, never a verdict about them.
 *
 *     bench_match [--json] [--quick] [NAME…]
 *
 * Each event is timed by itself, less what the clock takes. "turn": one event after another, as
 * they come; "warm": the same event over again; "cold": after everything was driven out of the
 * caches. All in nanoseconds of the clock on the wall; loading, without and with the warnings of
 * check, in milliseconds of processor time, the median of several. */
#include <malloc.h>
#include <stdbool.h>

#include "bench/events.h"
#include "bench/figures.h"

enum {
    EVENTS = 4096,
    REPEATS = 32,
    COLD_EVENTS = 128,
    COLD_BYTES = 64 * 1024 * 1024,
    LOADS = 5,
};

struct result {
    const char *name;
    size_t n;
    double load_ms, check_ms, bytes_a_rule, text_a_rule;
    struct spread turn, warm, cold;
    struct {
        const char *name;
        size_t n;
        double p50;
    } stages[5];
};

struct bench {
    struct bench_process processes[BENCH_PROCESSES];
    struct bench_event events[EVENTS];
    double times[EVENTS];
    char *evict;
    double clock_ns; /* what asking it takes */
    bool json, quick;
    unsigned sum; /* of verdicts, so that none is left away */
};

/* Loading takes long enough for others to come between; this does not count them. */
static double cpu_ms(void)
{
    return cpu_ns() / 1e6;
}

/* An event that was just made is in the cache of who made it. */
static void touch(struct bench *b, size_t i)
{
    const unsigned char *bytes = (const unsigned char *)&b->events[i];
    for (size_t k = 0; k < sizeof(b->events[i]); k += 64)
        b->sum += bytes[k];
}

static double judge(struct bench *b, const struct policy *p, size_t i)
{
    touch(b, i);
    double start = now_ns();
    struct verdict v = policy_match(p, &b->events[i].e);
    double took = now_ns() - start - b->clock_ns;
    b->sum += v.action + v.reason + (unsigned)v.line;
    return took > 0 ? took : 0;
}

static struct spread measure_warm(struct bench *b, const struct policy *p)
{
    size_t step = b->quick ? 16 : 1, n = 0;
    for (size_t i = 0; i < EVENTS; i += step) {
        double start = now_ns();
        for (size_t k = 0; k < REPEATS; k++)
            b->sum += policy_match(p, &b->events[i].e).action;
        b->times[n++] = (now_ns() - start - b->clock_ns) / REPEATS;
    }
    return spread_of(b->times, n);
}

static struct spread measure_cold(struct bench *b, const struct policy *p)
{
    size_t n = b->quick ? 8 : COLD_EVENTS;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < COLD_BYTES; k += 64)
            b->evict[k]++;
        b->times[i] = judge(b, p, i * (EVENTS / COLD_EVENTS));
    }
    return spread_of(b->times, n);
}

/* Of three times the least counts, so that what others of the machine do is left away and what an
 * event costs by itself is not. */
static void measure_turn(struct bench *b, const struct policy *p, struct result *r)
{
    static const char *const stages[] = {"tcp", "udp", "tls", "request", "dns"};
    static double of_stage[EVENTS];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < EVENTS; i++) {
            double took = judge(b, p, i);
            b->times[i] = round == 0 ? took : MIN(took, b->times[i]);
        }
    }
    for (size_t s = 0; s < ARRAY_SIZE(stages); s++) {
        size_t n = 0;
        for (size_t i = 0; i < EVENTS; i++)
            if (strcmp(b->events[i].stage, stages[s]) == 0)
                of_stage[n++] = b->times[i];
        r->stages[s].name = stages[s];
        r->stages[s].n = n;
        r->stages[s].p50 = n ? spread_of(of_stage, n).p50 : 0;
    }
    r->turn = spread_of(b->times, EVENTS);
}

static void ignore(void *context, const struct diagnostic *d)
{
    unsigned *sum = context;
    *sum += (unsigned)d->line;
}

static struct policy *load(const struct bench_policy *made, bool check, double *ms)
{
    unsigned sum = 0;
    const struct policy_source source = {made->name, made->text, made->len};
    const struct policy_options options = {.diagnose = check ? ignore : NULL,
                                           .diagnose_context = &sum};
    double start = cpu_ms();
    struct policy *p = policy_parse(&source, 1, &options);
    *ms = cpu_ms() - start;
    if (!p || policy_rule_count(p) != made->n) {
        fprintf(stderr, "bench_match: the policy %s is refused\n", made->name);
        exit(1);
    }
    return p;
}

static size_t heap_used(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static struct policy *measure_load(struct bench *b, const struct bench_policy *made,
                                   struct result *r)
{
    double ms[LOADS];
    size_t n = b->quick ? 1 : LOADS, before = heap_used();
    policy_unref(load(made, true, &r->check_ms));
    for (size_t i = 0; i + 1 < n; i++)
        policy_unref(load(made, false, &ms[i]));
    struct policy *p = load(made, false, &ms[n - 1]);
    r->load_ms = spread_of(ms, n).p50;
    r->bytes_a_rule = (double)(heap_used() - before) / (double)made->n;
    r->text_a_rule = (double)made->len / (double)made->n;
    return p;
}

static void print_spread(const char *name, const struct spread *s)
{
    printf(",\"%s\":{\"p50\":%.0f,\"p90\":%.0f,\"p99\":%.0f,\"max\":%.0f}", name, s->p50, s->p90,
           s->p99, s->max);
}

static void print_json(const struct result *r)
{
    printf("{\"bench\":\"match\",\"policy\":\"%s\",\"rules\":%zu,\"load_ms\":%.2f,"
           "\"check_ms\":%.2f,\"bytes_a_rule\":%.0f,\"text_a_rule\":%.0f",
           r->name, r->n, r->load_ms, r->check_ms, r->bytes_a_rule, r->text_a_rule);
    print_spread("turn_ns", &r->turn);
    print_spread("warm_ns", &r->warm);
    print_spread("cold_ns", &r->cold);
    for (size_t s = 0; s < ARRAY_SIZE(r->stages); s++)
        if (r->stages[s].n)
            printf(",\"%s_ns\":%.0f", r->stages[s].name, r->stages[s].p50);
    printf("}\n");
}

static void print_row(const struct result *r)
{
    printf("%-19s %7.2f %8.2f %6.0f |%6.0f %6.0f %7.0f %8.0f |%6.0f |%6.0f %7.0f |", r->name,
           r->load_ms, r->check_ms, r->bytes_a_rule, r->turn.p50, r->turn.p90, r->turn.p99,
           r->turn.max, r->warm.p50, r->cold.p50, r->cold.p99);
    for (size_t s = 0; s < ARRAY_SIZE(r->stages); s++) {
        if (r->stages[s].n)
            printf(" %s %.0f", r->stages[s].name, r->stages[s].p50);
    }
    printf("\n");
}

static void run(struct bench *b, const struct bench_kind *kind)
{
    struct bench_policy made;
    struct result r = {.name = kind->name, .n = kind->n};
    bench_write(&made, kind);
    struct policy *p = measure_load(b, &made, &r);
    for (size_t i = 0; i < EVENTS; i++)
        bench_event(&made, b->processes, &b->events[i]);
    r.warm = measure_warm(b, p);
    measure_turn(b, p, &r);
    r.cold = measure_cold(b, p);
    if (b->json)
        print_json(&r);
    else
        print_row(&r);
    fflush(stdout);
    policy_unref(p);
    bench_release(&made);
}

static bool wanted(int argc, char **argv, const char *name)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        any = true;
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    static struct bench b;
    for (int i = 1; i < argc; i++) {
        b.json = b.json || strcmp(argv[i], "--json") == 0;
        b.quick = b.quick || strcmp(argv[i], "--quick") == 0;
    }
    b.evict = calloc(1, COLD_BYTES);
    if (!b.evict)
        return 1;
    b.clock_ns = clock_cost_ns(b.times, EVENTS);
    bench_processes(b.processes);
    if (!b.json)
        printf("policy              load ms check ms B/rule |turn p50   p90     p99      max |"
               "warm  |cold p50  p99  | p50 by stage, ns (the clock takes %.0f)\n",
               b.clock_ns);
    for (size_t i = 0; i < ARRAY_SIZE(bench_kinds); i++)
        if (wanted(argc, argv, bench_kinds[i].name))
            run(&b, &bench_kinds[i]);
    free(b.evict);
    return b.sum == 1; /* never so; the sum is used */
}
