/* SPDX-License-Identifier: MIT
 * What is judged. An event holds everything that a policy may ask about; all of it is borrowed for
 * the time of the call, and matching looks nothing up. What is not known has its bit unset: it
 * matches no selector of an allow rule and every selector of a veto. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_stage {
    EVENT_ADDRESS, /* raw TCP, or UDP other than DNS */
    EVENT_TLS,     /* a ClientHello was read; host is its SNI, or NULL */
    EVENT_REQUEST, /* an HTTP request, plain or opened */
    EVENT_DNS,     /* a query: host is the name asked for, dst the resolver */
    EVENT_OTHER,   /* any other IP protocol */
};

enum event_proto { PROTO_TCP, PROTO_UDP, PROTO_OTHER };

/* Facts of a process, bit by bit, in event_process.known. */
enum process_fact {
    FACT_EXE = 1 << 0,
    FACT_ARGS = 1 << 1,
    FACT_PARENTS = 1 << 2, /* the whole chain is known, up to the first process */
    FACT_SHA256 = 1 << 3,
    FACT_USER = 1 << 4,
    FACT_CGROUP = 1 << 5,
    FACT_CONTAINER = 1 << 6, /* name and id, as an engine tells them; NULL: in none */
    FACT_IMAGE = 1 << 7,
    FACT_POD = 1 << 8,
    FACT_MNTNS = 1 << 9,
    FACT_NETNS = 1 << 10,
    FACT_STEP = 1 << 11,
    FACT_ACTION = 1 << 12,
    FACT_CONTAINER_ID = 1 << 13, /* the id alone, by the cgroup path; no engine answers for it */
};

struct event_process {
    unsigned known;  /* enum process_fact */
    bool foreign;    /* its mount namespace belongs to a user namespace other than the first:
                        exe, parent and sha256 count only beside a container selector (section 5) */
    const char *exe; /* absolute path as the kernel had it at exec */
    const char *const *args;
    size_t n_args;
    bool args_cut; /* there were more: an argument that is not among these is not known */
    const char *const *parents; /* executables, nearest first */
    size_t n_parents;
    const char *sha256; /* 64 lower-case hex digits */
    uint32_t uid;
    const char *user;   /* name, or NULL where the host has none for uid */
    const char *cgroup; /* v2 path, begins with / */
    const char *container_id, *container_name, *image, *pod;
    uint32_t mntns, netns; /* inode numbers */
    const char *step, *action;
};

struct event {
    enum event_stage stage;
    enum event_proto proto;
    uint32_t dst_ip; /* host byte order */
    uint16_t dst_port;
    bool has_dst;
    bool unknown_bytes; /* EVENT_ADDRESS: the client's bytes are no protocol we know (section 7) */
    bool http;          /* EVENT_ADDRESS: they are an HTTP request, which is not read yet */
    bool resolver_is_self;    /* EVENT_DNS: the filter is the configured resolver */
    const char *host;         /* in the normal form of name_normalize, or NULL */
    const char *const *names; /* names that the filter saw resolve to dst_ip for this client */
    size_t n_names;
    const char *method; /* EVENT_REQUEST, with scheme and path */
    bool https;
    const char *path;                    /* as it stood in the request line, without the query */
    const struct event_process *process; /* NULL: not attributed, nothing is known */
};
