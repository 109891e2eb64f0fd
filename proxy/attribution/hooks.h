/* SPDX-License-Identifier: MIT
 * The programs in the kernel: loaded, attached, taken away. The only place that knows libbpf.
 * Nothing is pinned: everything goes with the keeper's descriptors. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"
#include "bpf/attribution.h"

struct hooks;

/* The three ways to learn a flow's owner (DESIGN.md, decision 2). */
enum attach_way { ATTACH_AUTO, ATTACH_KPROBE, ATTACH_FENTRY, ATTACH_CGROUP };
const char *attach_way_name(enum attach_way way);

struct hooks_options {
    enum attach_way way;
    int cgroup_fd; /* directory of the cgroup whose processes are followed and guarded */
    struct attribution_settings settings;
    /* Called for each event, in order; refusals of the guard after the processes that they name. */
    void (*event)(void *context, const void *event, size_t len);
    void *context;
};

/* Loads and attaches all programs, or none. On failure *error says what was tried.
 * Returns NULL then. */
struct hooks *hooks_attach(const struct hooks_options *o, struct error *error) NODISCARD
    NONNULL(1, 2);
/* Detaches and frees; accepts NULL. */
void hooks_free(struct hooks *h);

enum attach_way hooks_way(const struct hooks *h) NONNULL(1);
/* Becomes readable when the ring has been filled well; poll it by time as well (20 ms): hooks do
 * not wake for each event. */
int hooks_ring_fd(const struct hooks *h) NONNULL(1);
/* Hands over what is in the ring of processes now. What comes meanwhile waits for the next call,
 * so that it returns however fast processes come and go. Returns 1 where there was any, 0, or a
 * negative errno. */
int hooks_catch_up(struct hooks *h) NONNULL(1);
/* The same, then what the guard had refused by now. */
int hooks_consume(struct hooks *h) NONNULL(1);
/* A descriptor of the flow → owner map that can only read (BPF_F_RDONLY); the caller owns it.
 * Negative errno on failure. */
int hooks_flows_fd(const struct hooks *h) NODISCARD NONNULL(1);
/* Events that found their ring full since the start. */
struct attribution_lost hooks_lost(const struct hooks *h) NONNULL(1);
