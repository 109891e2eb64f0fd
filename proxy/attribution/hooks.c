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

#include "bpf/egress.skel.h"

enum { LINKS_MAX = 16 };

struct hooks {
    struct egress_bpf *skel;
    struct ring_buffer *ring;
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
    const struct hooks *h = context;
    h->event(h->context, data, len);
    return 0;
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
    h->ring = ring_buffer__new(bpf_map__fd(h->skel->maps.ring), take_event, h, NULL);
    if (!h->ring) {
        code = -errno;
        fail(error, code, "map the ring of process events");
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
    ring_buffer__free(h->ring);
    egress_bpf__destroy(h->skel);
    free(h);
}

enum attach_way hooks_way(const struct hooks *h)
{
    return h->way;
}

int hooks_ring_fd(const struct hooks *h)
{
    return ring_buffer__epoll_fd(h->ring);
}

int hooks_consume(struct hooks *h)
{
    return ring_buffer__consume(h->ring);
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

uint64_t hooks_lost(const struct hooks *h)
{
    return __atomic_load_n(&h->skel->bss->lost, __ATOMIC_RELAXED);
}
