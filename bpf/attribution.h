/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * What the programs in the kernel and the keeper say to each other: the flow → owner map and the
 * rings of events. Both sides include this; the layout is asserted at the end, for both. */
#pragma once

#ifndef __bpf__
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif

/* A flow as interception can know it too: protocol and 4-tuple. IPv4-mapped addresses are IPv4. */
struct flow_key {
    __u32 src_ip, dst_ip;     /* network byte order */
    __u16 src_port, dst_port; /* host byte order */
    __u8 proto;               /* IPPROTO_TCP or IPPROTO_UDP */
    __u8 zero[3];
};

/* One execution of one process, for ever: the pid, the start of the thread group's leader
 * (task->start_boottime, ns) and task->self_exec_id, which grows by one with each exec and is
 * inherited by fork. */
struct process_key {
    __u32 pid;
    __u32 exec_id;
    __u64 start_ns;
};

/* Who made a flow, as it was when the first packet was about to leave. */
struct flow_owner {
    struct process_key process;
    __u64 cgroup_id;
    __u64 netns_cookie;
    __u32 uid;
    __u32 netns, mntns, userns; /* inode numbers */
    __u64 connection;           /* the n-th TCP connection that was recorded; 0: datagrams */
    __u32 touched;              /* flow_counts.epoch when it was last of use */
    __u32 ended;                /* not 0: the connection's socket has closed */
    __u64 socket;               /* cookie of the connection's socket; 0: datagrams */
};

enum process_event_type {
    PROCESS_EXEC = 1,
    PROCESS_FORK,
    PROCESS_EXIT,
    PROCESS_IPV6,   /* a process was refused real IPv6 by the guard */
    PROCESS_SOCKET, /* a process was refused a socket by the guard */
};

struct process_event {
    __u32 type;
    __u32 zero;
    struct process_key process;
};

struct process_fork {
    struct process_event head; /* the child; it runs what its parent runs */
    struct process_key parent;
};

enum process_flag {
    PROCESS_EXE_CUT = 1 << 0,         /* the path was longer than could be walked */
    PROCESS_EXE_DELETED = 1 << 1,     /* unlinked when it was run (memfd too) */
    PROCESS_EXE_UNREACHABLE = 1 << 2, /* the walk did not end in the task's own mount namespace */
    PROCESS_EXE_OUTSIDE = 1 << 3,     /* not below the task's root directory */
    PROCESS_CWD_CUT = 1 << 4,
    PROCESS_CWD_UNKNOWN = 1 << 5,
    PROCESS_ARGS_CUT = 1 << 6, /* more than PROCESS_ARGS_MAX bytes: args_total is the true length */
    PROCESS_ARGS_LOST = 1 << 7, /* could not be read */
    PROCESS_FOREIGN = 1 << 8,   /* mount namespace or superblock of another user namespace */
};

#define PROCESS_PATH_MAX 1024
#define PROCESS_ARGS_MAX 4096

struct process_exec {
    struct process_event head;
    struct process_key parent; /* exec_id is the parent's at this moment */
    __u64 time_ns;             /* boottime */
    __u64 cgroup_id;
    __u64 exe_ino;
    __u64 args_total;
    __u64 exe_size;     /* bytes */
    __u64 exe_ctime_ns; /* change of the inode, in ns of the real-time clock; 0: not known */
    __u32 exe_dev;      /* kernel's dev_t */
    __u32 exe_fs;       /* magic number of its filesystem (linux/magic.h) */
    __u32 uid;
    __u32 netns, mntns, userns, pidns; /* inode numbers */
    __u32 ns_pid;                      /* in its own pid namespace */
    __u32 flags;                       /* enum process_flag */
    __u16 exe_len, cwd_len, args_len;  /* lengths within data, in this order, no NUL behind paths */
    __u16 argc;
    char data[2 * PROCESS_PATH_MAX + PROCESS_ARGS_MAX]; /* only the used part is sent */
};

/* The guard refused an IPv6 connect or send. */
struct process_ipv6 {
    struct process_event head;
    struct flow_owner owner;
    __u8 dst_ip[16];
    __u16 dst_port; /* host byte order */
    __u8 proto;
    __u8 zero[5];
};

/* The guard refused to make a socket: a raw one, or of a protocol of IPv6 that asks no hook. */
struct process_socket {
    struct process_event head;
    struct flow_owner owner;
    __u32 family, type, proto;
    __u32 zero;
};

/* Events that found their ring full, and are counted instead. */
struct attribution_lost {
    __u64 processes, ipv6, sockets;
};

/* What the map of flows has seen: what was added and neither deleted nor is there was displaced. */
struct flow_counts {
    __u64 added, deleted;
    __u64 connections; /* over TCP, which gives each its number */
    __u32 epoch;       /* the keeper's clock for flows: it moves on, the programs copy it */
    __u32 zero;
};

/* Read-only settings that the loader fills in before load. */
struct attribution_settings {
    __u64 cgroup_id;     /* only processes in this cgroup or below it are followed; 0: all */
    __u32 cgroup_level;  /* its depth, the root being 0 */
    __u32 owned_sockets; /* not 0: cgroup hooks leave the owner of a socket with the socket */
    __u64 netns_cookie;  /* only flows of this network namespace are recorded; 0: all */
};

#define ASSERT_LAYOUT _Static_assert
ASSERT_LAYOUT(sizeof(struct flow_key) == 16, "flow_key");
ASSERT_LAYOUT(sizeof(struct process_key) == 16, "process_key");
ASSERT_LAYOUT(sizeof(struct flow_owner) == 72, "flow_owner");
ASSERT_LAYOUT(sizeof(struct process_fork) == 40, "process_fork");
ASSERT_LAYOUT(__builtin_offsetof(struct process_exec, data) == 132, "process_exec");
ASSERT_LAYOUT(sizeof(struct process_ipv6) == 120, "process_ipv6");
ASSERT_LAYOUT(sizeof(struct process_socket) == 112, "process_socket");
