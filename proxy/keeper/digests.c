/* SPDX-License-Identifier: MIT
 * Who waits for which file: a line of jobs, few at work at once, each a process that is killed when
 * it takes too long. */
#include "keeper/digests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "attribution/digest_cache.h"
#include "base/fd.h"
#include "base/say.h"
#include "keeper/ipc.h"
#include "keeper/roles.h"
#include "tls/digest.h"

enum {
    AT_WORK_MAX = 2,
    WAITING_MAX = 8192, /* questions; more are answered without a digest */
    LIMIT_S = 30,       /* for one file */
};

/* A larger one keeps a core busy for seconds, and so everybody who waits behind it. */
static const uint64_t size_max = UINT64_C(2) << 30;

struct asker {
    STAILQ_ENTRY(asker) next;
    struct process *process; /* one count */
    void *who;               /* with that question */
    uint32_t id;
};

STAILQ_HEAD(askers, asker);

struct job {
    TAILQ_ENTRY(job) next;
    struct digests *digests;
    /* Never empty; the file is looked for as the first one knows it. */
    struct askers askers;
    enum exe_proof proof; /* EXE_BY_CTIME: of all who run that file; else of one process */
    pid_t pid;            /* 0: waits for its turn */
    struct ipc *ipc;
    struct event *limit;
};

struct digests {
    struct digests_options options;
    int root_fd;
    bool unproven; /* this kernel lets files be written to while they run: see can_prove */
    bool told;     /* the user knows of it */
    size_t at_work, n_waiting;
    TAILQ_HEAD(jobs, job) jobs;
    struct digest_cache cache;
};

/* Kernels 6.11 and 6.12.0 do not deny writing to what runs, and memory that was mapped before the
 * exec could be changed without a trace. Our own file runs now, so it tells. */
static bool can_prove(int executable_fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", executable_fd);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 && errno == ETXTBSY;
}

struct digests *digests_new(const struct digests_options *o)
{
    struct digests *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->options = *o;
    d->root_fd = -1;
    d->unproven = !can_prove(o->executable_fd);
    TAILQ_INIT(&d->jobs);
    return d;
}

void digests_set_root(struct digests *d, int root_fd)
{
    d->root_fd = root_fd;
}

/* Ends the process of a job, if it has one. */
static void job_stop(struct job *j)
{
    ipc_free(STEAL(j->ipc));
    if (j->limit)
        event_free(STEAL(j->limit));
    if (!j->pid)
        return;
    kill(j->pid, SIGKILL);
    waitpid(j->pid, NULL, 0);
    j->pid = 0;
    j->digests->at_work--;
}

static struct asker *job_take_asker(struct job *j)
{
    struct asker *a = STAILQ_FIRST(&j->askers);
    STAILQ_REMOVE_HEAD(&j->askers, next);
    j->digests->n_waiting--;
    return a;
}

static void asker_free(struct asker *a)
{
    process_unref(a->process);
    free(a);
}

static void job_free(struct job *j)
{
    job_stop(j);
    while (!STAILQ_EMPTY(&j->askers))
        asker_free(job_take_asker(j));
    TAILQ_REMOVE(&j->digests->jobs, j, next);
    free(j);
}

void digests_free(struct digests *d)
{
    while (d && !TAILQ_EMPTY(&d->jobs))
        job_free(TAILQ_FIRST(&d->jobs));
    free(d);
}

/* p with the digest; itself where memory has run out. The caller owns a count. */
static struct process *with_digest(struct process *p, const char *sha256)
{
    struct process *more = sha256 ? process_with_digest(p, sha256) : NULL;
    return more ? more : process_ref(p);
}

static void answer_first(struct job *j, const char *sha256)
{
    const struct digests_options *o = &j->digests->options;
    struct asker *a = job_take_asker(j);
    struct process *p = with_digest(a->process, sha256);
    o->done(o->context, a->who, a->id, p);
    process_unref(p);
    asker_free(a);
}

/* To the first of those who wait and to all others that the proof speaks for: everybody, or what
 * that same process asked more than once. */
