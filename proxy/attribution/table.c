/* SPDX-License-Identifier: MIT
 * The keeper's table of processes: what lives is found by pid, everything by its full key, and what
 * has gone stands in line to be forgotten. */
#include "attribution/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/decode.h"

enum { BUCKETS_MIN = 1024, GONE_BYTES_MAX = 64 << 20, MEMORY_MAX = 256 << 20 };

struct entry {
    struct process *process;     /* one count */
    struct ancestors *children;  /* the list of those it forks; one count; NULL: none yet */
    struct entry *same_key;      /* next in the bucket of its key */
    struct entry *same_pid;      /* next in the bucket of its pid, while it lives */
    struct entry *older, *newer; /* in the line of those that have gone */
    uint64_t gone_ns;
    size_t bytes; /* as if nothing were shared: what it holds may be the last of its kind */
    bool gone;
};

struct process_table {
    struct process_table_options options;
    struct entry **by_key, **by_pid;
    size_t n_buckets; /* of each; a power of two */
    struct entry *oldest, *newest;
    size_t gone_bytes;
    struct process_table_stats stats;
    struct decoded decoded; /* too big for a stack frame */
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct entry **key_bucket(const struct process_table *t, const struct process_key *k)
{
    const uint64_t h = mix(k->start_ns ^ mix((uint64_t)k->pid << 32 | k->exec_id));
    return &t->by_key[h & (t->n_buckets - 1)];
}

static struct entry **pid_bucket(const struct process_table *t, uint32_t pid)
{
    return &t->by_pid[mix(pid) & (t->n_buckets - 1)];
}

static bool key_same(const struct process_key *a, const struct process_key *b)
{
    return a->pid == b->pid && a->start_ns == b->start_ns && a->exec_id == b->exec_id;
}

static bool same_process(const struct process *p, const struct process_key *key)
{
    if (p->key.pid != key->pid)
        return false;
    if (p->key.exec_id == PROCESS_EXEC_ANY)
        return p->key.start_ns / PROCESS_TICK_NS == key->start_ns / PROCESS_TICK_NS;
    return p->key.start_ns == key->start_ns;
}

static struct entry *find_live(const struct process_table *t, uint32_t pid)
{
    struct entry *e = *pid_bucket(t, pid);
    while (e && e->process->key.pid != pid)
        e = e->same_pid;
    return e;
}

static struct entry *find(const struct process_table *t, const struct process_key *key)
{
    struct entry *e = *key_bucket(t, key);
    while (e && !key_same(&e->process->key, key))
        e = e->same_key;
    if (e)
        return e;
    e = find_live(t, key->pid);
    const bool any = e && e->process->key.exec_id == PROCESS_EXEC_ANY;
    return any && same_process(e->process, key) ? e : NULL;
}

/* Twice the buckets. The old ones serve on when memory has run out. */
static void grow(struct process_table *t)
{
    const struct process_table old = *t;
    const size_t n = t->n_buckets * 2;
    struct entry **by_key = calloc(n, sizeof(*by_key)), **by_pid = calloc(n, sizeof(*by_pid));
    if (!by_key || !by_pid) {
        free(by_key);
        free(by_pid);
        return;
    }
    t->by_key = by_key;
    t->by_pid = by_pid;
    t->n_buckets = n;
    for (size_t i = 0; i < old.n_buckets; i++) {
        for (struct entry *e = old.by_key[i], *next; e; e = next) {
            struct entry **bucket = key_bucket(t, &e->process->key);
            next = e->same_key;
            e->same_key = *bucket;
            *bucket = e;
        }
        for (struct entry *e = old.by_pid[i], *next; e; e = next) {
            struct entry **bucket = pid_bucket(t, e->process->key.pid);
            next = e->same_pid;
            e->same_pid = *bucket;
            *bucket = e;
        }
    }
    free(old.by_key);
    free(old.by_pid);
}

static void unlink_key(struct process_table *t, const struct entry *e)
{
    struct entry **at = key_bucket(t, &e->process->key);
    while (*at != e)
        at = &(*at)->same_key;
    *at = e->same_key;
}

static void unlink_pid(struct process_table *t, const struct entry *e)
{
    struct entry **at = pid_bucket(t, e->process->key.pid);
    while (*at != e)
        at = &(*at)->same_pid;
    *at = e->same_pid;
}

static void line_join(struct process_table *t, struct entry *e, uint64_t now_ns)
{
    e->gone_ns = now_ns;
    e->older = t->newest;
    e->newer = NULL;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

static void line_leave(struct process_table *t, struct entry *e)
{
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
}

static void entry_free(struct entry *e)
{
    process_unref(e->process);
    ancestors_unref(e->children);
    free(e);
}

static void forget(struct process_table *t, struct entry *e)
{
    line_leave(t, e);
    unlink_key(t, e);
    t->gone_bytes -= e->bytes;
    t->stats.bytes -= e->bytes;
    t->stats.gone--;
    t->stats.evicted++;
    entry_free(e);
}

/* A record that somebody holds is asked for again, it seems: it goes back to the end of the line,
 * unless memory is short. */
static void trim(struct process_table *t, uint64_t now_ns)
{
    for (struct entry *e = t->oldest; e; e = t->oldest) {
        const bool full = t->gone_bytes > t->options.max_bytes;
        const bool old = now_ns > e->gone_ns && now_ns - e->gone_ns >= PROCESS_GRACE_NS;
        if (!full && !old)
            break;
        if (full || __atomic_load_n(&e->process->count, __ATOMIC_ACQUIRE) == 1) {
            forget(t, e);
        } else {
            line_leave(t, e);
            line_join(t, e, now_ns);
        }
    }
}

static void leave(struct process_table *t, struct entry *e, uint64_t now_ns)
{
    if (e->gone)
        return;
    unlink_pid(t, e);
    ancestors_unref(STEAL(e->children));
    e->gone = true;
    line_join(t, e, now_ns);
    t->gone_bytes += e->bytes;
    t->stats.live--;
    t->stats.gone++;
}

static bool memory_short(const struct process_table *t)
{
    const size_t entries = (t->stats.live + t->stats.gone) * sizeof(struct entry);
    return process_memory() + entries > t->options.max_memory;
}

/* What the record of a process keeps when memory is short: too little for a rule that asks for
 * arguments or parents, and nothing that costs much. */
static void make_bare(struct process_table *t, struct process *p)
{
    p->args = NULL;
    p->n_args = 0;
    p->cwd = NULL;
    p->known &= ~(unsigned)FACT_ARGS;
    t->stats.bare++;
}

/* Takes a record like p, with image and ancestors as process_share takes them, as the one that
 * lives under its pid. What stood there before has exited, or runs something else now. */
static int enter(struct process_table *t, struct process *p, struct process *image,
                 struct ancestors *line, uint64_t now_ns)
{
    struct entry *e = calloc(1, sizeof *e);
    if (e && !image && memory_short(t))
        make_bare(t, p);
    struct process *copy = e ? process_share(p, image, line) : NULL;
    if (!copy) {
        free(e);
        return -ENOMEM;
    }
    struct entry *before = find_live(t, p->key.pid);
    if (before)
        leave(t, before, now_ns);
    if (t->stats.live + t->stats.gone >= t->n_buckets)
        grow(t);
    e->process = copy;
    e->bytes = process_size(copy) + sizeof *e;
    struct entry **bucket = key_bucket(t, &p->key);
    e->same_key = *bucket;
    *bucket = e;
    bucket = pid_bucket(t, p->key.pid);
    e->same_pid = *bucket;
    *bucket = e;
    t->stats.bytes += e->bytes;
    t->stats.live++;
    return 0;
}

/* A process in the first user namespace must not be vouched for by paths that a process in another
 * one may have arranged. */
static bool chain_hidden(const struct process *child, const struct process *elder)
{
    return (elder->flags & PROCESS_FOREIGN) && !(child->flags & PROCESS_FOREIGN);
}

static void set_whole(struct process *p, bool whole)
{
    p->known &= ~(unsigned)FACT_PARENTS;
    if (whole)
        p->known |= FACT_PARENTS;
}

/* The ancestors of p, which was elder before an exec; the caller owns a count. */
static struct ancestors *chain_self(struct process *p, const struct process *elder)
{
    const bool hidden = chain_hidden(p, elder);
    struct ancestors *line =
        hidden ? ancestors_new(NULL, elder->line, true) : ancestors_ref(elder->line);
    set_whole(p, (elder->known & FACT_PARENTS) && !hidden && (line || !elder->n_ancestors));
    return line;
}

/* The ancestors of p, whose parent is e; the caller owns a count. All children of e that may know
 * share the list. */
static struct ancestors *chain_child(const struct process_table *t, struct process *p,
                                     struct entry *e)
{
    const struct process *elder = e->process;
    const bool hidden = chain_hidden(p, elder), known = !hidden && (elder->known & FACT_EXE);
    const struct process_ancestor first = {elder->key.pid, known ? elder->exe : NULL};
    struct ancestors *line = hidden ? NULL : ancestors_ref(e->children);
    if (!line && !memory_short(t)) {
        line = ancestors_new(&first, elder->line, hidden);
        if (!hidden && !e->gone)
            e->children = ancestors_ref(line);
    }
    set_whole(p, line && known && (elder->known & FACT_PARENTS) &&
                     elder->n_ancestors < PROCESS_ANCESTORS_MAX);
    return line;
}

static void take_exec(struct process_table *t, const void *event, size_t len, uint64_t now_ns)
{
    struct ancestors *line = NULL;
    struct process *p = &t->decoded.process;
    if (decode_exec(event, len, &t->decoded)) {
        t->stats.malformed++;
        return;
    }
    t->stats.execs++;
    const struct entry *before = find_live(t, p->key.pid);
    struct entry *parent = find(t, &t->decoded.parent);
    if (before && same_process(before->process, &p->key))
        line = chain_self(p, before->process);
    else if (parent)
        line = chain_child(t, p, parent);
    else
        t->stats.unknown++;

    const struct process_table_options *o = &t->options;
    p->user = o->user_name ? o->user_name(o->context, p->uid) : NULL;
    p->cgroup = o->cgroup_path ? o->cgroup_path(o->context, p->cgroup_id) : NULL;
    if (p->cgroup)
        p->known |= FACT_CGROUP;
    if (enter(t, p, NULL, line, now_ns))
        t->stats.unknown++;
    ancestors_unref(line);
}

static void take_fork(struct process_table *t, const void *event, size_t len, uint64_t now_ns)
{
    struct process_fork f;
    if (len != sizeof f) {
        t->stats.malformed++;
        return;
    }
    memcpy(&f, event, sizeof f);
    t->stats.forks++;
    struct entry *parent = find(t, &f.parent);
    if (!parent) {
        t->stats.unknown++;
        return;
    }
    struct process *runs = parent->process, p = *runs;
    p.key = f.head.process;
    p.ns_pid = 0; /* the event does not tell */
    struct ancestors *line = chain_child(t, &p, parent);
    if (enter(t, &p, runs->image ? runs->image : runs, line, now_ns))
        t->stats.unknown++;
    ancestors_unref(line);
}

static void take_exit(struct process_table *t, const struct process_key *key, size_t len,
                      uint64_t now_ns)
{
    if (len != sizeof(struct process_event)) {
        t->stats.malformed++;
        return;
    }
    t->stats.exits++;
    struct entry *e = find(t, key);
    if (e)
        leave(t, e, now_ns);
}

void process_table_event(struct process_table *t, const void *event, size_t len, uint64_t now_ns)
{
    struct process_event head = {0};
    if (len >= sizeof head)
        memcpy(&head, event, sizeof head);
    switch (head.type) {
    case PROCESS_EXEC:
        take_exec(t, event, len, now_ns);
        break;
    case PROCESS_FORK:
        take_fork(t, event, len, now_ns);
        break;
    case PROCESS_EXIT:
        take_exit(t, &head.process, len, now_ns);
        break;
    case PROCESS_IPV6: /* these say nothing of what a process is */
    case PROCESS_SOCKET:
        break;
    default:
        t->stats.malformed++;
    }
    trim(t, now_ns);
}

/* The ancestors that the caller knows of. */
static int line_of(const struct process *p, struct ancestors **out)
{
    for (size_t i = MIN(p->n_ancestors, (size_t)PROCESS_ANCESTORS_MAX); i-- > 0;) {
        struct ancestors *longer = ancestors_new(&p->ancestors[i], *out, false);
        ancestors_unref(*out);
        *out = longer;
        if (!longer)
            return -ENOMEM;
    }
    return 0;
}

int process_table_add_old(struct process_table *t, const struct process *p,
                          const struct process_key *parent)
{
    struct process copy = *p;
    struct ancestors *line = NULL;
    int code = 0;
    if (find_live(t, p->key.pid))
        return -EEXIST;
    struct entry *elder = parent ? find(t, parent) : NULL;
    if (elder)
        line = chain_child(t, &copy, elder);
    else if (parent)
        copy.known &= ~(unsigned)FACT_PARENTS;
    if (!elder)
        code = line_of(p, &line);
    copy.from_proc = true;
    if (code == 0)
        code = enter(t, &copy, NULL, line, 0);
    ancestors_unref(line);
    return code;
}

struct process *process_table_get(struct process_table *t, const struct process_key *key)
{
    const struct entry *e = find(t, key);
    return e ? process_ref(e->process) : NULL;
}

bool process_table_lives(const struct process_table *t, const struct process_key *key)
{
    const struct entry *e = find_live(t, key->pid);
    return e && key_same(&e->process->key, key);
}

void process_table_stats(const struct process_table *t, struct process_table_stats *out)
{
    *out = t->stats;
}

struct process_table *process_table_new(const struct process_table_options *o)
{
    struct process_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    if (o)
        t->options = *o;
    if (!t->options.max_bytes)
        t->options.max_bytes = GONE_BYTES_MAX;
    if (!t->options.max_memory)
        t->options.max_memory = MEMORY_MAX;
    t->n_buckets = BUCKETS_MIN;
    t->by_key = calloc(t->n_buckets, sizeof(*t->by_key));
    t->by_pid = calloc(t->n_buckets, sizeof(*t->by_pid));
    if (!t->by_key || !t->by_pid) {
        process_table_free(t);
        return NULL;
    }
    return t;
}

void process_table_free(struct process_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->by_key && i < t->n_buckets; i++) {
        for (struct entry *e = t->by_key[i], *next; e; e = next) {
            next = e->same_key;
            entry_free(e);
        }
    }
    free(t->by_key);
    free(t->by_pid);
    free(t);
}
