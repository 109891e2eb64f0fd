/* SPDX-License-Identifier: MIT
 * From the keeper to the command: clone into cgroup and namespaces, mounts, network, privileges. */
#include "keeper/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/init.h"
#include "roles/confine.h"
#include "setup/hide.h"

/* Mounts of the host go on arriving (so that it can unmount), none of ours goes back. */
static int set_up_mounts(const struct command_options *o, struct error *error)
{
    const struct caller *user = o->caller;
    const struct hide_options hide = {.user = {.uid = user->uid,
                                               .gid = user->gid,
                                               .groups = user->groups,
                                               .n_groups = (size_t)user->n_groups,
                                               .home = user->home},
                                      .shares = o->shares,
                                      .n_shares = o->n_shares,
                                      .protect = o->protect,
                                      .n_protect = o->n_protect,
                                      .resolv_conf_text = o->resolv_conf};
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_set(error, -errno, "cannot make the command's mounts its own");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return error_set(error, -errno, "cannot mount the command's own /proc");
    return hide_prepare(&hide, error);
}

/* The keeper's death ends us, and with us the namespace. Set after the change of user, which
 * clears it; a keeper that died before is seen by the closed pipe. */
static int die_with_keeper(int life, struct error *error)
{
    struct pollfd p = {.fd = life, .events = POLLIN};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(error, -errno, "cannot tie the command to the filter");
    if (poll(&p, 1, 0) != 0)
        return error_say(error, -EPIPE, "the filter ended while the command was started");
    return 0;
}

/* All steps in the child, in the one order that works: sockets are found while the network is the
 * host's, the call filter needs root and closes the keyrings, the directory is entered as the user.
 */
static int set_up(const struct command_options *o, int life, struct error *error)
{
    int failed = set_up_mounts(o, error);
    if (failed)
        return failed;
    if (setns(o->gate->client_ns, CLONE_NEWNET) < 0)
        return error_set(error, -errno, "cannot enter the command's network");
    /* Keys of the caller's session stay outside; kernels without keyrings have none to hide. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if ((failed = confine_command(error)) != 0 ||
        (failed = caller_become(o->caller, o->allow_privileges, error)) != 0 ||
        (failed = die_with_keeper(life, error)) != 0)
        return failed;
    if (chdir(o->directory) < 0)
        return error_say(
            error, -errno,
            "user %u cannot enter the directory '%s': %s; start in one that is open to "
            "that user",
            o->caller->uid, o->directory, strerror(errno));
    return 0;
}

static _Noreturn void child(const struct command_options *o, int life, int report)
{
    struct error error = {0};
    if (set_up(o, life, &error)) {
        (void)!write(report, &error, sizeof error);
        _exit(COMMAND_FAILED);
    }
    /* Nothing but stdin, stdout and stderr goes in: an inherited socket would be a way out. */
    if (close_range(3, ~0u, 0) < 0)
        _exit(COMMAND_FAILED);
    init_run(o->argv, o->caller->environment);
}

static pid_t clone_into(int cgroup_fd)
{
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup_fd,
    };
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* Reads what the child reports: nothing, where everything was set up. */
static int read_report(int fd, struct error *error)
{
    struct error reported;
    ssize_t n;
    do
        n = read(fd, &reported, sizeof reported);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    if (n != sizeof reported || reported.code >= 0)
        return error_say(error, -EIO, "the command could not be set up");
    reported.text[sizeof reported.text - 1] = '\0';
    *error = reported;
    return error->code;
}

pid_t command_start(const struct command_options *o, struct error *error)
{
    CLEANUP_FD int report_in = -1, report_out = -1, life_in = -1;
    int pair[2];
    /* The write end of `life` stays open in the keeper, unused, for as long as it lives. */
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_set(error, -errno, "cannot make a pipe");
    life_in = pair[0];
    int life_out = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        close(life_out);
        return error_set(error, -errno, "cannot make a pipe");
    }
    report_in = pair[0];
    report_out = pair[1];
    pid_t pid = clone_into(o->cgroup->fd);
    if (pid == 0) {
        close(life_out);
        child(o, life_in, report_out);
    }
    if (pid < 0) {
        int failed = -errno;
        close(life_out);
        return error_set(error, failed, "cannot make the command's namespaces");
    }
    fd_close(&report_out);
    int failed = read_report(report_in, error);
    if (failed) {
        waitpid(pid, NULL, 0);
        close(life_out);
        return failed;
    }
    return pid;
}