static void answer_proven(struct job *j, const char *sha256, enum exe_proof by)
{
    const struct process_key key = STAILQ_FIRST(&j->askers)->process->key;
    struct askers others = STAILQ_HEAD_INITIALIZER(others);
    while (!STAILQ_EMPTY(&j->askers)) {
        struct asker *a = STAILQ_FIRST(&j->askers);
        if (by == EXE_BY_CTIME || memcmp(&a->process->key, &key, sizeof key) == 0) {
            answer_first(j, sha256);
            continue;
        }
        STAILQ_REMOVE_HEAD(&j->askers, next);
        STAILQ_INSERT_TAIL(&others, a, next);
    }
    STAILQ_CONCAT(&j->askers, &others);
}

/* Without a digest for them, or with one of the first alone, the file may still be found as the
 * next one knows it: he may live, or have run it under another name. */
static void job_end(struct job *j, const char *sha256, enum exe_proof by)
{
    job_stop(j);
    if (by == EXE_BY_CTIME)
        digest_cache_add(&j->digests->cache, &STAILQ_FIRST(&j->askers)->process->file, sha256);
    if (by == EXE_NO_PROOF)
        answer_first(j, NULL);
    else
        answer_proven(j, sha256, by);
    if (STAILQ_EMPTY(&j->askers))
        job_free(j);
}

static void work(struct digests *d);

static void end_and_go_on(struct job *j, const char *sha256, enum exe_proof by)
{
    struct digests *d = j->digests;
    job_end(j, sha256, by);
    work(d);
}

static void on_answer(void *context, struct ipc_message *m)
{
    struct job *j = context;
    const struct digests_options *o = &j->digests->options;
    const struct process *p = STAILQ_FIRST(&j->askers)->process;
    struct digest_answer a;
    char hex[SHA256_HEX + 1] = "";
    enum exe_proof by = EXE_NO_PROOF;
    if (m->type == IPC_DIGEST && m->len == sizeof a) {
        memcpy(&a, m->data, sizeof a);
        if (!a.error)
            by = exe_proven_by(p, j->proof, &a.seen, o->lives(o->context, &p->key));
        digest_hex(a.sha256, hex);
    }
    end_and_go_on(j, hex, by);
}

static void on_closed(void *context)
{
    end_and_go_on(context, NULL, EXE_NO_PROOF);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end_and_go_on(arg, NULL, EXE_NO_PROOF);
}

/* Starts the role for the first of those who wait. */
static int job_start(struct job *j)
{
    static const struct timeval limit = {LIMIT_S, 0};
    const struct digests *d = j->digests;
    const struct digests_options *o = &d->options;
    const struct ipc_handlers handlers = {on_answer, on_closed, j};
    const struct process *p = STAILQ_FIRST(&j->askers)->process;
    struct role_start start = {.role = "digest", .executable_fd = o->executable_fd, .netns_fd = -1};
    struct error error;
    int pair[2];
    int failed = ipc_pair(pair);
    if (failed)
        return failed;
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    role_start_fd(&start, theirs, "control");
    role_start_fd(&start, d->root_fd, "root");
    if (o->lives(o->context, &p->key))
        role_start_setting(&start, "pid=%u", p->key.pid);
    role_start_setting(&start, "path=%s", p->exe);
    role_start_setting(&start, "ino=%llu", (unsigned long long)p->file.ino);
    role_start_setting(&start, "dev=%u", p->file.dev);
    role_start_setting(&start, "size=%llu", (unsigned long long)p->file.size);
    pid_t pid = role_spawn(&start, &error);
    role_start_release(&start);
    if (pid < 0)
        return pid;
    j->pid = pid;
    j->digests->at_work++;
    j->limit = evtimer_new(o->base, on_limit, j);
    j->ipc = ipc_new(o->base, ours, &handlers);
    if (!j->ipc || !j->limit)
        return -ENOMEM;
    (void)fd_steal(&ours);
    return evtimer_add(j->limit, &limit) < 0 ? -ENOMEM : 0;
}

static struct job *next_waiting(struct digests *d)
{
    struct job *j = TAILQ_FIRST(&d->jobs);
    while (j && j->pid)
        j = TAILQ_NEXT(j, next);
    return j;
}

