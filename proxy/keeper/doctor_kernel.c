/* SPDX-License-Identifier: MIT
 * What the kernel must let us do: hooks attached to a cgroup, namespaces made. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attribution/hooks.h"
#include "keeper/cgroup.h"
#include "keeper/doctor_parts.h"

enum { OLDEST_MAJOR = 6, OLDEST_MINOR = 1, FILES_FEW = 4096 };

void doctor_kernel(const struct doctor *d, struct finding *f)
{
    struct utsname uts;
    unsigned major = 0, minor = 0;
    (void)d;
    uname(&uts);
    bool read = sscanf(uts.release, "%u.%u", &major, &minor) == 2;
    bool old = !read || major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
    finding_set(f, old ? DOCTOR_WARN : DOCTOR_OK, "Linux %s %s", uts.release, uts.machine);
    if (old) {
        f->means = "the filter is made for 6.1 and later; what an older one lacks is seen below";
        f->todo = "use a newer kernel";
    }
}

void doctor_btf(const struct doctor *d, struct finding *f)
{
    static const char path[] = "/sys/kernel/btf/vmlinux";
    (void)d;
    if (access(path, R_OK) == 0) {
        finding_set(f, DOCTOR_OK, "%s is there", path);
        return;
    }
    finding_set(f, DOCTOR_BAD, "cannot read '%s': %s", path, strerror(errno));
    f->means = "programs for the kernel are fitted to it by its own types, which it does not tell";
    f->todo = "mount sysfs on /sys, or use a kernel with CONFIG_DEBUG_INFO_BTF";
}

static void ignore(void *context, const void *event, size_t len)
{
    (void)context, (void)event, (void)len;
}

/* Each way by itself, then as a run would, in a cgroup as it would make it. */
static int attach(const struct doctor *d, struct finding *f, struct error *error)
{
    struct cgroup cgroup = CGROUP_INIT;
    char id[32];
    snprintf(id, sizeof id, "doctor-%d", getpid());
    int failed = cgroup_open(&cgroup, id, error);
    if (failed)
        return failed;
    const struct hooks_options o = {
        .way = d->options.attach,
        .cgroup_fd = cgroup.fd,
        .settings = {.cgroup_id = cgroup.id, .cgroup_level = cgroup.level, .netns_cookie = 1},
        .event = ignore};
    struct hooks *hooks = hooks_attach(&o, error);
    if (hooks) {
        const char *why = hooks_why(hooks);
        finding_set(f, DOCTOR_OK, "programs load and are attached by %s%s%s%s",
                    attach_way_name(hooks_way(hooks)), why ? " (" : "", why ? why : "",
                    why ? ")" : "");
    }
    failed = hooks ? 0 : error->code;
    hooks_free(hooks);
    cgroup_close(&cgroup);
    return failed;
}

void doctor_hooks(const struct doctor *d, struct finding *f)
{
    struct error error = {0};
    if (!d->root) {
        finding_unseen(f);
        return;
    }
    if (attach(d, f, &error) == 0)
        return;
    finding_set(f, DOCTOR_BAD, "%s", error.text);
    f->means = "nobody could be named as the owner of a connection";
    f->todo = "let this process call bpf(2) (a container's seccomp profile, CAP_BPF, lockdown), or "
              "try another --attach";
}

void doctor_frames(const struct doctor *d, struct finding *f)
{
    if (!d->root) {
        finding_unseen(f);
        return;
    }
    if (hooks_probe_lsm()) {
        finding_set(f, DOCTOR_OK, "sockets of frames are refused when they are made");
        return;
    }
    finding_set(f, DOCTOR_OK, "programs of the security module do not run here");
    f->means = "a socket of frames can be made by root inside; what it sends ends in the gate";
}

/* Whether cgroup v1 is mounted as well. */
static bool has_v1(void)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && getline(&line, &size, mounts) > 0)
        found = strstr(line, " - cgroup ") != NULL;
    free(line);
    if (mounts)
        fclose(mounts);
    return found;
}

static void say_cgroup(struct finding *f, const char *mount, const char *own)
{
    finding_set(f, DOCTOR_OK, "v2 at %s, %s; this process is in %s", mount,
                has_v1() ? "beside v1" : "alone", own);
}

void doctor_cgroup(const struct doctor *d, struct finding *f)
{
    struct cgroup cgroup = CGROUP_INIT;
    struct error error = {0};
    char id[32], *mount = NULL, *own = NULL;
    snprintf(id, sizeof id, "doctor-%d", getpid());
    int failed = cgroup_find(&mount, &own, &error);
    if (!failed)
        say_cgroup(f, mount, own);
    if (!failed && d->root)
        failed = cgroup_open(&cgroup, id, &error);
    if (!failed && d->root)
        finding_add(f, ", where a cgroup can be made");
    if (failed) {
        finding_set(f, DOCTOR_BAD, "%s", error.text);
        f->means = "the command would have no cgroup of its own to be known by";
        f->todo = mount ? "start from a cgroup in which directories can be made"
                        : "mount -t cgroup2 cgroup2 /sys/fs/cgroup";
    }
    cgroup_close(&cgroup);
    free(mount);
    free(own);
}

static int unshare_one(const void *context, struct error *error)
{
    const int *flag = context;
    return unshare(*flag) < 0 ? error_set(error, -errno, "unshare") : 0;
}

/* User namespaces are not ours to need; programs inside may want them. */
void doctor_namespaces(const struct doctor *d, struct finding *f)
{
    static const struct {
        const char *name;
        int flag;
    } kinds[] = {
        {"net", CLONE_NEWNET}, {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"ipc", CLONE_NEWIPC}};
    static const int user = CLONE_NEWUSER;
    struct error error = {0};
    const char *users = doctor_apart(unshare_one, &user, &error) == 0 ? "can" : "cannot";
    if (!d->root) {
        finding_unseen(f);
        finding_add(f, "; user namespaces %s be made", users);
        return;
    }
    finding_set(f, DOCTOR_OK, "can be made:");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (doctor_apart(unshare_one, &kinds[i].flag, &error) == 0) {
            finding_add(f, " %s", kinds[i].name);
            continue;
        }
        finding_set(f, DOCTOR_BAD, "a %s namespace cannot be made: %s", kinds[i].name,
                    strerror(-error.code));
        f->means = "the command would not be apart from the host";
        f->todo = "run as full root: in a container, with CAP_SYS_ADMIN and CAP_NET_ADMIN";
        return;
    }
    finding_add(f, "; user namespaces %s be made (for programs inside that want them)", users);
}

/* Memory of BPF counts for the cgroup since 5.11, and no longer for RLIMIT_MEMLOCK. */
void doctor_limits(const struct doctor *d, struct finding *f)
{
    struct rlimit files, locked;
    (void)d;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_MEMLOCK, &locked) < 0) {
        finding_set(f, DOCTOR_WARN, "cannot read the limits: %s", strerror(errno));
        return;
    }
    finding_set(f, DOCTOR_OK, "%llu files may be open", (unsigned long long)files.rlim_max);
    if (locked.rlim_max != RLIM_INFINITY)
        finding_add(f, ", %llu KiB be locked", (unsigned long long)locked.rlim_max / 1024);
    if (files.rlim_max >= FILES_FEW)
        return;
    f->level = DOCTOR_WARN;
    f->means = "a connection takes two, and those beyond are refused";
    f->todo = "raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service";
}
