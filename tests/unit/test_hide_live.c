/* SPDX-License-Identifier: MIT
 * What a command sees after hide_prepare, on the running kernel: helpers' sockets are out of
 * reach, the rest is as before, and the host's own view has not changed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cap-ng.h>

#include "base/fd.h"
#include "setup/hide.h"
#include "unit/report.h"

enum { CHILD_SECONDS = 60 };

/* A place below /tmp, made by the parent: its sockets are there for the host too. */
struct place {
    char root[64], alone[96], mixed[96], walked[96], file[96];
    int sockets[3];
};

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 5) < 0)
        return -1;
    return fd;
}

/* 0 or the errno of connect. */
static int try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

static bool put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

static bool holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool read = fgets(got, sizeof got, f) != NULL;
    fclose(f);
    return strcmp(read ? got : "", text) == 0;
}

static void place_make(struct place *p)
{
    char directory[128];
    strcpy(p->root, "/tmp/hide-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(directory, sizeof directory, "%s/alone", p->root);
    assert_int_equal(mkdir(directory, 0700), 0);
    snprintf(p->alone, sizeof p->alone, "%s/alone/default", p->root);
    snprintf(p->mixed, sizeof p->mixed, "%s/mixed.sock", p->root);
    snprintf(p->walked, sizeof p->walked, "%s/walked.sock", p->root);
    snprintf(p->file, sizeof p->file, "%s/file", p->root);
    p->sockets[0] = listen_at(p->alone);
    p->sockets[1] = listen_at(p->mixed);
    assert_int_equal(chdir(p->root), 0);
    p->sockets[2] = listen_at("walked.sock"); /* listed without its directory */
    assert_true(p->sockets[0] >= 0 && p->sockets[1] >= 0 && p->sockets[2] >= 0);
    assert_true(put(p->file, "text"));
}

static void place_remove(struct place *p)
{
    char directory[128];
    assert_int_equal(try_connect(p->alone), 0); /* the host still reaches all of them */
    assert_int_equal(try_connect(p->mixed), 0);
    assert_int_equal(try_connect(p->walked), 0);
    assert_true(holds(p->file, "text"));
    assert_int_equal(chdir("/"), 0);
    for (int i = 0; i < 3; i++)
        close(p->sockets[i]);
    unlink(p->alone);
    unlink(p->mixed);
    unlink(p->walked);
    unlink(p->file);
    snprintf(directory, sizeof directory, "%s/alone", p->root);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(rmdir(p->root), 0);
}

static const char *const run_directories[] = {
    "/run/user",     "/run/user/1000", "/run/systemd",       "/run/systemd/resolve",
    "/run/harmless", "/run/surprise",  "/run/surprise/deep", "/run/resolvconf",
};

static const char *const run_sockets[] = {
    "/run/docker.sock",
    "/run/user/1000/bus",
    "/run/systemd/private",
    "/run/surprise/deep/socket",
};

/* A private namespace with a /run of its own. */
static int make_run(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("fake", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(run_directories); i++) {
        if (mkdir(run_directories[i], 0755) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(run_sockets); i++) {
        if (listen_at(run_sockets[i]) < 0) /* stays open: somebody would answer */
            return -1;
    }
    if (chmod("/run/user/1000", 0700) < 0 || mkfifo("/run/initctl", 0600) < 0 ||
        symlink("harmless", "/run/link") < 0 || !put("/run/harmless/file", "good") ||
        !put("/run/top", "level") || !put("/run/systemd/resolve/stub", "nameserver 127.0.0.53\n"))
        return -1;
    return 0;
}

/* Lets /etc/resolv.conf be a link to target, in this namespace only. */
static int link_resolver(const char *target)
{
    if (mount("fake", "/etc", "tmpfs", 0, "mode=755") < 0)
        return -1;
    return symlink(target, "/etc/resolv.conf");
}

static int prepare(const struct hide_options *o)
{
    struct error error = {0};
    int code = hide_prepare(o, &error);
    if (code < 0)
        fprintf(stderr, "%s\n", error.text);
    return code;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int body_run(const struct place *p)
{
    (void)p;
    const struct hide_options none = {0};
    CHECK(make_run() == 0 && link_resolver("/run/systemd/resolve/stub") == 0);
    for (size_t i = 0; i < ARRAY_SIZE(run_sockets); i++)
        CHECK(try_connect(run_sockets[i]) == 0);
    CHECK(chdir("/run/systemd") == 0);
    CHECK(prepare(&none) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(run_sockets); i++)
        CHECK(try_connect(run_sockets[i]) == ENOENT);
    CHECK(try_connect("private") == ENOENT); /* nor from the old working directory */
    CHECK(access("/run/user", F_OK) < 0 && access("/run/surprise", F_OK) < 0);
    CHECK(access("/run/initctl", F_OK) < 0);
    CHECK(holds("/run/harmless/file", "good") && holds("/run/link/file", "good"));
    CHECK(holds("/run/top", "level"));
    CHECK(holds("/etc/resolv.conf", "nameserver 127.0.0.53\n"));
    CHECK(access("/run/systemd/private", F_OK) < 0);
    CHECK(put("/run/pid", "1")); /* the view is the command's own to write */
    return 0;
}

static int body_shares(const struct place *p)
{
    const char *const shares[] = {"/run/user/1000/bus", p->mixed, "/run/surprise"};
    const struct hide_options o = {
        .shares = shares, .n_shares = ARRAY_SIZE(shares), .resolv_conf_text = "nameserver ::\n"};
    struct stat st;
    CHECK(make_run() == 0 && link_resolver("/run/resolvconf/text") == 0);
    CHECK(put("/run/resolvconf/text", "nameserver 1.1.1.1\n"));
    CHECK(prepare(&o) == 0);
    CHECK(try_connect("/run/user/1000/bus") == 0);
    CHECK(try_connect("/run/surprise/deep/socket") == 0);
    CHECK(try_connect(p->mixed) == 0);
    CHECK(try_connect("/run/docker.sock") == ENOENT);
    CHECK(try_connect(p->alone) == ENOENT);
    CHECK(stat("/run/user/1000", &st) == 0 && (st.st_mode & 07777) == 0700);
    CHECK(holds("/etc/resolv.conf", "nameserver ::\n"));
    return 0;
}

static int body_outside(const struct place *p)
{
    const struct hide_options none = {0};
    char other[128];
    CHECK(make_run() == 0);
    CHECK(prepare(&none) == 0);
    CHECK(try_connect(p->mixed) == ECONNREFUSED);  /* an empty file over it */
    CHECK(try_connect(p->walked) == ECONNREFUSED); /* found without its name */
    CHECK(try_connect(p->alone) == ENOENT);        /* an empty directory over its own */
    snprintf(other, sizeof other, "%s/alone/new", p->root);
    CHECK(!put(other, "x") && errno == EROFS);
    CHECK(!put(p->mixed, "x") && errno == EROFS);
    CHECK(unlink(p->mixed) < 0 && errno == EBUSY);
    CHECK(holds(p->file, "text"));
    return 0;
}

static int body_read_only(const struct place *p)
{
    const char *const protect[] = {p->file};
    const struct hide_options o = {.protect = protect, .n_protect = ARRAY_SIZE(protect)};
    char line[4096];
    CHECK(make_run() == 0);
    CHECK(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0);
    CHECK(prepare(&o) == 0);
    CHECK(!put(p->file, "lie") && errno == EROFS);
    CHECK(rename(p->file, "/tmp/hide-gone") < 0 && unlink(p->file) < 0);
    CHECK(!put("/proc/sys/kernel/domainname", "x") && errno == EROFS);
    CHECK(mkdir("/sys/fs/cgroup/hide-test", 0755) < 0 && errno == EROFS);
    FILE *f = fopen("/proc/self/mountinfo", "r");
    CHECK(f != NULL);
    bool proc_keeps = false;
    while (fgets(line, sizeof line, f)) {
        char path[PATH_MAX], flags[256];
        if (sscanf(line, "%*s %*s %*s %*s %4095s %255s", path, flags) != 2)
            continue;
        if (strcmp(path, "/proc/sys") == 0)
            proc_keeps = strstr(flags, "ro,nosuid,nodev,noexec") != NULL;
    }
    fclose(f);
    CHECK(proc_keeps);
    return 0;
}

static int body_failures(const struct place *p)
{
    struct error error = {0};
    const char *const missing[] = {"/run/not-there"};
    const struct hide_options share = {.shares = missing, .n_shares = 1};
    const struct hide_options protect = {.protect = missing, .n_protect = 1};
    (void)p;
    CHECK(make_run() == 0);
    CHECK(hide_prepare(&share, &error) == -ENOENT);
    CHECK(strstr(error.text, "cannot share '/run/not-there'"));
    CHECK(hide_prepare(&protect, &error) == -ENOENT);
    CHECK(strstr(error.text, "cannot protect '/run/not-there'"));
    CHECK(try_connect("/run/docker.sock") == 0); /* nothing was begun */
    CHECK(mount(NULL, "/run", NULL, MS_SHARED, NULL) == 0);
    CHECK(hide_prepare(&(struct hide_options){0}, &error) == -EINVAL);
    CHECK(try_connect("/run/docker.sock") == 0);
    return 0;
}

/* A name that a list gives and that leads elsewhere, or to no socket, is no reason to fail. */
static int body_odd_list(const struct place *p)
{
    char list[1024];
    const struct hide_options o = {.unix_sockets = list};
    CHECK(make_run() == 0);
    snprintf(list, sizeof list,
             "Num RefCount Protocol Flags Type St Inode Path\n\n"
             "0: 2 0 10000 0001 01 1 %s\n0: 2 0 10000 0001 01 1 %s\n"
             "0: 2 0 10000 0001 01 1 @abstract\n0: 2 0 10000 0001 01 1\n"
             "0: 2 0 10000 0001 01 1 relative\n0: 2 0 10000 0001 01 1 /no/such\n"
             "0: 2 0 10000 0001 01 1 /etc/passwd/x\n0: 2 0 10000 0001 01 1 /\nshort",
             p->mixed, p->file);
    CHECK(prepare(&o) == 0);
    CHECK(try_connect(p->mixed) == ECONNREFUSED);
    CHECK(holds(p->file, "text"));
    return 0;
}

/* As ssh does for its master: bound under a passing name, which is the one that is listed. */
static int body_linked(const struct place *p)
{
    const struct hide_options none = {0};
    (void)p;
    CHECK(make_run() == 0 && mount("fake", "/mnt", "tmpfs", 0, "mode=755") == 0);
    CHECK(mkdir("/mnt/keys", 0755) == 0 && put("/mnt/keys/file", "text"));
    CHECK(listen_at("/mnt/keys/master.passing") >= 0);
    CHECK(link("/mnt/keys/master.passing", "/mnt/keys/master") == 0);
    CHECK(unlink("/mnt/keys/master.passing") == 0);
    CHECK(listen_at("/mnt/keys/renamed.passing") >= 0);
    CHECK(rename("/mnt/keys/renamed.passing", "/mnt/keys/renamed") == 0);
    CHECK(try_connect("/mnt/keys/master") == 0 && try_connect("/mnt/keys/renamed") == 0);
    CHECK(prepare(&none) == 0);
    CHECK(try_connect("/mnt/keys/master") == ECONNREFUSED);
    CHECK(try_connect("/mnt/keys/renamed") == ECONNREFUSED);
    CHECK(holds("/mnt/keys/file", "text"));
    return 0;
}

/* Other views of processes, queues and control groups than those at the places that all know. */
static int body_mounts(const struct place *p)
{
    static const char *const places[] = {"/mnt/a proc", "/mnt/queues", "/mnt/groups", "/mnt/over"};
    const struct hide_options none = {0};
    (void)p;
    CHECK(make_run() == 0 && mount("fake", "/mnt", "tmpfs", 0, "mode=755") == 0);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        CHECK(mkdir(places[i], 0755) == 0);
    CHECK(unshare(CLONE_NEWIPC) == 0);
    CHECK(mount("x", "/mnt/a proc", "proc", 0, NULL) == 0);
    CHECK(mount("x", "/mnt/queues", "mqueue", 0, NULL) == 0);
    CHECK(mount("x", "/mnt/groups", "cgroup2", 0, NULL) == 0);
    CHECK(mount("x", "/mnt/over", "proc", 0, NULL) == 0);
    CHECK(mount("x", "/mnt/over", "tmpfs", 0, NULL) == 0 && put("/mnt/over/file", "text"));
    CHECK(put("/mnt/file", "") && mount("/proc/1/status", "/mnt/file", NULL, MS_BIND, NULL) == 0);
    int queue = mq_open("/hide-test", O_CREAT | O_RDWR, 0666, NULL);
    CHECK(queue >= 0 && access("/mnt/queues/hide-test", F_OK) == 0);
    CHECK(unshare(CLONE_NEWIPC) == 0);
    CHECK(access("/mnt/a proc/1/comm", F_OK) == 0 && holds("/mnt/file", "") == false);
    CHECK(prepare(&none) == 0);
    CHECK(access("/mnt/a proc/1", F_OK) < 0 && !put("/mnt/a proc/x", "x") && errno == EROFS);
    CHECK(holds("/mnt/file", ""));
    CHECK(access("/mnt/queues/hide-test", F_OK) < 0 && errno == ENOENT);
    CHECK(mkdir("/mnt/groups/hide-test", 0755) < 0 && errno == EROFS);
    CHECK(holds("/mnt/over/file", "text"));
    CHECK(access("/proc/1/comm", F_OK) == 0);
    return 0;
}

/* Homes of a file system that gives root nothing, as NFS and FUSE have them: what the command's
 * user cannot get at either is no reason to fail; what he can is one. */
static int body_unreadable_home(const struct place *p)
{
    enum { OTHER = 4242, CALLER = 1000 };
    const char *list = "0: 2 0 10000 0001 01 1 /home/other/listed\n";
    const struct hide_options stranger = {
        .user = {.uid = CALLER, .gid = CALLER, .home = "/home/own"}, .unix_sockets = list};
    const struct hide_options owner = {.user = {.uid = OTHER, .gid = OTHER, .home = "/elsewhere"},
                                       .unix_sockets = list};
    const struct hide_options guessed = {
        .user = {.uid = OTHER, .gid = OTHER, .home = "/home/other"}, .unix_sockets = ""};
    struct error error = {0};
    (void)p;
    CHECK(make_run() == 0 && mount("fake", "/home", "tmpfs", 0, "mode=755") == 0);
    CHECK(mkdir("/home/own", 0755) == 0 && mkdir("/home/other", 0700) == 0);
    CHECK(chown("/home/other", OTHER, OTHER) == 0);
    capng_get_caps_process();
    capng_updatev(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, -1);
    CHECK(capng_apply(CAPNG_SELECT_CAPS) == 0);
    CHECK(open("/home/other/listed", O_PATH) < 0 && errno == EACCES);
    CHECK(hide_prepare(&owner, &error) == -EACCES);
    CHECK(strstr(error.text, "'/home/other/listed'") && strstr(error.text, "4242"));
    CHECK(hide_prepare(&guessed, &error) == -EACCES);
    CHECK(prepare(&stranger) == 0);
    return 0;
}

static void in_child(int (*body)(const struct place *))
{
    struct place p;
    int status = 0;
    place_make(&p);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        _exit(body(&p));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    place_remove(&p);
    assert_int_equal(status, 0);
}

#define IN_CHILD(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_child(body_##name);                                                                     \
    }

IN_CHILD(run)
IN_CHILD(shares)
IN_CHILD(outside)
IN_CHILD(read_only)
IN_CHILD(failures)
IN_CHILD(odd_list)
IN_CHILD(linked)
IN_CHILD(mounts)
IN_CHILD(unreadable_home)

static const struct unit_test tests[] = {
    REPORT("B18", test_run),     REPORT("B18", test_outside), REPORT("-", test_shares),
    REPORT("-", test_read_only), REPORT("-", test_failures),  REPORT("-", test_odd_list),
    REPORT("B18", test_linked),  REPORT("B18", test_mounts),  REPORT("B18", test_unreadable_home),
};

int main(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(geteuid() != 0 || unshare(CLONE_NEWNS) < 0);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return unit_run(tests, ARRAY_SIZE(tests));
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        printf("skip %s %s: needs root and the right to make namespaces\n", tests[i].id,
               tests[i].test.name);
    return 0;
}