static void work(struct digests *d)
{
    struct job *j;
    while (d->at_work < AT_WORK_MAX && (j = next_waiting(d)))
        if (job_start(j) < 0)
            job_end(j, NULL, EXE_NO_PROOF);
}

/* What runs, runs for the first of those who wait, and is judged by his process. */
static void job_forget(struct job *j, const void *who)
{
    const struct asker *first = STAILQ_FIRST(&j->askers);
    struct askers left = STAILQ_HEAD_INITIALIZER(left);
    if (first->who == who)
        job_stop(j);
    while (!STAILQ_EMPTY(&j->askers)) {
        struct asker *a = job_take_asker(j);
        if (a->who == who) {
            asker_free(a);
            continue;
        }
        STAILQ_INSERT_TAIL(&left, a, next);
        j->digests->n_waiting++;
    }
    STAILQ_CONCAT(&j->askers, &left);
    if (STAILQ_EMPTY(&j->askers))
        job_free(j);
}

void digests_forget(struct digests *d, const void *asker)
{
    struct job *j = TAILQ_FIRST(&d->jobs), *next;
    for (; j; j = next) {
        next = TAILQ_NEXT(j, next);
        job_forget(j, asker);
    }
    work(d);
}

static bool serves(const struct job *j, const struct process *p, enum exe_proof proof)
{
    const struct process *first = STAILQ_FIRST(&j->askers)->process;
    if (j->proof != proof || memcmp(&first->file, &p->file, sizeof p->file) != 0)
        return false;
    return proof == EXE_BY_CTIME || memcmp(&first->key, &p->key, sizeof p->key) == 0;
}

static struct job *job_for(struct digests *d, const struct process *p, enum exe_proof proof)
{
    struct job *j;
    TAILQ_FOREACH(j, &d->jobs, next)
    if (serves(j, p, proof))
        return j;
    j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->digests = d;
    j->proof = proof;
    STAILQ_INIT(&j->askers);
    TAILQ_INSERT_TAIL(&d->jobs, j, next);
    return j;
}

static bool enqueue(struct digests *d, struct process *p, void *who, uint32_t id,
                    enum exe_proof proof)
{
    struct asker *a = d->n_waiting < WAITING_MAX ? malloc(sizeof *a) : NULL;
    struct job *j = a ? job_for(d, p, proof) : NULL;
    if (!j) {
        free(a);
        return false;
    }
    *a = (struct asker){.process = process_ref(p), .who = who, .id = id};
    STAILQ_INSERT_TAIL(&j->askers, a, next);
    d->n_waiting++;
    return true;
}

static int64_t real_minus_boot(void)
{
    struct timespec real, boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (real.tv_sec - boot.tv_sec) * INT64_C(1000000000) + real.tv_nsec - boot.tv_nsec;
}

/* What could prove a digest of p now. */
static enum exe_proof proof_for(struct digests *d, const struct process *p)
{
    const struct digests_options *o = &d->options;
    enum exe_proof proof = exe_proof(p, real_minus_boot());
    if (proof != EXE_NO_PROOF && d->unproven) {
        if (!d->told)
            say_warning("this kernel does not keep files that run from being written to, so no "
                        "rule with sha256= allows anything");
        d->told = true;
        return EXE_NO_PROOF;
    }
    if (p->file.size > size_max || (proof == EXE_WHILE_IT_RUNS && !o->lives(o->context, &p->key)))
        return EXE_NO_PROOF;
    return proof;
}

bool digests_ask(struct digests *d, struct process *p, void *asker, uint32_t id,
                 struct process **now)
{
    enum exe_proof proof = p->sha256 ? EXE_NO_PROOF : proof_for(d, p);
    const char *known = proof == EXE_BY_CTIME ? digest_cache_find(&d->cache, &p->file) : NULL;
    *now = NULL;
    if (proof != EXE_NO_PROOF && !known && enqueue(d, p, asker, id, proof)) {
        work(d);
        return true;
    }
    *now = with_digest(p, known);
    return false;
}
