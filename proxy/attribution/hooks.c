/* SPDX-License-Identifier: MIT
 * The life of the programs in the kernel. Links and maps are descriptors of this process and are
 * never pinned: the kernel takes everything away with it. */
#include "attribution/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attribution/hooks_probe.h"
#include "attribution/hooks_ring.h"
#include "attribution/hooks_sweep.h"
#include "attribution/preempt.h"
#include "bpf/egress.skel.h"

enum { LINKS_MAX = 24 };
enum { SETTLE_NS = 50000000, SETTLE_TRIES = 50 };

struct hooks {
    struct egress_bpf *skel;
    struct hooks_ring processes, refusals;
    struct bpf_link *links[LINKS_MAX];
    size_t n_links;
    enum attach_way way;
    bool lsm;
    char why[512];
    struct hooks_flows flows;
    void (*event)(void *context, const void *event, size_t len);
    void *context;
};

static const char *const way_names[] = {
    [ATTACH_AUTO] = "auto",
    [ATTACH_KPROBE] = "kprobe",
    [ATTACH_FENTRY] = "fentry",
    [ATTACH_CGROUP] = "cgroup",
};

/* The ways of ATTACH_AUTO. Those that see the call itself know more than cgroup hooks do, where the
 * kernel never leaves them out. */
static const enum attach_way by_preference[] = {ATTACH_FENTRY, ATTACH_KPROBE, ATTACH_CGROUP};

const char *attach_way_name(enum attach_way way)
{
    return (size_t)way < ARRAY_SIZE(way_names) ? way_names[way] : "unknown";
}

/* Whether a program is one of those that this way is made of. All others are part of every way. */
static bool wanted(const struct hooks *h, const struct bpf_program *program)
{
    const struct bpf_program *const by_cgroup[] = {
        h->skel->progs.on_connect4, h->skel->progs.on_sendmsg4, h->skel->progs.on_egress};
    if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
        return h->way == ATTACH_KPROBE;
    if (bpf_program__type(program) == BPF_PROG_TYPE_LSM)
        return h->lsm;
    if (bpf_program__expected_attach_type(program) == BPF_TRACE_FENTRY)
        return h->way == ATTACH_FENTRY;
    for (size_t i = 0; i < ARRAY_SIZE(by_cgroup); i++)
        if (program == by_cgroup[i])
            return h->way == ATTACH_CGROUP;
    return true;
}

static int load(struct hooks *h, const struct hooks_options *o, struct error *error)
{
    struct attribution_settings settings = o->settings;
    struct bpf_program *program;
    h->skel = egress_bpf__open();
    if (!h->skel)
        return hooks_fail(error, -errno, "open the programs for the kernel");
    settings.owned_sockets = h->way == ATTACH_CGROUP;
    /* Read-only for the programs; ours to write until they are loaded. */
    memcpy((void *)&h->skel->rodata->settings, &settings, sizeof settings);
    bpf_object__for_each_program(program, h->skel->obj)
    {
        bpf_program__set_autoload(program, wanted(h, program));
    }
    const int code = egress_bpf__load(h->skel);
    return code ? hooks_fail(error, code, "load the programs into the kernel") : 0;
}

static bool is_tracing(const struct bpf_program *program)
{
    return bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
}

static bool is_of_cgroup(const struct bpf_program *program)
{
    const enum bpf_prog_type type = bpf_program__type(program);
    return !is_tracing(program) && type != BPF_PROG_TYPE_KPROBE && type != BPF_PROG_TYPE_LSM;
}

static int attach(struct hooks *h, struct bpf_program *program, int cgroup_fd, struct error *error)
{
    struct bpf_link *link = is_of_cgroup(program) ? bpf_program__attach_cgroup(program, cgroup_fd)
                                                  : bpf_program__attach(program);
    if (!link || h->n_links == LINKS_MAX) {
        const int code = link ? -E2BIG : -errno;
        char what[128];
        bpf_link__destroy(link);
        snprintf(what, sizeof what, "attach %s (%s)", bpf_program__name(program),
                 bpf_program__section_name(program));
        return hooks_fail(error, code, what);
    }
    h->links[h->n_links++] = link;
    return 0;
}

/* Processes first: a flow's owner should be in the ring before the flow is in the map. */
static int attach_all(struct hooks *h, int cgroup_fd, struct error *error)
{
    for (int tracing = 1; tracing >= 0; tracing--) {
        struct bpf_program *program;
        bpf_object__for_each_program(program, h->skel->obj)
        {
            if (is_tracing(program) != tracing || !bpf_program__autoload(program))
                continue;
            const int code = attach(h, program, cgroup_fd, error);
            if (code)
                return code;
        }
    }
    return 0;
}

static int start(struct hooks *h, const struct hooks_options *o, struct error *error)
{
    int code = load(h, o, error);
    if (code)
        return code;
    code = hooks_ring_open(&h->processes, bpf_map__fd(h->skel->maps.ring));
    if (!code)
        code = hooks_ring_open(&h->refusals, bpf_map__fd(h->skel->maps.refusals));
    if (code)
        return hooks_fail(error, code, "map the rings of events");
    return attach_all(h, o->cgroup_fd, error);
}

/* By one way: everything, or NULL. */
static struct hooks *attach_by(enum attach_way way, bool lsm, const struct hooks_options *o,
                               struct error *error)
{
    struct hooks_quiet quiet;
    if (hooks_probe(way, error))
        return NULL;
    struct hooks *h = calloc(1, sizeof *h);
    if (!h) {
        error_set(error, -ENOMEM, "cannot load the programs into the kernel");
        return NULL;
    }
    h->way = way;
    h->lsm = lsm;
    h->processes.event = h->refusals.event = o->event;
    h->processes.context = h->refusals.context = o->context;
    hooks_quiet_begin(&quiet);
    const int code = start(h, o, error);
    hooks_quiet_end(&quiet);
    if (!code)
        return h;
    hooks_free(h);
    return NULL;
}

