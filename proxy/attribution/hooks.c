/* SPDX-License-Identifier: MIT
 * The life of the programs in the kernel. Links and maps are descriptors of this process and are
 * never pinned: the kernel takes everything away with it. */
#include "attribution/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/egress.skel.h"

enum {
    LINKS_MAX = 16,
    EVENT_HEAD = 8,     /* of each event in a ring, and what its size is rounded up to */
    COMMIT_TRIES = 100, /* an event is written while those behind it are there already */
};

struct ring {
    struct ring_buffer *buffer;
    unsigned long *consumer, *producer; /* positions, as the kernel shows them; NULL: not mapped */
    size_t left;                        /* bytes of this call */
    struct hooks *hooks;
};

struct hooks {
    struct egress_bpf *skel;
    struct ring processes, refusals;
    struct bpf_link *links[LINKS_MAX];
    size_t n_links;
    enum attach_way way;
    void (*event)(void *context, const void *event, size_t len);
    void *context;
};

static const char *const way_names[] = {
    [ATTACH_AUTO] = "auto",
    [ATTACH_KPROBE] = "kprobe",
    [ATTACH_FENTRY] = "fentry",
    [ATTACH_CGROUP] = "cgroup",
};

const char *attach_way_name(enum attach_way way)
{
    return (size_t)way < ARRAY_SIZE(way_names) ? way_names[way] : "unknown";
}

/* libbpf's print function has no context argument, so this cannot be anywhere else. Of what it
 * prints the first warning says what is wrong; the verifier's log and the rest follow from it. */
static _Thread_local char warning[256];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
    PRINTF(2, 0);
static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
    if (level == LIBBPF_WARN && !warning[0]) {
        vsnprintf(warning, sizeof warning, format, args);
        warning[strcspn(warning, "\n")] = '\0';
    }
    return 0;
}

static void fail(struct error *error, int code, const char *what)
{
    if (warning[0])
        error_set(error, code, "cannot %s (%s)", what, warning);
    else
        error_set(error, code, "cannot %s", what);
}

static int take_event(void *context, void *data, size_t len)
{
    struct ring *r = context;
    const size_t size = (EVENT_HEAD + len + EVENT_HEAD - 1) / EVENT_HEAD * EVENT_HEAD;
    r->hooks->event(r->hooks->context, data, len);
    r->left -= MIN(r->left, size);
    return r->left ? 0 : -ECANCELED; /* the event itself has been taken */
}

static void *map_page(int fd, int protection, off_t at)
{
    void *page = mmap(NULL, (size_t)getpagesize(), protection, MAP_SHARED, fd, at);
    return page == MAP_FAILED ? NULL : page;
}

static int ring_open(struct ring *r, struct hooks *h, int fd)
{
    r->hooks = h;
    r->buffer = ring_buffer__new(fd, take_event, r, NULL);
    if (!r->buffer)
        return -errno;
    r->consumer = map_page(fd, PROT_READ, 0);
    r->producer = map_page(fd, PROT_READ, getpagesize());
    return r->consumer && r->producer ? 0 : -errno;
}

static void ring_close(struct ring *r)
{
    if (r->consumer)
        munmap(r->consumer, (size_t)getpagesize());
    if (r->producer)
        munmap(r->producer, (size_t)getpagesize());
    ring_buffer__free(r->buffer);
}

/* What is in the ring now, in bytes. */
static size_t ring_filled(const struct ring *r)
{
    return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) -
           __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
}

/* Hands over so many bytes of events. libbpf alone would go on for as long as more come. */
static int ring_drain(struct ring *r, size_t bytes)
{
    const unsigned long from = *r->consumer;
    r->left = bytes;
    for (int i = 0; r->left && i < COMMIT_TRIES; i++) {
        const int n = ring_buffer__consume(r->buffer);
        if (n < 0 && n != -ECANCELED)
            return n;
    }
    return *r->consumer != from;
}

