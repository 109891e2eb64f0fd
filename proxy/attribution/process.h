/* SPDX-License-Identifier: MIT
 * What a process is: an immutable, counted record, taken in the kernel at exec and kept for as long
 * as somebody holds it, also when the process has gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "base/buffer.h"
#include "bpf/attribution.h"
#include "rules/event.h"

struct process_ancestor {
    uint32_t pid;
    const char *exe; /* NULL: not known */
};

/* What a process may change without executing anything: as at its exec in the keeper's table, as at
 * a flow's connect in a record that was asked for with its owner. */
struct process_state {
    uint64_t cgroup_id;
    uint32_t uid;
    uint32_t netns, mntns, userns; /* inode numbers */
};
_Static_assert(sizeof(struct process_state) == 24, "it is compared as bytes");

/* One execution of one process, as it was at one moment. */
struct process_id {
    struct process_key key;
    struct process_state state; /* all zero: as at its exec */
};

/* A file as its inode tells of it. */
struct exe_file {
    uint64_t ino, size;
    uint64_t ctime_ns; /* of the real-time clock; 0: not known */
    uint32_t dev;      /* kernel's dev_t */
    uint32_t fs;       /* magic number of its filesystem */
};
_Static_assert(sizeof(struct exe_file) == 32, "it is compared as bytes");

/* What the proxy asks of the keeper, which holds the record until it is told to let go. */
struct process_question {
    struct process_id id;
    uint32_t digest; /* 1: with the digest of its executable, where that can be known */
    uint32_t zero;
};

/* A counted list of ancestors, which all children of one process share. */
struct ancestors;

struct process {
    unsigned count;         /* of references; see process_ref */
    struct process *image;  /* whose strings these are; NULL: the record's own */
    struct ancestors *line; /* whose list `ancestors` is; NULL: the record's own */
    size_t bytes;           /* of memory, without what is shared */
    struct process_key key;
    unsigned known;  /* enum process_fact: what a policy may rely on */
    unsigned flags;  /* enum process_flag, as the kernel side saw it */
    bool from_proc;  /* older than the filter: read from /proc, not taken at exec */
    uint32_t ns_pid; /* in its own pid namespace; 0: not known */
    uint32_t uid;
    uint32_t netns, mntns, userns;
    uint64_t cgroup_id;    /* 0: not known */
    struct exe_file file;  /* what was executed, as it was then */
    uint64_t exec_ns;      /* of that exec, in ns since boot; 0: not known */
    const char *exe, *cwd; /* NULL: not known. Strings live as long as the record */
    const char *sha256;    /* of the executable, 64 hex digits; NULL: not known, or nobody asked */
    const char *user;      /* NULL: uid has no name */
    const char *cgroup;    /* v2 path */
    const char *container; /* the id in that path, in records that process_copy made; or NULL */
    const char *const *args;
    size_t n_args;
    uint64_t args_total;                      /* bytes at exec, before any cut */
    const struct process_ancestor *ancestors; /* nearest first */
    size_t n_ancestors;
};

/* Makes a record in one piece of memory of its own, all strings copied, with one count that the
 * caller owns. NULL: memory ran out. */
struct process *process_copy(const struct process *p) NODISCARD NONNULL(1);
/* The same as it was in another state; user and cgroup (NULL: not known) are that state's. What the
 * process executed, and where, stays as it was at exec. */
struct process *process_at(const struct process *p, const struct process_state *state,
                           const char *user, const char *cgroup) NODISCARD NONNULL(1, 2);
/* The same with the digest of its executable. */
struct process *process_with_digest(const struct process *p, const char *sha256) NODISCARD
    NONNULL(1, 2);
struct process_state process_state(const struct process *p) NONNULL(1);
struct process_state process_state_of(const struct flow_owner *owner) NONNULL(1);
/* The id of its container by its cgroup path, not followed by a NUL; NULL: none is there. */
#define PROCESS_CONTAINER_ID_LEN 64
const char *process_container_id(const struct process *p) NONNULL(1);
/* Whether p is that execution in that state. */
bool process_is(const struct process *p, const struct process_id *id) NONNULL(1, 2);
/* The memory that such a record takes. */
size_t process_size(const struct process *p) NONNULL(1);
/* The same, but with the ancestors of line (NULL: none), which p must not have itself. Where image
 * is given, p's strings and arguments are those of image and are not copied. Takes counts of its
 * own. */
struct process *process_share(const struct process *p, struct process *image,
                              struct ancestors *line) NODISCARD NONNULL(1);
/* Bytes of all records that are held, each of the shared parts once. */
size_t process_memory(void);

struct process *process_ref(struct process *p);
/* Drops one count and frees the record with the last; accepts NULL. */
void process_unref(struct process *p);

/* Writes the record as bytes for another role, and makes a record of such bytes.
 * process_unpack trusts nothing: returns NULL when the bytes are no record (errno EBADMSG) or
 * memory ran out. Bounded by PROCESS_PACK_MAX: arguments, then ancestors, are cut to fit. */
#define PROCESS_PACK_MAX 32768
void process_pack(const struct process *p, struct buffer *out) NONNULL(1, 2);
struct process *process_unpack(const void *data, size_t len) NODISCARD;

#define PROCESS_ANCESTORS_MAX 32
/* A list of first (NULL: nobody) and behind it rest (NULL: nobody), as many as there may be; hidden
 * leaves out what those of rest executed. NULL: memory ran out. */
struct ancestors *ancestors_new(const struct process_ancestor *first, const struct ancestors *rest,
                                bool hidden) NODISCARD;
struct ancestors *ancestors_ref(struct ancestors *a); /* accepts NULL */
void ancestors_unref(struct ancestors *a);            /* accepts NULL */

/* The view that rules judge by. `parents` is the caller's room for the executables of ancestors. */
void process_event_view(const struct process *p, const char *parents[PROCESS_ANCESTORS_MAX],
                        struct event_process *out) NONNULL(1, 2, 3);
