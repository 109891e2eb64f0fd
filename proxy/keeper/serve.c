/* SPDX-License-Identifier: MIT
 * The keeper's part while the command runs: drains the ring of process events, answers who a
 * process is, passes signals on, notices who has died. */
#include "keeper/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/say.h"

/* Hooks do not wake us for each event (10 µs an exec); look-ups drain the ring themselves. */
#define RING_POLL_US 20000
/* The owner of a flow stays for one to two of these after its end: far longer than a connection
 * waits to be accepted, be it that the proxy has to be started again. */
#define SWEEP_S 5

uint64_t keeper_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void keeper_fail(struct keeper *k, const struct error *why)
{
    if (!k->failed)
        k->failure = *why;
    k->failed = true;
    event_base_loopbreak(k->base);
}

struct process *keeper_process(struct keeper *k, const struct process_id *id)
{
    struct process *held = NULL;
    for (size_t i = 0; !held && i < k->options.loops; i++)
        held = pins_find(k->proxies[i].pins, id);
    struct process *p = held ? process_ref(held) : process_table_get(k->table, &id->key);
    if (!p || process_is(p, id))
        return p;
    struct process *then = process_at(p, &id->state, users_name(&k->users, id->state.uid),
                                      keeper_cgroup_path(k, id->state.cgroup_id));
    process_unref(p);
    return then;
}

struct process *keeper_find_process(struct keeper *k, const struct process_id *id)
{
    hooks_catch_up(k->hooks);
    struct process *p = keeper_process(k, id);
    if (p || hooks_caught_up(k->hooks))
        return p;
    hooks_settle(k->hooks);
    return keeper_process(k, id);
}

static void write_fold(void *context, const struct record *r)
{
    struct keeper *k = context;
    struct record record = *r;
    struct process *p = keeper_process(k, &(struct process_id){r->process, r->state});
    keeper_record(k, &record, p);
    process_unref(p);
}

void keeper_flush_folds(struct keeper *k)
{
    folds_flush(k->folds, write_fold, k);
    keeper_flush_refusals(k);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    keeper_flush_folds(arg);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    keeper_sweep_flows(arg);
}

static void on_process_event(void *context, const void *event, size_t len)
{
    struct keeper *k = context;
    if (!keeper_refused(k, event, len))
        process_table_event(k->table, event, len, keeper_now_ns());
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
    struct keeper *k = arg;
    (void)fd;
    (void)what;
    hooks_consume(k->hooks);
}

static bool has_ended(pid_t pid, int *status)
{
    return pid > 0 && waitpid(pid, status, WNOHANG) == pid;
}