static int load(struct hooks *h, const struct hooks_options *o, struct error *error)
{
    h->skel = egress_bpf__open();
    if (!h->skel) {
        const int code = -errno;
        fail(error, code, "open the programs for the kernel");
        return code;
    }
    /* Read-only for the programs; ours to write until they are loaded. */
    memcpy((void *)&h->skel->rodata->settings, &o->settings, sizeof o->settings);
    const int code = egress_bpf__load(h->skel);
    if (code)
        fail(error, code, "load the programs into the kernel");
    return code;
}

static int attach(struct hooks *h, struct bpf_program *program, int cgroup_fd, struct error *error)
{
    const bool tracing = bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
    struct bpf_link *link =
        tracing ? bpf_program__attach(program) : bpf_program__attach_cgroup(program, cgroup_fd);
    if (!link || h->n_links == LINKS_MAX) {
        const int code = link ? -E2BIG : -errno;
        char what[128];
        bpf_link__destroy(link);
        snprintf(what, sizeof what, "attach %s (%s)", bpf_program__name(program),
                 bpf_program__section_name(program));
        fail(error, code, what);
        return code;
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
            if ((bpf_program__type(program) == BPF_PROG_TYPE_TRACING) != tracing)
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
    code = ring_open(&h->processes, h, bpf_map__fd(h->skel->maps.ring));
    if (!code)
        code = ring_open(&h->refusals, h, bpf_map__fd(h->skel->maps.refusals));
    if (code) {
        fail(error, code, "map the rings of events");
        return code;
    }
    return attach_all(h, o->cgroup_fd, error);
}

struct hooks *hooks_attach(const struct hooks_options *o, struct error *error)
{
    if (o->way == ATTACH_KPROBE || o->way == ATTACH_FENTRY) {
        error_set(error, -ENOTSUP, "cannot attach by %s: this build attaches by cgroup hooks only",
                  attach_way_name(o->way));
        return NULL;
    }
    struct hooks *h = calloc(1, sizeof *h);
    if (!h) {
        error_set(error, -ENOMEM, "cannot load the programs into the kernel");
        return NULL;
    }
    h->way = ATTACH_CGROUP;
    h->event = o->event;
    h->context = o->context;
    warning[0] = '\0';
    const libbpf_print_fn_t before = libbpf_set_print(keep_warning);
    const int code = start(h, o, error);
    libbpf_set_print(before);
    if (!code)
        return h;
    hooks_free(h);
    return NULL;
}

void hooks_free(struct hooks *h)
{
    if (!h)
        return;
    while (h->n_links)
        bpf_link__destroy(h->links[--h->n_links]);
    ring_close(&h->processes);
    ring_close(&h->refusals);
    egress_bpf__destroy(h->skel);
    free(h);
}

enum attach_way hooks_way(const struct hooks *h)
{
    return h->way;
}

int hooks_ring_fd(const struct hooks *h)
{
    return ring_buffer__epoll_fd(h->processes.buffer);
}

int hooks_catch_up(struct hooks *h)
{
    return ring_drain(&h->processes, ring_filled(&h->processes));
}

int hooks_consume(struct hooks *h)
{
    /* Measured first: who was refused by now was told of before, in the other ring. */
    const size_t refused = ring_filled(&h->refusals);
    const int code = hooks_catch_up(h);
    if (code < 0)
        return code;
    const int more = ring_drain(&h->refusals, refused);
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

struct attribution_lost hooks_lost(const struct hooks *h)
{
    const struct attribution_lost *lost = (const struct attribution_lost *)&h->skel->bss->lost;
    return (struct attribution_lost){
        .processes = __atomic_load_n(&lost->processes, __ATOMIC_RELAXED),
        .ipv6 = __atomic_load_n(&lost->ipv6, __ATOMIC_RELAXED),
        .sockets = __atomic_load_n(&lost->sockets, __ATOMIC_RELAXED),
    };
}
