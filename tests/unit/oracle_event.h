/* SPDX-License-Identifier: MIT
 * Makes random events from the same few values as oracle_make.h, and shows one in full. */
#pragma once

#include "rules/event.h"
#include "unit/oracle_make.h"

enum { MAKE_ARGS = 4, MAKE_PARENTS = 3, MAKE_NAMES = 3 };

struct make_event {
    struct event e;
    struct event_process p;
    const char *args[MAKE_ARGS], *parents[MAKE_PARENTS], *names[MAKE_NAMES];
    char path[ORACLE_PATH];
};

static const char *const make_event_names[] = {
    "x.org",
    "a.x.org",
    "x.org",
    "a.x.org",
    "b.a.x.org",
    "c.b.a.x.org",
    "y.net",
    "api.y.net",
    "octo.y.net",
    "derp.x.org",
    "derp1.x.org",
    "c.derp2.x.org",
    "db",
    "int.corp",
    "a.int.corp",
    "corp",
    "www.octo.org",
    "abi.y.net",
    "hello.c",
    "d2rp.x.org",
    "notx.org",
    "x.org.y.net",
    "z.derp.example",
    "example",
    "xn--bcher-kva.example",
    "w.xn--bcher-kva.example",
};
static const char *const make_event_ips[] = {
    "1.2.3.4",        "1.2.3.5",     "1.2.3.4",         "1.2.3.9",         "8.8.8.8",
    "8.8.8.8",        "10.0.0.1",    "10.1.0.1",        "172.16.0.1",      "172.32.0.1",
    "192.168.1.1",    "127.0.0.1",   "169.254.169.254", "168.63.129.16",   "169.254.1.1",
    "100.64.0.1",     "100.128.0.1", "224.0.0.251",     "255.255.255.255", "240.0.0.1",
    "93.184.216.34",  "0.0.0.0",     "1.0.0.0",         "198.20.0.0",      "172.15.255.255",
    "100.63.255.255", "11.0.0.0",    "223.255.255.255", "192.0.2.1",       "169.255.0.1",
};
static const uint16_t make_event_ports[] = {443, 443, 443, 443, 80, 80, 53, 22, 8080, 8443, 9, 25};
static const char *const make_pieces[] = {
    "/",    "/",     "/",     "/a",   "/a",      "/b",    "/c",   "/..",     "/.",      "%2e",
    "/A",   "%2F",   "%5C",   "\\",   "%2f..",   "b",     "%00",  "%",       "/v1.zip", "/foo",
    "bar",  "/~u",   "/%7eu", "/x",   "/@t%2fn", "/@t",   "/%61", "/%2e%2E", "/octo",   "/hello.c",
    ";v=1", "/.%2e", "%252e", "/%e4", "..",      "/%5c.", "%7f",  "%C3%A4",  ".\\",     "/%2F",
};
static const char *const make_event_methods[] = {"GET",  "GET",      "GET",    "HEAD",
                                                 "POST", "PUT",      "PATCH",  "OPTIONS",
                                                 "get",  "PROPFIND", "DELETE", "POST"};
static const char *const make_exes[] = {"/usr/bin/curl", "/usr/bin/node", "/tmp/node",
                                        "/usr/bin/a*b",  "/usr/bin/axb",  "/opt/my tool 2",
                                        "/usr/bin/bash", "/opt/x/y"};
static const char *const make_arg_values[] = {"curl", "npm", "install",       "-k",
                                              "a b",  "a-b", "https://x.org/"};
