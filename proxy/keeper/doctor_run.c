/* SPDX-License-Identifier: MIT
 * The proof of all the rest: this program runs `true` behind an empty policy, as `run` does, and
 * its log goes with the directory that it lies in. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "dns/resolver.h"
#include "keeper/doctor_parts.h"

enum { ARGS_MAX = 2 * RESOLVERS_MAX + 24, PATIENCE_MS = 30000, NOBODY = 65534 };

struct rehearsal {
    char directory[64], log[96], nobody[16];
    char resolvers[RESOLVERS_MAX][RESOLVER_TEXT];
    char *argv[ARGS_MAX];
    size_t argc;
    int out;
};

static void add(struct rehearsal *r, const char *word)
{
    r->argv[r->argc++] = (char *)word;
    r->argv[r->argc] = NULL;
}

static void make_arguments(struct rehearsal *r, const struct options *o)
{
    const char *sudo = getenv("SUDO_UID");
    snprintf(r->nobody, sizeof r->nobody, "%d", NOBODY);
    const char *const fixed[] = {"egress-filter", "run",       "--quiet",
                                 "--policy",      "/dev/null", "--log",
                                 r->log,          "--attach",  attach_way_name(o->attach)};
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        add(r, fixed[i]);
    if (o->user || !sudo || strcmp(sudo, "0") == 0) {
        add(r, "--user");
        add(r, o->user ? o->user : r->nobody);
    }
    for (size_t i = 0; i < o->n_resolvers; i++) {
        resolver_text(&o->resolvers[i], r->resolvers[i]);
        add(r, "--resolver");
        add(r, r->resolvers[i]);
    }
    add(r, "--");
    add(r, "/bin/true");
}

/* The last sentence of those that say why it failed. */
static void read_sentence(int fd, char *out, size_t size)
{
    static const char begin[] = "egress-filter: ", kind[] = "error: ";
    char text[8192];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    snprintf(out, size, "run failed, and did not say why");
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *at = strncmp(line, begin, sizeof begin - 1) == 0 ? line + sizeof begin - 1 : line;
        if (strncmp(at, kind, sizeof kind - 1) == 0)
            at += sizeof kind - 1;
        snprintf(out, size, "%s", at);
    }
}

static _Noreturn void become(const struct rehearsal *r)
{
    CLEANUP_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
        dup2(r->out, STDOUT_FILENO) == STDOUT_FILENO &&
        dup2(r->out, STDERR_FILENO) == STDERR_FILENO && chdir("/") == 0)
        execv("/proc/self/exe", r->argv);
    _exit(127);
}

/* Waits for so long as any start could take; a run that hangs ends with its keeper. */
static int wait_for(pid_t pid, int *status)
{
    CLEANUP_FD int ends = pidfd_open(pid, 0);
    struct pollfd p = {.fd = ends, .events = POLLIN};
    bool late = ends >= 0 && poll(&p, 1, PATIENCE_MS) == 0;
    if (late)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return late ? -ETIMEDOUT : 0;
}

static int rehearse(const struct rehearsal *r, int *status)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(r);
    return pid < 0 ? -errno : wait_for(pid, status);
}

static void tell(const struct rehearsal *r, int failed, int status, struct finding *f)
{
    char sentence[sizeof f->seen];
    if (!failed && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        finding_set(f, DOCTOR_OK, "`true` ran behind the filter");
        return;
    }
    read_sentence(r->out, sentence, sizeof sentence);
    finding_set(f, DOCTOR_BAD, "%s", failed ? strerror(-failed) : sentence);
    f->means = "this is how run ends here; where all else is well, it alone knows why";
}

void doctor_run(const struct doctor *d, struct finding *f)
{
    struct rehearsal r = {.directory = "/tmp/egress-doctor-XX"
                                       "XX"
                                       "XX",
                          .out = -1};
    int status = 0;
    if (!d->root) {
        finding_unseen(f);
        return;
    }
    r.out = memfd_create("doctor", MFD_CLOEXEC);
    if (r.out < 0 || !mkdtemp(r.directory)) {
        finding_set(f, DOCTOR_UNSEEN, "not tried: no directory can be made in /tmp: %s",
                    strerror(errno));
        fd_close(&r.out);
        return;
    }
    snprintf(r.log, sizeof r.log, "%s/egress.jsonl", r.directory);
    make_arguments(&r, &d->options);
    int failed = rehearse(&r, &status);
    tell(&r, failed, status, f);
    unlink(r.log);
    rmdir(r.directory);
    fd_close(&r.out);
}
