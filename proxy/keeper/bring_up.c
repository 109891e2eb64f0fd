/* SPDX-License-Identifier: MIT
 * Start is all or nothing: one table of steps, taken in order, undone in reverse. Everything a step
 * makes hangs on descriptors and processes of ours, so that even a keeper that is killed between
 * two of them leaves nothing but an empty cgroup directory, which the next run sweeps. */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/say.h"
#include "roles/shared.h"

#define DEFAULT_LOG "egress.jsonl"
/* Descriptors without which nothing works; each role takes the same limit. */
#define FILES_MIN 128

/* Below it some library ends us without a sentence of ours. */
static int check_descriptors(struct keeper *k, struct error *error)
{
    struct rlimit files;
    (void)k;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MIN)
        return error_say(error, -EMFILE,
                         "no more than %llu descriptors may be open here, and a run needs %d; "
                         "raise the limit (ulimit -n)",
                         (unsigned long long)files.rlim_cur, FILES_MIN);
    return 0;
}

static int find_ourselves(struct keeper *k, struct error *error)
{
    uint8_t random[RUN_ID_LEN / 2];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return error_set(error, -errno, "cannot make a run id");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(k->run_id + 2 * i, 3, "%02x", random[i]);
    k->executable_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (k->executable_fd < 0)
        return error_set(error, -errno, "cannot open this program's own file");
    if (!getcwd(k->directory, sizeof k->directory))
        return error_set(error, -errno, "cannot find the current directory");
    return 0;
}

static int find_caller(struct keeper *k, struct error *error)
{
    int failed = caller_find(k->options.user, k->options.environ_pid, &k->caller, error);
    if (failed)
        return failed;
    /* sudo took it away; it is about what is written to the user's terminal. */
    const char *plain = caller_getenv(&k->caller, "NO_COLOR");
    if (plain && setenv("NO_COLOR", plain, 1) < 0)
        return error_set(error, -errno, "cannot carry NO_COLOR along");
    if (k->options.allow_privileges)
        say_warning("--allow-privileges: what runs inside may become root, and root can take the "
                    "filter down from inside; the log says only what it let be seen");
    else if (k->caller.uid == 0)
        say_warning("running as root: without capabilities, but files that root owns can be "
                    "changed, and so what root runs outside later");
    return 0;
}

