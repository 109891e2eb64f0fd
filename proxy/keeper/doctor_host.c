/* SPDX-License-Identifier: MIT
 * Who runs it, as whom its parts run, and where the log goes. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cap-ng.h>

#include "audit/log.h"
#include "base/fd.h"
#include "keeper/caller.h"
#include "keeper/doctor_parts.h"
#include "roles/confine.h"

#define DEFAULT_LOG "egress.jsonl"
enum { ROOM_LITTLE_MIB = 100 };

/* Whom the command would run as, or what is wrong with that. */
static bool find_user(const struct doctor *d, struct caller *caller, struct finding *f)
{
    struct error error = {0};
    if (caller_find(d->options.user, 0, caller, &error) == 0)
        return true;
    finding_set(f, d->options.user ? DOCTOR_BAD : DOCTOR_WARN, "%s", error.text);
    f->means = "run must be told whom the command runs as";
    f->todo = d->options.user ? "name a user of this machine with --user NAME"
                              : "call it by sudo, or with --user NAME (doctor takes it too)";
    return false;
}

static void without_root(const struct doctor *d, struct finding *f)
{
    const char *sudo = caller_sudo();
    struct caller caller;
    if (d->options.user && !find_user(d, &caller, f))
        return;
    if (d->options.user)
        caller_release(&caller);
    if (sudo) {
        finding_set(f, DOCTOR_OK, "not root; run calls %s, which may ask or refuse", sudo);
        return;
    }
    finding_set(f, DOCTOR_BAD, "root is needed to set up the filter, and sudo was not found");
    f->means = "run cannot become root by itself";
    f->todo = "run it as root with --user NAME, or install sudo";
}

void doctor_rights(const struct doctor *d, struct finding *f)
{
    static const struct {
        unsigned number;
        const char *name;
    } needed[] = {{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                  {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                  {CAP_SETUID, "CAP_SETUID"},
                  {CAP_SETGID, "CAP_SETGID"},
                  {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"}};
    struct caller caller;
    if (!d->root) {
        without_root(d, f);
        return;
    }
    finding_set(f, DOCTOR_BAD, "root without");
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (!capng_have_capability(CAPNG_EFFECTIVE, needed[i].number)) {
            finding_add(f, " %s", needed[i].name);
            f->means = "it is root in name only, as in a container";
            f->todo = "give the container these capabilities, or run outside of it";
        }
    if (f->todo)
        return;
    if (!find_user(d, &caller, f))
        return;
    finding_set(f, DOCTOR_OK, "root, on behalf of user %u%s%s%s", (unsigned)caller.uid,
                caller.name ? " (" : "", caller.name ? caller.name : "", caller.name ? ")" : "");
    caller_release(&caller);
}

/* A number stands in for each user that the package has not made. */
void doctor_users(const struct doctor *d, struct finding *f)
{
    static const struct {
        const char *role, *user;
        uid_t otherwise;
    } roles[] = {{"proxy", "egress-proxy", CONFINE_PROXY_UID},
                 {"packet", "egress-packet", CONFINE_PACKET_UID},
                 {"digest", NULL, CONFINE_DIGEST_UID}};
    (void)d;
    finding_set(f, DOCTOR_OK, "%s", "");
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        const struct passwd *pw = roles[i].user ? getpwnam(roles[i].user) : NULL;
        bool named = pw && pw->pw_uid != 0 && pw->pw_gid != 0;
        finding_add(f, "%s%s is ", i ? "; " : "", roles[i].role);
        if (named)
            finding_add(f, "%s (%u)", roles[i].user, (unsigned)pw->pw_uid);
        else
            finding_add(f, "%u", (unsigned)roles[i].otherwise);
        if (named || !getpwuid(roles[i].otherwise))
            continue;
        f->level = DOCTOR_WARN;
        f->means = "somebody else of this machine has that number, and could meddle with the role";
        f->todo = "give that user another number, or make the system users egress-proxy and "
                  "egress-packet";
    }
}

/* A file without a name, where the log would be made. */
static int try_directory(const char *log, char *directory, struct error *error)
{
    CLEANUP_FD int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        return access(directory, W_OK) < 0
                   ? error_set(error, -errno, "cannot make the log '%s'", log)
                   : 0;
    if (fd < 0)
        return error_set(error, -errno, "cannot make the log '%s'", log);
    return write(fd, "{", 1) == 1 ? 0 : error_set(error, -errno, "cannot write the log '%s'", log);
}

static void say_room(const char *log, const char *directory, bool there, struct finding *f)
{
    struct statvfs fs;
    unsigned long long mib = 0;
    if (statvfs(directory, &fs) == 0)
        mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    finding_set(f, DOCTOR_OK, "%s '%s'; %llu MiB free", there ? "goes on with" : "can make", log,
                mib);
    if (mib >= ROOM_LITTLE_MIB)
        return;
    f->level = DOCTOR_WARN;
    f->means = "when the disk is full nothing passes, since nothing can be recorded";
    f->todo = "make room, or name another place with --log FILE";
}

void doctor_log(const struct doctor *d, struct finding *f)
{
    const char *path = d->options.log ? d->options.log : DEFAULT_LOG;
    const struct log_options o = {.path = path, .group = (gid_t)-1};
    struct error error = {0};
    char directory[4096];
    if (!d->root) {
        finding_unseen(f);
        return;
    }
    snprintf(directory, sizeof directory, "%s", path);
    char *parent = dirname(directory);
    int failed = log_look(&o, &error);
    bool there = failed != -ENOENT;
    if (!there)
        failed = try_directory(path, parent, &error);
    if (!failed || (failed == -EWOULDBLOCK && !d->options.log)) {
        say_room(path, parent, there, f);
        if (failed)
            finding_add(f, "; another run is writing it, so one beside it would be used");
        return;
    }
    finding_set(f, DOCTOR_BAD, "%s", error.text);
    f->means = "what cannot be recorded is not let through";
    f->todo = "name another place with --log FILE";
}
