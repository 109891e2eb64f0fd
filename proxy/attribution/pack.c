/* SPDX-License-Identifier: MIT
 * The record of a process as bytes, from one role to another on the same machine. The reader trusts
 * nothing: what it accepts is exactly what the writer can write. */
#include <errno.h>
#include <string.h>

#include "attribution/process.h"

enum {
    PACK_STRING_MAX = 4096,
    PACK_ARGS_MAX = PROCESS_ARGS_MAX, /* an argument is one byte or more */
    PACK_NULL = -1,
};

static const uint32_t pack_magic = 0x33707065;

#define PACK_FACTS_ALL ((FACT_ACTION << 1) - 1)
#define PACK_FLAGS_ALL ((PROCESS_FOREIGN << 1) - 1)

/* The numbers of a record, in front of its strings. No padding: bytes are compared and hashed. */
struct packed {
    struct process_key key;
    uint64_t cgroup_id, args_total;
    uint32_t magic, known, flags, from_proc;
    uint32_t ns_pid, uid, netns, mntns, userns;
    uint32_t n_args, n_ancestors, zero;
};
_Static_assert(sizeof(struct packed) == 80, "padding");

/* A string, and the fact that goes when it cannot be packed. */
struct packed_string {
    const char *value;
    bool is_path;
    unsigned fact;
};

static bool string_fits(const char *s)
{
    return !s || strlen(s) <= PACK_STRING_MAX;
}

static bool string_packable(const struct packed_string *s)
{
    return s->value && string_fits(s->value) && (!s->is_path || s->value[0] == '/');
}

static size_t string_room(const char *s)
{
    return sizeof(int32_t) + (s ? strlen(s) : 0);
}

static void put_string(struct buffer *out, const char *s)
{
    const int32_t len = s ? (int32_t)strlen(s) : PACK_NULL;
    buffer_add(out, &len, sizeof len);
    if (s)
        buffer_add(out, s, (size_t)len);
}

/* How many whole arguments fit into room. */
static size_t args_that_fit(const struct process *p, size_t room)
{
    size_t n = 0;
    while (n < p->n_args && n < PACK_ARGS_MAX) {
        const size_t need = string_room(p->args[n]);
        if (!p->args[n] || need > room || !string_fits(p->args[n]))
            break;
        room -= need;
        n++;
    }
    return n;
}

static size_t ancestors_that_fit(const struct process *p, size_t room)
{
    size_t n = 0;
    while (n < p->n_ancestors && n < PROCESS_ANCESTORS_MAX) {
        const size_t need = sizeof(uint32_t) + string_room(p->ancestors[n].exe);
        if (need > room || !string_fits(p->ancestors[n].exe))
            break;
        room -= need;
        n++;
    }
    return n;
}

static size_t ancestors_room(const struct process *p, size_t n)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++)
        room += sizeof(uint32_t) + string_room(p->ancestors[i].exe);
    return room;
}

void process_pack(const struct process *p, struct buffer *out)
{
    struct packed_string strings[] = {
        {p->exe, true, FACT_EXE},        {p->cwd, false, 0},
        {p->sha256, false, FACT_SHA256}, {p->user, false, 0},
        {p->cgroup, true, FACT_CGROUP},
    };
    struct packed head = {
        .key = p->key,
        .cgroup_id = p->cgroup_id,
        .args_total = p->args_total,
        .magic = pack_magic,
        .known = p->known,
        .flags = p->flags,
        .from_proc = p->from_proc,
        .ns_pid = p->ns_pid,
        .uid = p->uid,
        .netns = p->netns,
        .mntns = p->mntns,
        .userns = p->userns,
    };
    size_t room = PROCESS_PACK_MAX - sizeof head;
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        if (!string_packable(&strings[i]))
            strings[i].value = NULL;
        if (!strings[i].value)
            head.known &= ~strings[i].fact;
        room -= string_room(strings[i].value);
    }
    head.n_ancestors = (uint32_t)ancestors_that_fit(p, room);
    head.n_args = (uint32_t)args_that_fit(p, room - ancestors_room(p, head.n_ancestors));
    if (head.n_ancestors < p->n_ancestors)
        head.known &= ~(unsigned)FACT_PARENTS;
    if (head.n_args < p->n_args)
        head.flags |= PROCESS_ARGS_CUT;

    buffer_add(out, &head, sizeof head);
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        put_string(out, strings[i].value);
    for (size_t i = 0; i < head.n_args; i++)
        put_string(out, p->args[i]);
    for (size_t i = 0; i < head.n_ancestors; i++) {
        buffer_add(out, &p->ancestors[i].pid, sizeof p->ancestors[i].pid);
        put_string(out, p->ancestors[i].exe);
    }
}