static const char *const make_cgroups[] = {
    "/",
    "/system.slice/ssh.service",
    "/user.slice/user-1000.slice/session-1.scope",
    "/docker/0123456789ab",
    "/docker/0123456789ab/system.slice/x.service",
    "/docker/01234",
    "/docker/ABCDEF0123",
    "/docker/buildkit/k3jm2n9x",
    "/system.slice/docker-0123456789abcdef.scope",
    "/system.slice/docker-abc.scope",
    "/system.slice/docker.service",
    "/system.slice/docker.service/x",
    "/my-docker/0123456789ab",
    "/machine.slice/libpod-0a1b2c3d.scope/container",
    "/libpod_parent/libpod-0a1b2c3d",
    "/machine.slice/libpod-conmon-0a1b2c3d.scope",
    "/kubepods/besteffort/pod0/1234567",
    "/kubepods",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-0123456789ab.scope",
    "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-0a1b2c3d.scope",
    "/user.slice/user-1000.slice/user@1000.service/docker.service",
    "/user.slice/user-1000.slice/user@1000.service/kubepods/pod1",
    "/docker/0123456789ab/user.slice/user@0.service/libpod-0a1b2c3d.scope",
};

static inline uint32_t make_ip(const char *text)
{
    uint32_t ip;
    if (!oracle_read_ip(text, strlen(text), &ip))
        abort();
    return ip;
}

static inline void make_container(struct make_random *r, struct event_process *p)
{
    static const char *const names[] = {"build", "bud", "we b", "web"};
    static const char *const images[] = {"node:22", "node", "docker.io/x"};
    static const char *const pods[] = {"ns/web", "ns/b b", "other/web"};
    static const char *const ids[] = {make_id, make_digest};
    if (make_once(r, 3))
        return; /* known to be in none */
    p->container_id = MAKE_PICK(r, ids);
    p->container_name = MAKE_PICK(r, names);
    p->image = MAKE_PICK(r, images);
    if (make_once(r, 2))
        p->pod = MAKE_PICK(r, pods);
}

static inline void make_process(struct make_random *r, struct make_event *m)
{
    static const char *const users[] = {"runner", "root", NULL, "robot"};
    static const char *const steps[] = {"build", "__run_2", "a b", NULL};
    static const char *const actions[] = {"actions/checkout", "evil/action", NULL};
    static const uint32_t uids[] = {0, 1000, 1001};
    struct event_process *p = &m->p;
    p->known = (1u << 14) - 1;
    if (make_once(r, 3))
        p->known &= (unsigned)(make_next(r) | make_next(r));
    p->foreign = make_once(r, 6);
    p->exe = MAKE_PICK(r, make_exes);
    p->n_args = 1 + make_below(r, MAKE_ARGS);
    for (size_t i = 0; i < p->n_args; i++)
        m->args[i] = MAKE_PICK(r, make_arg_values);
    p->args = m->args;
    p->args_cut = make_once(r, 8);
    p->n_parents = make_below(r, MAKE_PARENTS + 1);
    for (size_t i = 0; i < p->n_parents; i++)
        m->parents[i] = MAKE_PICK(r, make_exes);
    p->parents = m->parents;
    p->sha256 = make_once(r, 2) ? make_digest : make_id;
    p->uid = MAKE_PICK(r, uids);
    p->user = MAKE_PICK(r, users);
    p->cgroup = MAKE_PICK(r, make_cgroups);
    make_container(r, p);
    p->mntns = make_once(r, 2) ? 4026531840u : 7;
    p->netns = make_once(r, 2) ? 4026531992u : 8;
    p->step = MAKE_PICK(r, steps);
    p->action = MAKE_PICK(r, actions);
    m->e.process = p;
}

static inline void make_request(struct make_random *r, struct make_event *m)
{
    m->e.method = MAKE_PICK(r, make_event_methods);
    m->e.https = !make_once(r, 3);
    size_t n = make_below(r, 5);
    strcpy(m->path, "/");
    for (size_t i = 0; i < n; i++) {
        const char *piece = MAKE_PICK(r, make_pieces);
        strcpy(i == 0 && piece[0] == '/' ? m->path : m->path + strlen(m->path), piece);
    }
    m->e.path = m->path;
}

