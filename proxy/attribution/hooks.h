/* SPDX-License-Identifier: MIT
 * The programs in the kernel: loaded, attached, taken away. Only hooks*.c know libbpf. Nothing is
 * pinned: everything goes with the keeper's descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/error.h"
#include "bpf/attribution.h"

struct hooks;

/* The three ways to learn a flow's owner (DESIGN.md, decision 2). ATTACH_AUTO takes the first that
 * the kernel accepts of fentry, kprobe (the same programs, dearer to enter) and cgroup. */
enum attach_way { ATTACH_AUTO, ATTACH_KPROBE, ATTACH_FENTRY, ATTACH_CGROUP };
const char *attach_way_name(enum attach_way way);

struct hooks_options {
    enum attach_way way;
    int cgroup_fd; /* directory of the cgroup whose processes are followed and guarded */
    struct attribution_settings settings; /* owned_sockets is set here, by the way */
    /* Called for each event, in order; refusals of the guard after the processes that they name. */
    void (*event)(void *context, const void *event, size_t len);
    void *context;
};

/* Whether the kernel lets programs be attached by this way. Changes nothing. Returns 0, or a
 * negative errno with a reason for the user in *error. */
int hooks_probe(enum attach_way way, struct error *error) NODISCARD NONNULL(2);
/* Whether it runs programs of the security module, which refuse sockets of frames. */
bool hooks_probe_lsm(void);

/* Loads and attaches all programs, or none. On failure *error says what was tried.
 * Returns NULL then. */
struct hooks *hooks_attach(const struct hooks_options *o, struct error *error) NODISCARD
    NONNULL(1, 2);
/* Detaches and frees; accepts NULL. */
void hooks_free(struct hooks *h);

enum attach_way hooks_way(const struct hooks *h) NONNULL(1);
/* Why not a better way, in one line, or NULL where the way was given or is the first; lives as long
 * as h. */
const char *hooks_why(const struct hooks *h) NONNULL(1);
/* Becomes readable when the ring has been filled well; poll it by time as well (20 ms): hooks do
 * not wake for each event. */
int hooks_ring_fd(const struct hooks *h) NONNULL(1);
/* Hands over what is in the ring of processes now. What comes meanwhile waits for the next call,
 * so that it returns however fast processes come and go. Returns 1 where there was any, 0, or a
 * negative errno. */
int hooks_catch_up(struct hooks *h) NONNULL(1);
/* As hooks_catch_up, and waits for events that are being written, 50 ms at most: whoever writes one
 * may have been preempted. */
int hooks_settle(struct hooks *h) NONNULL(1);
/* Whether the last call left nothing of what was in the ring when it began: an event that is being
 * written holds up those behind it. */
bool hooks_caught_up(const struct hooks *h) NONNULL(1);
/* As hooks_catch_up, then what the guard had refused by now. */
int hooks_consume(struct hooks *h) NONNULL(1);
/* A descriptor of the flow → owner map that can only read (BPF_F_RDONLY); the caller owns it.
 * Negative errno on failure. */
int hooks_flows_fd(const struct hooks *h) NODISCARD NONNULL(1);
/* Events that found their ring full since the start. */
struct attribution_lost hooks_lost(const struct hooks *h) NONNULL(1);
/* Execs since the start for which the kernel may have left out every program: so many at most,
 * since it counts by program. Where it does not preempt itself, 0. */
uint64_t hooks_execs_missed(const struct hooks *h) NONNULL(1);

/* Entries in the map of flows: connections by number, and datagram flows. */
struct hooks_flows {
    uint64_t added;     /* since the start */
    uint64_t displaced; /* the oldest ones, when the map was full; their flows are nobody's */
    uint64_t present;   /* at the last hooks_sweep */
    uint64_t left_out;  /* datagrams for which the kernel did not run the program, by then */
};
/* To be called every few seconds: deletes the entries of connections whose socket closed two calls
 * ago or earlier, and of datagram flows that were silent for as long (the next datagram of such a
 * one makes the entry anew before it leaves). Negative errno where the map cannot be read. */
int hooks_sweep(struct hooks *h) NONNULL(1);
struct hooks_flows hooks_flows(const struct hooks *h) NONNULL(1);
