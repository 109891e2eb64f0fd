/* SPDX-License-Identifier: MIT
 * Makes random policies, as text and without an error in them. Few names, addresses, ports, paths
 * and values, so that rules and events collide often. */
#pragma once

#include <stdarg.h>

#include "unit/oracle_parse.h"

enum { MAKE_FILES = 3, MAKE_LINES = 14, MAKE_LINE = 400 };

/* few: only the first values of each list, so that rules are about the same things. */
struct make_random {
    uint64_t state;
    bool few;
};

struct make_policy {
    size_t n[MAKE_FILES];
    char line[MAKE_FILES][MAKE_LINES][MAKE_LINE];
    const char *context;
    bool crlf, mark;
    char text[MAKE_FILES][MAKE_LINES * (MAKE_LINE + 2)];
};

/* What stands above the line that is being made. */
struct make_above {
    bool base;
    const char *keyword;
};

#define MAKE_COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define MAKE_PICK(r, a) ((a)[make_below((r), MAKE_COUNT(a))])
#define MAKE_FEW(r, a)  ((a)[make_below((r), (r)->few ? 2 : MAKE_COUNT(a))])

static const char *const make_file_names[MAKE_FILES] = {"main.rules", "more.rules", "@own"};
static const char *const make_owner = "octo", *const make_repo = "hello.c";