static inline void make_event(struct make_random *r, struct make_event *m)
{
    static const enum event_stage stages[] = {EVENT_ADDRESS, EVENT_ADDRESS, EVENT_TLS, EVENT_TLS,
                                              EVENT_REQUEST, EVENT_REQUEST, EVENT_DNS};
    struct event *e = &m->e;
    memset(m, 0, sizeof(*m));
    e->stage = make_once(r, 100) ? EVENT_OTHER : MAKE_PICK(r, stages);
    e->dst_ip =
        make_ip(make_once(r, 4) ? MAKE_PICK(r, make_event_ips) : MAKE_FEW(r, make_event_ips));
    e->dst_port = MAKE_FEW(r, make_event_ports);
    e->has_dst = !make_once(r, 12);
    e->host = make_once(r, 3) ? NULL : MAKE_FEW(r, make_event_names);
    e->n_names = make_once(r, 3) ? 0 : make_below(r, MAKE_NAMES + 1);
    for (size_t i = 0; i < e->n_names; i++)
        m->names[i] = MAKE_FEW(r, make_event_names);
    e->names = m->names;
    if (e->stage == EVENT_ADDRESS) {
        e->proto = make_once(r, 3) ? PROTO_UDP : PROTO_TCP;
        e->unknown_bytes = e->proto == PROTO_TCP && make_once(r, 3);
        if (e->proto == PROTO_UDP || !make_once(r, 4))
            e->host = NULL;
    } else if (e->stage == EVENT_REQUEST) {
        make_request(r, m);
    } else if (e->stage == EVENT_DNS) {
        e->proto = make_once(r, 3) ? PROTO_TCP : PROTO_UDP;
        e->resolver_is_self = make_once(r, 2);
        e->dst_port = make_once(r, 3) ? e->dst_port : 53;
        if (e->host == NULL && !make_once(r, 8))
            e->host = MAKE_FEW(r, make_event_names);
    } else if (e->stage == EVENT_OTHER) {
        e->proto = PROTO_OTHER;
    }
    if (!make_once(r, 8))
        make_process(r, m);
}

static inline void make_show_list(const char *what, const char *const *list, size_t n)
{
    printf("  %s", what);
    for (size_t i = 0; i < n; i++)
        printf(" '%s'", list[i]);
    printf("\n");
}

static inline void make_show_event(const struct make_event *m)
{
    static const char *const stages[] = {"address", "tls", "request", "dns", "other"};
    static const char *const protos[] = {"tcp", "udp", "other"};
    const struct event *e = &m->e;
    const struct event_process *p = e->process;
    printf("event %s %s %s%u.%u.%u.%u:%u host %s%s%s\n", stages[e->stage], protos[e->proto],
           e->has_dst ? "" : "(no address) ", e->dst_ip >> 24, (e->dst_ip >> 16) & 255,
           (e->dst_ip >> 8) & 255, e->dst_ip & 255, e->dst_port, e->host == NULL ? "-" : e->host,
           e->unknown_bytes ? " unknown_bytes" : "", e->resolver_is_self ? " self" : "");
    make_show_list("names", e->names, e->n_names);
    if (e->method != NULL)
        printf("  %s %s %s\n", e->method, e->https ? "https" : "http", e->path);
    if (p == NULL) {
        printf("  not attributed\n");
        return;
    }
    printf("  known %04x%s exe '%s' sha256 %.4s uid %u user %s cgroup %s mntns %u netns %u\n",
           p->known, p->foreign ? " foreign" : "", p->exe, p->sha256, p->uid,
           p->user == NULL ? "-" : p->user, p->cgroup, p->mntns, p->netns);
    printf("  container %s %.12s image %s pod %s step %s action %s\n",
           p->container_name == NULL ? "-" : p->container_name,
           p->container_id == NULL ? "-" : p->container_id, p->image == NULL ? "-" : p->image,
           p->pod == NULL ? "-" : p->pod, p->step == NULL ? "-" : p->step,
           p->action == NULL ? "-" : p->action);
    make_show_list(p->args_cut ? "args (cut)" : "args", p->args, p->n_args);
    make_show_list("parents", p->parents, p->n_parents);
}