static void reap(struct keeper *k)
{
    int status;
    struct role *r;
    if (has_ended(k->command, &status)) {
        k->command = 0;
        k->command_ended = true;
        k->command_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    for (size_t i = 0; (r = keeper_role(k, i)); i++)
        if (has_ended(r->pid, &status))
            keeper_role_ended(r, status);
}

/* The terminal's have reached the command too, which is in our group; but that it hangs up is told
 * to the leader of the session alone (tty_signal_session_leader in the kernel's tty_jobctrl.c). */
static bool is_for_us_alone(const struct signalfd_siginfo *info)
{
    return info->ssi_code != SI_KERNEL || (info->ssi_signo == SIGHUP && getsid(0) == getpid());
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct keeper *k = arg;
    struct signalfd_siginfo info;
    (void)what;
    while (read(fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(k);
        else if (k->command <= 0)
            k->stop_signal = (int)info.ssi_signo;
        else if (is_for_us_alone(&info))
            kill(k->command, (int)info.ssi_signo);
    }
}

static int block_signals(struct keeper *k)
{
    static const int numbers[] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(&set, numbers[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of the log, not our end */
    k->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return k->signal_fd < 0 ? -errno : 0;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct keeper *k = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(k->base);
}

static void send_process(struct role *r, uint32_t id, struct process *p)
{
    CLEANUP_BUFFER struct buffer packed = {0};
    if (p) {
        process_pack(p, &packed);
        pins_hold(r->pins, p);
    }
    bool good = p && !buffer_failed(&packed);
    keeper_send(r, IPC_PROCESS, id, good ? packed.data : NULL, good ? packed.len : 0, -1);
}

static void on_digest(void *context, void *asker, uint32_t id, struct process *p)
{
    (void)context;
    send_process(asker, id, p);
}

/* Where an event was lost, what a process runs now may be another file than the one we know of. */
static bool process_lives(void *context, const struct process_key *key)
{
    struct keeper *k = context;
    return hooks_catch_up(k->hooks) >= 0 && hooks_caught_up(k->hooks) &&
           hooks_lost(k->hooks).processes == 0 && hooks_execs_missed(k->hooks) == 0 &&
           process_table_lives(k->table, key);
}

int keeper_listen(struct keeper *k, struct error *error)
{
    static const struct timeval every = {0, RING_POLL_US}, second = {1, 0}, sweep = {SWEEP_S, 0};
    int failed = block_signals(k);
    if (failed)
        return error_set(error, failed, "cannot receive signals");
    struct hooks_options o = {.way = k->options.attach,
                              .cgroup_fd = k->cgroup.fd,
                              .settings = {.cgroup_id = k->cgroup.id,
                                           .cgroup_level = k->cgroup.level,
                                           .netns_cookie = k->gate.client_cookie},
                              .event = on_process_event,
                              .context = k};
    k->hooks = hooks_attach(&o, error);
    if (!k->hooks)
        return error->code;
    k->flows_fd = hooks_flows_fd(k->hooks);
    if (k->flows_fd < 0)
        return error_set(error, k->flows_fd, "cannot open the map of flows for reading");
    k->base = event_base_new();
    if (!k->base)
        return error_set(error, -ENOMEM, "cannot make an event loop");
    k->signals = event_new(k->base, k->signal_fd, EV_READ | EV_PERSIST, on_signal, k);
    k->ring = event_new(k->base, hooks_ring_fd(k->hooks), EV_READ | EV_PERSIST, on_ring, k);
    k->ring_timer = event_new(k->base, -1, EV_PERSIST, on_ring, k);
    k->fold_timer = event_new(k->base, -1, EV_PERSIST, on_second, k);
    k->sweep_timer = event_new(k->base, -1, EV_PERSIST, on_sweep, k);
    k->deadline = event_new(k->base, -1, 0, on_deadline, k);
    if (!k->signals || !k->ring || !k->ring_timer || !k->fold_timer || !k->sweep_timer ||
        !k->deadline || event_add(k->signals, NULL) < 0 || event_add(k->ring, NULL) < 0 ||
        event_add(k->ring_timer, &every) < 0 || event_add(k->fold_timer, &second) < 0 ||
        event_add(k->sweep_timer, &sweep) < 0)
        return error_set(error, -ENOMEM, "cannot watch for events");
    const struct digests_options digests = {.base = k->base,
                                            .executable_fd = k->executable_fd,
                                            .lives = process_lives,
                                            .done = on_digest,
                                            .context = k};
    k->records = records_new(k);
    if (!k->records)
        return error_set(error, -ENOMEM, "cannot gather records");
    k->flow_sockets = flow_sockets_new(k);
    if (!k->flow_sockets)
        return error_set(error, -ENOMEM, "cannot gather wishes for sockets");
    k->digests = digests_new(&digests);
    return k->digests ? 0 : error_set(error, -ENOMEM, "cannot wait for digests");
}

void keeper_loop(struct keeper *k, const bool *done, unsigned timeout_ms)
{
    const struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    if (timeout_ms)
        event_add(k->deadline, &limit);
    while (!*done && !k->failed && !k->stop_signal) {
        if (event_base_loop(k->base, EVLOOP_ONCE) < 0 || event_base_got_break(k->base))
            break;
    }
    event_del(k->deadline);
}

static void answer_process(struct keeper *k, struct role *r, const struct ipc_message *m)
{
    struct process_question q;
    if (m->len != sizeof q)
        return;
    memcpy(&q, m->data, sizeof q);
    struct process *p = keeper_find_process(k, &q.id), *digested = NULL;
    bool waits = p && q.digest && digests_ask(k->digests, p, r, m->id, &digested);
    if (!waits)
        send_process(r, m->id, digested ? digested : p);
    process_unref(digested);
    process_unref(p);
}

static void let_process_go(struct role *r, const struct ipc_message *m)
{
    struct process_id id;
    if (m->len != sizeof id)
        return;
    memcpy(&id, m->data, sizeof id);
    pins_let_go(r->pins, &id);
}

/* A sentence from a role, taken as text and nothing else. */
static void text_of_message(const struct ipc_message *m, char *out, size_t size)
{
    size_t n = MIN(m->len, size - 1);
    memcpy(out, m->data, n);
    out[n] = '\0';
}

/* Why a role cannot start. Once the command runs its end is a death like others: started again. */
static void take_failure(struct keeper *k, const struct ipc_message *m)
{
    struct error error = {0};
    char text[480];
    text_of_message(m, text, sizeof text);
    if (k->started) {
        say_warning("%s", text);
        return;
    }
    error_say(&error, -EINVAL, "%s", text);
    keeper_fail(k, &error);
}

/* FROM_FIRST: the one proxy that has datagrams. */
enum message_from { FROM_PROXY = 1, FROM_PACKET = 2, FROM_FIRST = 4 };
enum message_when { WHILE_STARTING, WHEN_READY, WHEN_DRAINING };

/* Who may say what, and when. A role that was taken over shall not speak for another, nor bring the
 * run to an end by a word that belongs to the start. */
static const struct {
    int from;
    enum message_when when;
} may_say[] = {
    [IPC_READY] = {FROM_PROXY | FROM_PACKET, WHILE_STARTING},
    [IPC_FAILED] = {FROM_PROXY | FROM_PACKET, WHILE_STARTING},
    [IPC_DIAGNOSTIC] = {FROM_PROXY, WHILE_STARTING},
    [IPC_INCLUDE] = {FROM_PROXY, WHILE_STARTING},
    [IPC_PROCESS_GET] = {FROM_PROXY, WHEN_READY},
    [IPC_PROCESS_PUT] = {FROM_PROXY, WHEN_READY},
    [IPC_RECORD] = {FROM_PROXY, WHEN_READY},
    [IPC_DRAINED] = {FROM_PROXY, WHEN_DRAINING},
    [IPC_SOCKET_GET] = {FROM_FIRST, WHEN_READY},
};

static bool is_allowed(const struct keeper *k, const struct role *r, const struct ipc_message *m)
{
    int from = r == &k->packet ? FROM_PACKET : r->loop ? FROM_PROXY : FROM_PROXY | FROM_FIRST;
    if ((size_t)m->type >= ARRAY_SIZE(may_say) || !(may_say[m->type].from & from))
        return false;
    enum message_when when = may_say[m->type].when;
    return when == WHILE_STARTING ? !r->ready : r->ready && (when == WHEN_READY || k->draining);
}

void keeper_message(struct keeper *k, struct role *r, struct ipc_message *m)
{
    if (r->broken)
        return;
    if (!is_allowed(k, r, m)) {
        say_warning("the %s said what it may not say (message %d) and is ended", r->title,
                    (int)m->type);
        keeper_cut_off(r);
        return;
    }
    switch (m->type) {
    case IPC_READY:
        keeper_role_ready(r);
        break;
    case IPC_DIAGNOSTIC:
        /* Another proxy, or a new one, has nothing new to say about the same bytes. */
        if (k->started || r->loop)
            break;
        say_safely(stderr, m->data, m->len);
        fputc('\n', stderr);
        break;
    case IPC_FAILED:
        take_failure(k, m);
        break;
    case IPC_PROCESS_GET:
        answer_process(k, r, m);
        break;
    case IPC_RECORD:
        keeper_take_record(k, r, m);
        break;
    case IPC_INCLUDE:
        keeper_include(k, r, m);
        break;
    case IPC_DRAINED:
        keeper_role_drained(r);
        break;
    case IPC_PROCESS_PUT:
        let_process_go(r, m);
        break;
    case IPC_SOCKET_GET:
        keeper_take_socket_wish(k, r, m);
        break;
    default:
        break; /* not for us */
    }
}