/* splitmix64: the same everywhere for one seed. */
static inline uint64_t make_next(struct make_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline size_t make_below(struct make_random *r, size_t n)
{
    return (size_t)(make_next(r) % n);
}

/* Once in n. */
static inline bool make_once(struct make_random *r, size_t n)
{
    return make_below(r, n) == 0;
}

static const char *const make_hosts[] = {
    "x.org",
    "a.x.org",
    "X.Org",
    "y.net",
    "api.y.net",
    "derp1.x.org",
    "db",
    "int.corp",
    "b.a.x.org",
    "{owner}.y.net",
    "hello.c",
    "b\xc3\xbc"
    "cher.example",
};
static const char *const make_wildcards[] = {
    "*.x.org",
    "*.A.x.org",
    "derp*.x.org",
    "d*rp.x.org",
    "*.derp*.x.org",
    "*.y.net",
    "a*.x.org",
    "*.corp",
    "*1.x.org",
    "*.{owner}.org",
    "a*i.y.net",
    "*.b.a.x.org",
    "*.b\xc3\xbc"
    "cher.example",
};
static const char *const make_ips[] = {"1.2.3.4",   "1.2.3.5",         "8.8.8.8",      "10.0.0.1",
                                       "127.0.0.1", "169.254.169.254", "168.63.129.16"};
static const char *const make_cidrs[] = {"1.2.3.0/24",  "1.2.3.7/30",     "10.0.0.0/8",
                                         "10.1.2.3/16", "0.0.0.0/0",      "169.254.0.0/16",
                                         "8.8.8.8/32",  "168.63.128.0/17"};
static const char *const make_url_hosts[] = {
    "https://x.org",   "https://x.org",         "http://x.org",    "https://a.x.org",
    "https://*.x.org", "https://derp*.x.org",   "https://y.net",   "https://Api.y.net:8443",
    "http://*.y.net",  "https://1.2.3.4",       "http://10.0.0.1", "https://169.254.169.254",
    "http://db:8080",  "https://*.derp*.x.org", "http://int.corp", "http://x.org:443",
    "https://db:80",   "https://{owner}.y.net",
};
static const char *const make_bases[] = {
    "https://x.org",   "https://x.org/a", "https://x.org/a/",   "http://y.net",
    "https://1.2.3.4", "https://*.x.org", "http://db:8080/%61", "https://y.net/{owner}"};
static const char *const make_paths[] = {
    "/",       "/*",     "/*",      "/a",    "/a/*",       "/a/b",       "/a/*/c", "/v*.zip",
    "/a/v*.*", "/foo*",  "/%7Eu/x", "/~u/*", "/@t%2Fn",    "/@t%2fn/*",  "/a//b",  "/a/./b",
    "/b/../a", "/a/b/",  "/A",      "/*/b",  "/{owner}/*", "/a/{repo}/", "/*/",    "/a;v=1/b*",
    "/%e4/*",  "/*/*/c", "/a/b/c",  "/b",    "/a/*b",      "/*a*/b",
};
static const char *const make_ports[] = {
    ":443", ":80", ":80|443", ":22-80", ":*", ":53", ":8080|20-25|53", ":443-443", ":8443"};
static const char *const make_methods[] = {"GET",  "post",       "GET|POST", "*",
                                           "HEAD", "Put|DELETE", "PATCH",    "OPTIONS|get"};

struct make_selector {
    const char *name;
    const char *value[10];
};

static const char make_digest[] =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const char make_id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static const struct make_selector make_selectors[] = {
    {"exe", {"/usr/bin/curl", "/usr/bin/*", "*/node", "\"/usr/bin/a*b\"", "`/opt/my tool*`"}},
    {"arg", {"install", "-*", "\"a b\"", "*x.org*", "`a *`"}},
    {"arg[0]", {"curl", "c*", "\"npm\""}},
    {"arg[1]", {"install", "-k", "*"}},
    {"parent", {"/usr/bin/bash", "/opt/*", "*/node"}},
    {"sha256", {make_digest}},
    {"user", {"1000", "0", "runner", "r*", "\"root\""}},
    {"cgroup",
     {"@docker", "@podman", "@kubernetes", "@container", "@host", "@rootless", "/system.slice/*",
      "\"/docker/0123456789ab\"", "@host", "@docker"}},
    {"container", {"build", "bu*", "0123456789ab", make_id, "\"we b\""}},
    {"image", {"node:22", "node*", "\"docker.io/x\""}},
    {"pod", {"ns/web", "ns/*", "`* b`"}},
    {"mntns", {"4026531840", "7"}},
    {"netns", {"4026531992", "8"}},
    {"step", {"build", "__run*", "\"a b\""}},
    {"action", {"actions/checkout", "actions/*"}},
};

static inline void make_say(char *line, const char *format, ...) PRINTF(2, 3);
static inline void make_say(char *line, const char *format, ...)
{
    size_t n = strlen(line);
    va_list list;
    va_start(list, format);
    int len = vsnprintf(line + n, MAKE_LINE - n, format, list);
    va_end(list);
    assert(len >= 0 && (size_t)len < MAKE_LINE - n);
}

static inline const char *make_value(struct make_random *r, const struct make_selector *s)
{
    size_t n = 0;
    while (n < MAKE_COUNT(s->value) && s->value[n] != NULL)
        n++;
    return s->value[make_below(r, n)];
}

/* No selector mostly; each name once in a line, but for arg. */
static inline void make_who(struct make_random *r, char *line)
{
    unsigned used = 0;
    static const size_t count[] = {0, 0, 0, 1, 1, 1, 2, 3};
    for (size_t n = MAKE_PICK(r, count) / (r->few ? 2 : 1); n > 0; n--) {
        size_t i = make_below(r, MAKE_COUNT(make_selectors));
        if ((used & (1u << i)) != 0 && strcmp(make_selectors[i].name, "arg") != 0)
            continue;
        used |= 1u << i;
        make_say(line, " %s=%s", make_selectors[i].name, make_value(r, &make_selectors[i]));
    }
}

/* "/udp needs a port". */
static inline void make_reach(struct make_random *r, char *line)
{
    if (make_once(r, r->few ? 1 : 2))
        return;
    make_say(line, "%s", MAKE_FEW(r, make_ports));
    if (make_once(r, 2))
        make_say(line, "%s", make_once(r, 4) ? "/tcp" : "/udp");
}

static inline void make_target(struct make_random *r, enum oracle_type type, char *line)
{
    switch (type) {
    case ORACLE_HOST:
        make_say(line, "%s", MAKE_FEW(r, make_hosts));
        return make_reach(r, line);
    case ORACLE_WILDCARD:
        make_say(line, "%s", MAKE_FEW(r, make_wildcards));
        return make_reach(r, line);
    case ORACLE_IP:
        make_say(line, "%s", MAKE_FEW(r, make_ips));
        return make_reach(r, line);
    case ORACLE_CIDR:
        make_say(line, "%s", MAKE_FEW(r, make_cidrs));
        return make_reach(r, line);
    case ORACLE_URL:
        return make_say(line, "%s%s", MAKE_FEW(r, make_url_hosts), MAKE_PICK(r, make_paths));
    case ORACLE_PATH_RULE:
        return make_say(line, "%s", MAKE_PICK(r, make_paths));
    case ORACLE_DNS:
        return make_say(line, "dns:%s", MAKE_FEW(r, make_hosts));
    default:
        return make_say(line, "dns:%s", MAKE_FEW(r, make_wildcards));
    }
}

/* Whether the page lets this keyword stand at this type of allow rule. */
static inline bool make_keyword_fits(const char *keyword, enum oracle_type type)
{
    bool name = type == ORACLE_HOST || type == ORACLE_WILDCARD;
    bool url = type == ORACLE_URL || type == ORACLE_PATH_RULE;
    switch (oracle_keyword_of(keyword)) {
    case ORACLE_PASSTHROUGH:
        return name;
    case ORACLE_INSECURE:
        return type != ORACLE_DNS && type != ORACLE_DNS_WILDCARD;
    case ORACLE_PRIVATE:
        return name || url;
    default:
        return url;
    }
}

static const char *const make_keywords[] = {"passthrough", "insecure", "private", "websocket"};

static inline void make_keyword_list(struct make_random *r, enum oracle_type type,
                                     const char *above, char *line)
{
    unsigned all = above == NULL ? 0 : oracle_keyword_of(above);
    for (size_t i = 0; i < MAKE_COUNT(make_keywords); i++) {
        unsigned one = 1u << i;
        bool clash = ((all | one) & 3) == 3; /* never insecure with passthrough */
        if (!make_once(r, 5) || clash || !make_keyword_fits(make_keywords[i], type))
            continue;
        all |= one;
        make_say(line, " %s", make_keywords[i]);
    }
}

static inline void make_rule(struct make_random *r, const struct make_above *above, char *line)
{
    enum oracle_type type;
    bool veto = make_once(r, 5);
    do {
        type = (enum oracle_type)make_below(r, ORACLE_TYPES);
    } while ((type == ORACLE_PATH_RULE && !above->base) ||
             (!veto && above->keyword != NULL && !make_keyword_fits(above->keyword, type)));
    if (veto)
        make_say(line, "deny ");
    if ((type == ORACLE_URL || type == ORACLE_PATH_RULE) && make_once(r, 3))
        make_say(line, "%s ", MAKE_PICK(r, make_methods));
    make_target(r, type, line);
    bool first = make_once(r, 2); /* keywords and selectors stand in any order */
    if (first)
        make_who(r, line);
    if (veto && make_once(r, 4))
        make_say(line, " expected");
    if (!veto)
        make_keyword_list(r, type, above->keyword, line);
    if (!first)
        make_who(r, line);
    if (make_once(r, 8))
        make_say(line, "   # why: \"x\"");
}

/* A header; a keyword of it stays with what it can apply to. */
static inline void make_header(struct make_random *r, struct make_above *above, const char *context,
                               char *line)
{
    above->keyword = NULL;
    above->base = context != NULL && strstr(context, "http") != NULL;
    make_say(line, "[");
    if (make_once(r, 3))
        make_say(line, " %s", MAKE_PICK(r, make_methods));
    if (make_once(r, 3)) {
        make_say(line, " %s%s", MAKE_FEW(r, make_ports),
                 make_once(r, 3) ? "/udp" : (make_once(r, 3) ? "/tcp" : ""));
    }
    if (make_once(r, 2)) {
        above->base = true;
        make_say(line, " %s", MAKE_FEW(r, make_bases));
    }
    if (make_once(r, 3))
        make_say(line, " %s", above->keyword = MAKE_PICK(r, make_keywords));
    if (make_once(r, 2))
        make_who(r, line);
    make_say(line, "]%s", make_once(r, 8) ? " # a section" : "");
}

static inline void make_file(struct make_random *r, struct make_policy *p, size_t file)
{
    struct make_above above = {.base = p->context != NULL && strstr(p->context, "http") != NULL};
    p->n[file] = file == 0 ? 3 + make_below(r, 8) : 1 + make_below(r, 4);
    for (size_t i = 0; i < p->n[file]; i++) {
        char *line = p->line[file][i];
        line[0] = '\0';
        size_t kind = make_below(r, 24);
        if (kind < 4)
            make_header(r, &above, p->context, line);
        else if (kind == 4)
            make_say(line, "%s", make_once(r, 2) ? "" : "  # a remark");
        else if (kind == 5 && file < MAKE_FILES - 1) {
            make_say(line, "include %s", make_file_names[file + 1 + make_below(r, 2 - file)]);
            make_who(r, line);
        } else {
            if (make_once(r, 8))
                make_say(line, " \t ");
            make_rule(r, &above, line);
        }
    }
}

static const char *const make_contexts[] = {
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    "[cgroup=@host]",
    "[:80|443 exe=/usr/bin/*]",
    "[https://x.org/a GET|POST]",
    "[:53/udp]",
    "[* arg=install arg=-k user=1000]",
};

/* The lines put together; the reader of one text sees it as the file holds it. */
static inline void make_join(struct make_policy *p)
{
    for (size_t f = 0; f < MAKE_FILES; f++) {
        char *out = p->text[f];
        if (p->mark)
            out = stpcpy(out, "\xef\xbb\xbf");
        *out = '\0';
        for (size_t i = 0; i < p->n[f]; i++)
            out = stpcpy(stpcpy(out, p->line[f][i]), p->crlf ? "\r\n" : "\n");
    }
}

static inline void make_write(struct make_random *r, struct make_policy *p)
{
    r->few = make_once(r, 3);
    p->context = r->few ? NULL : MAKE_PICK(r, make_contexts);
    p->crlf = make_once(r, 10);
    p->mark = make_once(r, 20);
    for (size_t f = 0; f < MAKE_FILES; f++)
        make_file(r, p, f);
    make_join(p);
}
