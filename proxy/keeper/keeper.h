/* SPDX-License-Identifier: MIT
 * The keeper of one run: everything it holds, in the order in which it is brought up. Internal to
 * this folder. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attribution/hooks.h"
#include "attribution/table.h"
#include "audit/fold.h"
#include "audit/log.h"
#include "audit/summary.h"
#include "base/error.h"
#include "base/new_file.h"
#include "keeper/caller.h"
#include "keeper/cgroup.h"
#include "keeper/digests.h"
#include "keeper/ipc.h"
#include "keeper/options.h"
#include "keeper/pins.h"
#include "keeper/refusals.h"
#include "keeper/users.h"
#include "setup/gate.h"

struct event;
struct event_base;
struct flow_sockets;
struct records;

#define RUN_ID_LEN 16

/* One of the other processes, as it is now. */
struct role {
    const char *name;
    char title[40]; /* for people: which one, where there are several */
    unsigned loop;  /* of a proxy, from 0; the first one alone has DNS, datagrams and host ports */
    pid_t pid;      /* 0: not running */
    struct ipc *ipc;
    bool ready;
    bool drained;             /* a proxy: has said so */
    struct pins *pins;        /* a proxy: what it has been told and not let go of; else NULL */
    bool broken;              /* broke the rules: is being killed, and nothing it says counts */
    int pending_peer;         /* for IPC_PEER once it is ready, or -1 */
    uint64_t window_start_ns; /* restarts are counted within ROLE_WINDOW_NS */
    unsigned restarts;
    struct keeper *keeper;
};

/* A policy file as it was read at the start: a restarted proxy gets the same bytes. */
struct policy_file {
    char *name; /* owned */
    int fd;     /* sealed memory */
    int opened; /* the file itself, -1 where it was a pipe: see keeper_check_places */
};

struct keeper {
    struct options options;
    char run_id[RUN_ID_LEN + 1];
    char directory[4096]; /* the caller's */
    int executable_fd;
    struct caller caller;
    struct log *log;
    struct records *records;           /* that wait to be written */
    struct flow_sockets *flow_sockets; /* that are asked for */
    int log_place;                     /* the file, to know it by: see keeper_check_places */
    struct summary *summary;
    struct new_file suggestions; /* of --suggest */
    struct folds *folds;     /* of denials by the guard; other denials are folded by the proxy */
    struct refusals refused; /* by the guard, of this second */
    uint64_t displaced;      /* flows whose owner is told to be lost */
    uint64_t execs_missed;   /* told to be missed, at most */
    uint64_t left_out;       /* datagrams whose sender is told to be missed */
    struct policy_file *policies; /* those of the command line first, then what they include */
    size_t n_policies, n_command_line;
    char policy_sha256[65]; /* "" until the roles have loaded all of them */
    struct cgroup cgroup;
    struct gate gate;
    int host_ports[OPTIONS_LIST_MAX]; /* listening in the command's namespace */
    struct process_table *table;
    struct digests *digests;
    int command_root; /* its root directory as it sees it, or -1: where its executables are */
    struct users users;
    char *cgroup_path; /* the last one that was asked for */
    struct hooks *hooks;
    int flows_fd, shared_fd;
    struct resolver self[RESOLVERS_MAX]; /* resolvers that resolv.conf names */
    size_t n_self;
    const char *resolv_conf; /* text for the command, NULL to leave it */
    struct event_base *base;
    struct event *signals, *ring, *ring_timer, *fold_timer, *sweep_timer, *deadline;
    int signal_fd;
    struct role proxies[GATE_LOOPS_MAX], packet; /* as many proxies as options.loops */
    pid_t command;
    bool command_ended, draining, drained, started; /* draining: IPC_DRAIN was sent */
    int command_status;                             /* exit status, 128+N by signal */
    int stop_signal;                                /* asked to end before the command began */
    bool failed;                                    /* the filter cannot go on: see failure */
    struct error failure;
    bool log_failing;
};

/* Monotonic time in ns (CLOCK_BOOTTIME, as the hooks use it). */
uint64_t keeper_now_ns(void);

/* bring_up.c: everything up to the moment at which the command can be started, or nothing. */
int keeper_bring_up(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);
/* Takes everything down again; accepts a half-built one. */
void keeper_take_down(struct keeper *k) NONNULL(1);

/* policies.c: reads the policy files of the command line, or ./egress.rules. */
int keeper_read_policies(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);
/* Answers the proxy's wish for an included file. */
void keeper_include(struct keeper *k, struct role *r, const struct ipc_message *m) NONNULL(1, 2, 3);

/* One digest over all policy files, included ones too, as `sha256sum` would make it: of one file
 * its own, of several that of their lines. No other file is opened from then on. */
int keeper_digest_policies(struct keeper *k) NODISCARD NONNULL(1);

/* in_place.c: after the command's end: says so, to the log too, where log or policies are no longer
 * found where they were. */