/* Whether the kernel may leave out the programs by which this way learns who sends a datagram. Who
 * is missed would be nobody, or whoever had the same ports a moment before. */
static int may_be_left_out(enum attach_way way, struct error *error)
{
    if (way == ATTACH_CGROUP || !preempt_here())
        return 0;
    return error_say(error, -EAGAIN,
                     "this kernel preempts itself, and leaves such programs out then");
}

/* The first way that works; those before it are named, each with its reason. */
static struct hooks *attach_first(bool lsm, const struct hooks_options *o, struct error *error)
{
    char tried[sizeof((struct hooks *)0)->why] = "";
    size_t len = 0;
    int code = 0;
    for (size_t i = 0; i < ARRAY_SIZE(by_preference); i++) {
        struct error cause;
        struct hooks *h = NULL;
        if (!may_be_left_out(by_preference[i], &cause))
            h = attach_by(by_preference[i], lsm, o, &cause);
        if (h) {
            memcpy(h->why, tried, sizeof tried);
            return h;
        }
        code = cause.code;
        len += (size_t)snprintf(tried + len, sizeof tried - len, "%s%s: %s", len ? "; " : "",
                                attach_way_name(by_preference[i]), cause.text);
        len = MIN(len, sizeof tried - 1);
    }
    error_say(error, code, "this kernel takes the programs by no way: %s", tried);
    return NULL;
}

struct hooks *hooks_attach(const struct hooks_options *o, struct error *error)
{
    const bool lsm = hooks_probe_lsm();
    if (o->way == ATTACH_AUTO)
        return attach_first(lsm, o, error);
    struct error cause;
    struct hooks *h = attach_by(o->way, lsm, o, &cause);
    if (!h)
        error_say(error, cause.code,
                  "cannot attach by %s: %s; --attach=auto takes the first way that works",
                  attach_way_name(o->way), cause.text);
    return h;
}

void hooks_free(struct hooks *h)
{
    if (!h)
        return;
    while (h->n_links)
        bpf_link__destroy(h->links[--h->n_links]);
    hooks_ring_close(&h->processes);
    hooks_ring_close(&h->refusals);
    egress_bpf__destroy(h->skel);
    free(h);
}

enum attach_way hooks_way(const struct hooks *h)
{
    return h->way;
}

const char *hooks_why(const struct hooks *h)
{
    return h->why[0] ? h->why : NULL;
}

int hooks_ring_fd(const struct hooks *h)
{
    return ring_buffer__epoll_fd(h->processes.buffer);
}

int hooks_catch_up(struct hooks *h)
{
    return hooks_ring_drain(&h->processes, hooks_ring_filled(&h->processes));
}

int hooks_settle(struct hooks *h)
{
    static const struct timespec pause = {0, SETTLE_NS / SETTLE_TRIES};
    int code = hooks_catch_up(h);
    for (int i = 0; code >= 0 && !hooks_caught_up(h) && i < SETTLE_TRIES; i++) {
        nanosleep(&pause, NULL);
        code = hooks_catch_up(h);
    }
    return code;
}

bool hooks_caught_up(const struct hooks *h)
{
    return h->processes.left == 0;
}

int hooks_consume(struct hooks *h)
{
    /* Measured first: who was refused by now was told of before, in the other ring. */
    const size_t refused = hooks_ring_filled(&h->refusals);
    const int code = hooks_catch_up(h);
    if (code < 0)
        return code;
    const int more = hooks_ring_drain(&h->refusals, refused);
    return more ? more : code;
}

int hooks_flows_fd(const struct hooks *h)
{
    struct bpf_map_info info = {0};
    __u32 len = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_map__fd(h->skel->maps.flows), &info, &len))
        return -errno;
    LIBBPF_OPTS(bpf_get_fd_by_id_opts, opts, .open_flags = BPF_F_RDONLY);
    const int fd = bpf_map_get_fd_by_id_opts(info.id, &opts);
    return fd < 0 ? -errno : fd;
}

/* How often the kernel left a program out, because another task was in the midst of it. */
static uint64_t left_out(const struct bpf_program *program)
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof info;
    const int fd = bpf_program__fd(program);
    return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) ? info.recursion_misses : 0;
}

struct attribution_lost hooks_lost(const struct hooks *h)
{
    const struct attribution_lost *lost = (const struct attribution_lost *)&h->skel->bss->lost;
    return (struct attribution_lost){
        .processes = __atomic_load_n(&lost->processes, __ATOMIC_RELAXED),
        .ipv6 = __atomic_load_n(&lost->ipv6, __ATOMIC_RELAXED),
        .sockets = __atomic_load_n(&lost->sockets, __ATOMIC_RELAXED),
    };
}

uint64_t hooks_execs_missed(const struct hooks *h)
{
    const struct bpf_program *const each[] = {h->skel->progs.on_exec_0, h->skel->progs.on_exec_1,
                                              h->skel->progs.on_exec_2, h->skel->progs.on_exec_3};
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(each); i++)
        least = MIN(least, left_out(each[i]));
    return least;
}

int hooks_sweep(struct hooks *h)
{
    struct flow_counts *counts = (struct flow_counts *)&h->skel->bss->flow_counts;
    h->flows.left_out = left_out(h->skel->progs.fentry_send) + left_out(h->skel->progs.kprobe_send);
    return hooks_sweep_map(bpf_map__fd(h->skel->maps.flows), counts, &h->flows);
}

struct hooks_flows hooks_flows(const struct hooks *h)
{
    return h->flows;
}