/* The log, or one beside it where another run is writing the default. */
static int open_log(struct keeper *k, struct error *error)
{
    char other[64];
    struct log_options o = {.path = k->options.log ? k->options.log : DEFAULT_LOG,
                            .group = k->caller.gid,
                            .args = k->options.log_args};
    int failed = log_open(&o, &k->log, error);
    if (failed == -EWOULDBLOCK && !k->options.log) {
        snprintf(other, sizeof other, "egress-%s.jsonl", k->run_id);
        o.path = other;
        failed = log_open(&o, &k->log, error);
        if (!failed)
            say_note("another run is writing " DEFAULT_LOG "; this one writes %s", other);
    }
    if (failed)
        return failed;
    k->log_place = open(log_path(k->log), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (k->log_place < 0)
        return error_set(error, -errno, "cannot look at the log '%s'", log_path(k->log));
    k->summary = summary_new();
    k->folds = folds_new();
    return k->summary && k->folds ? 0 : error_set(error, -ENOMEM, "cannot count records");
}

static int open_cgroup(struct keeper *k, struct error *error)
{
    return cgroup_open(&k->cgroup, k->run_id, error);
}

static int open_gate(struct keeper *k, struct error *error)
{
    int failed = gate_open(&k->gate, k->options.loops, error);
    for (size_t i = 0; !failed && i < k->options.n_host_ports; i++) {
        k->host_ports[i] = gate_listen_client(&k->gate, k->options.host_ports[i], error);
        failed = k->host_ports[i] < 0 ? k->host_ports[i] : 0;
    }
    return failed;
}

static const char *user_name(void *context, uint32_t uid)
{
    struct keeper *k = context;
    return users_name(&k->users, uid);
}

/* The last one is kept to be freed. */
const char *keeper_cgroup_path(struct keeper *k, uint64_t id)
{
    free(k->cgroup_path);
    k->cgroup_path = cgroup_path_of(&k->cgroup, id);
    return k->cgroup_path;
}

static const char *cgroup_path(void *context, uint64_t id)
{
    return keeper_cgroup_path(context, id);
}

static int make_table(struct keeper *k, struct error *error)
{
    const struct process_table_options o = {
        .user_name = user_name, .cgroup_path = cgroup_path, .context = k};
    users_add(&k->users, k->caller.uid, k->caller.name);
    k->table = process_table_new(&o);
    int failed = keeper_name_roles(k);
    return k->table && !failed ? 0
                               : error_set(error, -ENOMEM, "cannot make the table of processes");
}

/* Learnt names and budgets are the run's and outlive the proxies, so their memory is ours. */
static int make_shared(struct keeper *k, struct error *error)
{
    k->shared_fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (k->shared_fd < 0 || ftruncate(k->shared_fd, (off_t)shared_size()) < 0 ||
        fcntl(k->shared_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return error_set(error, -errno, "cannot make the memory that the proxies share");
    return 0;
}

static void read_boot_id(char out[64])
{
    CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 63);
    out[MAX(n, 0)] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static int record_start(struct keeper *k, struct error *error)
{
    struct utsname uts;
    char boot_id[64];
    if (keeper_digest_policies(k))
        return error_set(error, -ENOMEM, "cannot digest the policy");
    uname(&uts);
    read_boot_id(boot_id);
    struct record r = {.event = RECORD_START,
                       .version = text_of(EGRESS_VERSION),
                       .run_id = text_of(k->run_id),
                       .host_name = text_of(uts.nodename),
                       .boot_id = text_of(boot_id),
                       .kernel = text_of(uts.release),
                       .mode = text_of(k->options.audit ? "audit" : "enforce"),
                       .attach = text_of(attach_way_name(hooks_way(k->hooks))),
                       .attach_reason = text_of(hooks_why(k->hooks)),
                       .policy_sha256 = text_of(k->policy_sha256)};
    int failed = keeper_record(k, &r, NULL);
    return failed ? error_set(error, failed, "cannot write the log '%s'", log_path(k->log)) : 0;
}

static int (*const steps[])(struct keeper *, struct error *) = {
    check_descriptors,
    find_ourselves,
    find_caller,
    keeper_prepare_suggestions,
    keeper_read_policies,
    keeper_find_resolvers,
    open_log,
    open_cgroup,
    open_gate,
    make_table,
    make_shared,
    keeper_listen,
    keeper_start_roles,
    record_start,
};

static void init(struct keeper *k)
{
    k->command_root = -1;
    k->executable_fd = k->log_place = k->flows_fd = k->shared_fd = k->signal_fd = -1;
    k->cgroup = (struct cgroup)CGROUP_INIT;
    k->gate = (struct gate)GATE_INIT;
    k->suggestions = (struct new_file)NEW_FILE_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(k->host_ports); i++)
        k->host_ports[i] = -1;
    for (size_t i = 0; i < ARRAY_SIZE(k->proxies); i++)
        k->proxies[i].pending_peer = -1;
    k->packet.pending_peer = -1;
}

int keeper_bring_up(struct keeper *k, struct error *error)
{
    init(k);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int failed = steps[i](k, error);
        if (failed)
            return failed;
    }
    return 0;
}

static void free_events(struct keeper *k)
{
    struct event *events[] = {k->signals,    k->ring,        k->ring_timer,
                              k->fold_timer, k->sweep_timer, k->deadline};
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (events[i])
            event_free(events[i]);
    if (k->base)
        event_base_free(k->base);
}

void keeper_take_down(struct keeper *k)
{
    if (k->command > 0) {
        kill(k->command, SIGKILL);
        waitpid(k->command, NULL, 0);
    }
    keeper_stop_roles(k);
    digests_free(k->digests);
    records_free(STEAL(k->records));
    flow_sockets_free(STEAL(k->flow_sockets));
    fd_close(&k->command_root);
    free_events(k);
    hooks_free(k->hooks);
    for (size_t i = 0; i < ARRAY_SIZE(k->proxies); i++)
        pins_free(k->proxies[i].pins);
    process_table_free(k->table);
    users_release(&k->users);
    free(k->cgroup_path);
    fd_close(&k->flows_fd);
    fd_close(&k->shared_fd);
    for (size_t i = 0; i < ARRAY_SIZE(k->host_ports); i++)
        fd_close(&k->host_ports[i]);
    gate_close(&k->gate);
    cgroup_close(&k->cgroup);
    summary_free(k->summary);
    new_file_release(&k->suggestions);
    folds_free(k->folds);
    log_close(k->log);
    fd_close(&k->log_place);
    for (size_t i = 0; i < k->n_policies; i++) {
        fd_close(&k->policies[i].fd);
        fd_close(&k->policies[i].opened);
        free(k->policies[i].name);
    }
    free(k->policies);
    caller_release(&k->caller);
    fd_close(&k->signal_fd);
    fd_close(&k->executable_fd);
}