/* A reader that fails once and for all: afterwards it gives zeroes. */
struct reader {
    const char *at;
    size_t left;
    bool bad;
    /* Strings get their NUL here; as long as the whole message, because each length field is
     * longer than the NUL that takes its place. */
    char *text;
};

static void take(struct reader *r, void *out, size_t len)
{
    if (r->bad || r->left < len) {
        r->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, r->at, len);
    r->at += len;
    r->left -= len;
}

static const char *take_string(struct reader *r, bool may_be_null)
{
    int32_t len;
    take(r, &len, sizeof len);
    if (r->bad || (len == PACK_NULL && may_be_null))
        return NULL;
    if (len < 0 || len > PACK_STRING_MAX || (size_t)len > r->left ||
        memchr(r->at, '\0', (size_t)len)) {
        r->bad = true;
        return NULL;
    }
    char *s = r->text;
    take(r, s, (size_t)len);
    s[len] = '\0';
    r->text += len + 1;
    return s;
}

static bool head_good(const struct packed *h)
{
    return h->magic == pack_magic && !(h->known & ~(unsigned)PACK_FACTS_ALL) &&
           !(h->flags & ~(unsigned)PACK_FLAGS_ALL) && h->from_proc <= 1 && h->zero == 0 &&
           h->n_args <= PACK_ARGS_MAX && h->n_ancestors <= PROCESS_ANCESTORS_MAX;
}

static bool is_digest(const char *s)
{
    enum { DIGEST_HEX = 64 };
    return strlen(s) == DIGEST_HEX && strspn(s, "0123456789abcdef") == DIGEST_HEX;
}

/* What is said to be known must be there. */
static bool facts_good(const struct process *p)
{
    if (p->exe ? p->exe[0] != '/' : (p->known & FACT_EXE) != 0)
        return false;
    if (p->cgroup ? p->cgroup[0] != '/' : (p->known & FACT_CGROUP) != 0)
        return false;
    if (p->sha256 ? !is_digest(p->sha256) : (p->known & FACT_SHA256) != 0)
        return false;
    return true;
}

struct process *process_unpack(const void *data, size_t len)
{
    char text[PROCESS_PACK_MAX];
    const char *args[PACK_ARGS_MAX];
    struct process_ancestor ancestors[PROCESS_ANCESTORS_MAX];
    struct reader r = {.at = data, .left = len, .bad = len > PROCESS_PACK_MAX, .text = text};
    struct packed h;

    errno = EBADMSG;
    take(&r, &h, sizeof h);
    if (r.bad || !head_good(&h))
        return NULL;
    struct process p = {
        .key = h.key,
        .known = h.known,
        .flags = h.flags,
        .from_proc = h.from_proc,
        .ns_pid = h.ns_pid,
        .uid = h.uid,
        .netns = h.netns,
        .mntns = h.mntns,
        .userns = h.userns,
        .cgroup_id = h.cgroup_id,
        .args = args,
        .n_args = h.n_args,
        .args_total = h.args_total,
        .ancestors = ancestors,
        .n_ancestors = h.n_ancestors,
    };
    p.exe = take_string(&r, true);
    p.cwd = take_string(&r, true);
    p.sha256 = take_string(&r, true);
    p.user = take_string(&r, true);
    p.cgroup = take_string(&r, true);
    for (size_t i = 0; i < p.n_args && !r.bad; i++)
        args[i] = take_string(&r, false);
    for (size_t i = 0; i < p.n_ancestors && !r.bad; i++) {
        take(&r, &ancestors[i].pid, sizeof ancestors[i].pid);
        ancestors[i].exe = take_string(&r, true);
    }
    if (r.bad || r.left || !facts_good(&p))
        return NULL;
    return process_copy(&p);
}