int keeper_check_places(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);

/* suggestions.c: --suggest FILE. Whether it can be written is found out before anything is done;
 * written it is after the command's end. Both do nothing where it is not asked for. */
int keeper_prepare_suggestions(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);
int keeper_write_suggestions(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);

/* ancestry.c: adds the command's first process and its ancestors to the table, from /proc. Before
 * the first event of the ring is taken. */
int keeper_add_ancestry(struct keeper *k, pid_t command) NODISCARD NONNULL(1);

/* resolvers.c: what /etc/resolv.conf says, unless --resolver says otherwise. */
int keeper_find_resolvers(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);

/* roles_watch.c: starts proxies and packet, and again when one has died. */
int keeper_start_roles(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);
/* Names the roles, before anything is done with them. */
int keeper_name_roles(struct keeper *k) NODISCARD NONNULL(1);
/* The n-th role, proxies first; NULL beyond the last. */
struct role *keeper_role(struct keeper *k, size_t n) NONNULL(1);
/* That role ended with that wait status. */
void keeper_role_ended(struct role *r, int status) NONNULL(1);
void keeper_stop_roles(struct keeper *k) NONNULL(1);
/* Sends to a role, if it is there. One that leaves too much unread is cut off. */
void keeper_send(struct role *r, enum ipc_type type, uint32_t id, const void *data, size_t len,
                 int fd) NONNULL(1);
/* Kills a role that breaks the rules; a new one takes its place. */
void keeper_cut_off(struct role *r) NONNULL(1);
/* The role has said IPC_READY: it gets what had to wait for that. */
void keeper_role_ready(struct role *r) NONNULL(1);
/* The command has ended: all roles are told to finish, one that is starting once it is ready. */
void keeper_drain(struct keeper *k) NONNULL(1);
/* That proxy has finished; when all have, the run has. */
void keeper_role_drained(struct role *r) NONNULL(1);

/* records.c: makes the place where records wait, which needs the loop; NULL: memory ran out. */
struct records *records_new(struct keeper *k) NODISCARD NONNULL(1);
void records_free(struct records *r); /* accepts NULL */
/* A role submits a record: it is written with those that come in the same turn of the loop, and
 * answered then. */
void keeper_take_record(struct keeper *k, struct role *role, const struct ipc_message *m)
    NONNULL(1, 2, 3);
/* Writes and answers what was submitted so far. Before a role's channel is closed: its answers are
 * not for its successor. */
void keeper_write_records(struct keeper *k) NONNULL(1);
/* Writes a record of the keeper's own, behind what was submitted; returns what log_append did. */
int keeper_record(struct keeper *k, struct record *r, struct process *p) NONNULL(1, 2);

/* flow_sockets.c: makes the place where wishes wait, which needs the loop; NULL: memory ran out. */
struct flow_sockets *flow_sockets_new(struct keeper *k) NODISCARD NONNULL(1);
void flow_sockets_free(struct flow_sockets *s); /* accepts NULL */
/* A proxy asks for the socket of a flow: it is made at the end of this turn of the loop. */
void keeper_take_socket_wish(struct keeper *k, struct role *r, const struct ipc_message *m)
    NONNULL(1, 2, 3);
/* Before a role's channel is closed: what it asked for is not for its successor. */
void keeper_forget_socket_wishes(struct role *r) NONNULL(1);

/* serve.c: the keeper's part while the command runs. */
int keeper_listen(struct keeper *k, struct error *error) NODISCARD NONNULL(1, 2);
void keeper_message(struct keeper *k, struct role *r, struct ipc_message *m) NONNULL(1, 2, 3);
/* What is known of a process in that state by what was taken from the ring so far; the caller owns
 * a count. NULL: not known. */
struct process *keeper_process(struct keeper *k, const struct process_id *id) NODISCARD
    NONNULL(1, 2);
/* The same after taking what the ring holds: what a process is was told before it could do what is
 * asked about. What else is there may be recorded within. */
struct process *keeper_find_process(struct keeper *k, const struct process_id *id) NODISCARD
    NONNULL(1, 2);
/* The v2 path of that cgroup, valid until the next call; NULL: there is none. */
const char *keeper_cgroup_path(struct keeper *k, uint64_t id) NONNULL(1);
/* Deletes the owners of flows that have ended, and says so where others had to make room. */
void keeper_sweep_flows(struct keeper *k) NONNULL(1);
/* Writes what is folded now. */
void keeper_flush_folds(struct keeper *k) NONNULL(1);
/* Ends the run with that failure: the command is killed. */
void keeper_fail(struct keeper *k, const struct error *why) NONNULL(1, 2);
/* Runs the loop until *done, a failure or a signal to stop; gives up after timeout_ms (0: never).
 */
void keeper_loop(struct keeper *k, const bool *done, unsigned timeout_ms) NONNULL(1);
