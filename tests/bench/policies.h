/* SPDX-License-Identifier: MIT
 * Policies to measure by, and events that they are about: the mixed one that a large organisation
 * might write, and those that are hard for a matcher. The same everywhere for one number. */
#pragma once

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrib.h"
#include "rules/policy.h"

enum { BENCH_PROCESSES = 64, BENCH_ARGS = 6 };

struct bench_random {
    uint64_t state;
};

/* What one rule is about, so that an event can be made that it matches. */
struct bench_sample {
    char host[96]; /* empty: an address alone */
    char path[160];
    uint32_t ip;
    uint16_t port;
    bool https, udp, request;
    unsigned who; /* a process that its selectors match */
};

struct bench_policy {
    const char *name;
    char *text; /* owned */
    size_t len, size;
    struct bench_sample *samples; /* owned, one for each line */
    size_t n;
    struct bench_random random;
    char long_path[8192]; /* paths of many rules in one, as somebody would write to make work */
};

/* splitmix64 */
static inline uint64_t bench_next(struct bench_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline unsigned bench_below(struct bench_random *r, size_t n)
{
    return (unsigned)(bench_next(r) % n);
}

static inline void PRINTF(2, 3) bench_say(struct bench_policy *p, const char *format, ...)
{
    va_list args;
    if (p->size - p->len < 4096) {
        p->size = p->size ? p->size * 2 : 65536;
        p->text = realloc(p->text, p->size);
        if (!p->text)
            abort();
    }
    va_start(args, format);
    p->len += (size_t)vsnprintf(p->text + p->len, p->size - p->len, format, args);
    va_end(args);
}

static inline void PRINTF(2, 3) bench_host(struct bench_sample *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->host, sizeof(s->host), format, args);
    va_end(args);
}

/* One rule in five is about somebody; the forms as they are met in policies. */
static inline void mixed_who(struct bench_policy *p, struct bench_sample *s)
{
    if (bench_below(&p->random, 5) != 0)
        return;
    unsigned w = s->who;
    switch (bench_below(&p->random, 6)) {
    case 0:
    case 1:
        return bench_say(p, " exe=/usr/bin/tool%u", w);
    case 2:
        return bench_say(p, " exe=/usr/*/tool%u", w);
    case 3:
        return bench_say(p, " cgroup=%s", w % 2 ? "@docker" : "@host");
    case 4:
        return bench_say(p, " exe=/usr/bin/tool%u arg=\"--job-%u\"", w, w);
    default:
        return bench_say(p, " arg=*job-%u*", w);
    }
}

static inline void mixed_address(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    s->host[0] = '\0';
    s->ip = (uint32_t)bench_next(&p->random) % 0xdf000000u + 0x01000000u;
    unsigned bits = i % 2         ? 32
                    : i % 64 == 0 ? 1 + bench_below(&p->random, 7)
                                  : 8 + bench_below(&p->random, 25);
    uint32_t ip = s->ip & UINT32_MAX << (32 - bits);
    bench_say(p, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    if (bits < 32)
        bench_say(p, "/%u", bits);
    s->udp = bench_below(&p->random, 3) == 0;
    s->port = s->udp ? 53 : 443;
    if (s->udp)
        bench_say(p, ":53/udp");
}

static inline void mixed_port(struct bench_policy *p, struct bench_sample *s)
{
    s->port = 443;
    if (bench_below(&p->random, 6) == 0) {
        static const char *const ports[] = {":8443", ":22|443|8443", ":8000-9000", ":*"};
        s->port = 8443;
        bench_say(p, "%s", ports[bench_below(&p->random, ARRAY_SIZE(ports))]);
    }
}

static inline void mixed_url(struct bench_policy *p, struct bench_sample *s, size_t i, bool few)
{
    static const char *const paths[][2] = {
        {"/repos/org%zu/*", "/repos/org%zu/x/y"},
        {"/packages/p%zu", "/packages/p%zu"},
        {"/repos/*/r%zu/releases", "/repos/o/r%zu/releases"},
        {"/dl/v%zu-*.tar.gz", "/dl/v%zu-1.2.tar.gz"},
    };
    const char *const *path = paths[bench_below(&p->random, ARRAY_SIZE(paths))];
    s->https = s->request = true;
    if (few)
        bench_host(s, "api%zu.few.example", i % 4);
    else
        bench_host(s, "api%zu.org%zu.example", i, i % 97);
    bench_say(p, "https://%s", s->host);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    bench_say(p, path[0], i);
    snprintf(s->path, sizeof(s->path), path[1], i);
#pragma GCC diagnostic pop
}

static inline void mixed_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    unsigned kind = (unsigned)(i * 7 % 20);
    s->who = bench_below(&p->random, BENCH_PROCESSES);
    if (kind == 19)
        bench_say(p, "deny ");
    if (kind < 7 || kind == 19) {
        bench_host(s, "h%zu.zone%zu.example.com", i, i % 89);
        bench_say(p, "%s", s->host);
        mixed_port(p, s);
    } else if (kind < 9) {
        bench_host(s, "www.w%zu.net", i);
        bench_say(p, "*.w%zu.net", i);
    } else if (kind == 9) {
        bench_host(s, "derp%zu-7.x%zu.com", i, i % 31);
        bench_say(p, "derp%zu*.x%zu.com", i, i % 31);
    } else if (kind < 13) {
        mixed_address(p, s, i);
    } else if (kind < 17) {
        mixed_url(p, s, i, false);
    } else if (kind == 17) {
        mixed_url(p, s, i, true);
    } else {
        bench_host(s, "int%zu.corp", i);
        bench_say(p, "dns:%s", s->host);
    }
    mixed_who(p, s);
}

static inline void wildcards_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    static const char *const forms[][2] = {
        {"derp%zu*", "derp%zux"}, {"*-%zu", "a-%zu"}, {"a*%zu*b", "a-%zu-b"}};
    const char *const *form = forms[i % 3];
    char label[32];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    bench_say(p, form[0], i);
    snprintf(label, sizeof(label), form[1], i);
#pragma GCC diagnostic pop
    bench_say(p, ".x.com");
    bench_host(s, "%s.x.com", label);
}

static inline void exes_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    bench_host(s, "one.x.com");
    s->who = (unsigned)(i % BENCH_PROCESSES);
    bench_say(p, "one.x.com exe=/%s/tool%zu", i % 2 ? "usr/bin" : "usr/*", i);
}

static inline void cidrs_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    unsigned bits = (unsigned)(i % 33);
    s->host[0] = '\0';
    s->ip = 0x5a5a5a5a ^ (bits == 32 ? (uint32_t)i : 0);
    s->port = (uint16_t)(i / 33 + 1);
    uint32_t ip = bits ? s->ip & UINT32_MAX << (32 - bits) : 0;
    bench_say(p, "%u.%u.%u.%u/%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255, bits,
              s->port);
}

static inline void stars_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    s->https = s->request = true;
    bench_host(s, "one.x.com");
    bench_say(p, "https://one.x.com/repos/*/pkg%zu/v*/files", i);
    snprintf(s->path, sizeof(s->path), "/repos/mine/pkg%zu/v1.2/files", i);
}

static inline void args_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    s->who = (unsigned)(i % BENCH_PROCESSES);
    bench_host(s, "one.x.com");
    bench_say(p, "one.x.com arg=`*--a-rather-long-option-of-some-program=*job-%zu*and*so*on*`", i);
}

/* Nothing tells these apart before the whole pattern was tried: every piece is in every text. */
static inline void alike_rule(struct bench_policy *p, struct bench_sample *s, size_t i)
{
    s->https = s->request = true;
    bench_host(s, "one.x.com");
    bench_say(p, "https://one.x.com/");
    snprintf(s->path, sizeof(s->path), "/abababababababababababababababab/c");
    for (size_t k = i + 1; k > 0; k /= 2)
        bench_say(p, "%s", k % 2 ? "*a" : "*b");
    bench_say(p, "*");
}

typedef void bench_rule(struct bench_policy *p, struct bench_sample *s, size_t i);

static const struct bench_kind {
    const char *name;
    size_t n;
    bench_rule *rule;
} bench_kinds[] = {
    {"mixed-10", 10, mixed_rule},
    {"mixed-1000", 1000, mixed_rule},
    {"mixed-10000", 10000, mixed_rule},
    {"mixed-100000", 100000, mixed_rule},
    {"wildcards-one-zone", 10000, wildcards_rule},
    {"exes-one-host", 10000, exes_rule},
    {"cidrs-nested", 10000, cidrs_rule},
    {"url-stars-one-host", 10000, stars_rule},
    {"args-long", 10000, args_rule},
    {"url-stars-alike", 10000, alike_rule},
};

static inline void bench_write(struct bench_policy *p, const struct bench_kind *kind)
{
    *p = (struct bench_policy){.name = kind->name, .n = kind->n, .random = {kind->n}};
    p->samples = calloc(kind->n, sizeof(*p->samples));
    if (!p->samples)
        abort();
    for (size_t i = 0; i < kind->n; i++) {
        p->samples[i] = (struct bench_sample){.port = 443, .ip = 0x5db8d822};
        kind->rule(p, &p->samples[i], i);
        bench_say(p, "\n");
    }
    for (size_t i = 0, n = 0; i < kind->n && n + sizeof(p->samples->path) < sizeof(p->long_path);
         i++)
        n += (size_t)snprintf(p->long_path + n, sizeof(p->long_path) - n, "%s", p->samples[i].path);
}

static inline void bench_release(struct bench_policy *p)
{
    free(p->text);
    free(p->samples);
}
