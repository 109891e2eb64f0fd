/* SPDX-License-Identifier: MIT
 * Loads and attaches every program of BPF objects, each alone, and prints one test line for each:
 * whether this kernel's verifier takes it is then known by name. Nothing is pinned. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_SIZE = 1 << 20, LOG_SHOWN = 1500 };

static char verifier_log[LOG_SIZE];

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

/* What needs a cgroup is attached to one; other kinds attach by themselves, or not at all. */
static struct bpf_link *attach(const struct bpf_program *program, int cgroup)
{
    switch (bpf_program__type(program)) {
    case BPF_PROG_TYPE_CGROUP_SKB:
    case BPF_PROG_TYPE_CGROUP_SOCK:
    case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
    case BPF_PROG_TYPE_CGROUP_SOCKOPT:
    case BPF_PROG_TYPE_SOCK_OPS:
        return bpf_program__attach_cgroup(program, cgroup);
    default:
        return bpf_program__attach(program);
    }
}

static void show_log(void)
{
    const size_t len = strlen(verifier_log);
    const char *at = verifier_log + (len > LOG_SHOWN ? len - LOG_SHOWN : 0);
    for (size_t n; *at; at += n + (at[n] == '\n')) {
        n = strcspn(at, "\n");
        printf("    %.*s\n", (int)n, at);
    }
}

/* The n-th program of the object, and no other. Returns 0, 1 where it failed, -1 past the last. */
static int load_one(const char *path, size_t n, int cgroup)
{
    LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = verifier_log,
                .kernel_log_size = sizeof verifier_log);
    struct bpf_program *program, *chosen = NULL;
    size_t i = 0;
    verifier_log[0] = '\0';
    struct bpf_object *object = bpf_object__open_file(path, &opts);
    if (!object) {
        printf("not ok R03 %s cannot be opened: %s\n", path, strerror(errno));
        return n ? -1 : 1;
    }
    bpf_object__for_each_program(program, object)
    {
        bpf_program__set_autoload(program, i == n);
        if (i++ == n)
            chosen = program;
    }
    if (!chosen) {
        bpf_object__close(object);
        return -1;
    }
    const char *what = "is taken by the verifier";
    int code = bpf_object__load(object);
    if (!code) {
        what = "is taken by the verifier and attached";
        struct bpf_link *link = attach(chosen, cgroup);
        code = link ? 0 : -errno;
        bpf_link__destroy(link);
    }
    printf("%s R03 %s of %s %s%s%s\n", code ? "not ok" : "ok", bpf_program__name(chosen),
           bpf_object__name(object), what, code ? ": " : "", code ? strerror(-code) : "");
    if (code)
        show_log();
    bpf_object__close(object);
    return code != 0;
}

int main(int argc, char **argv)
{
    char dir[] = "/sys/fs/cgroup/bpf-load-XXXXXX";
    int bad = 0;
    libbpf_set_print(quiet);
    const int cgroup = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (argc < 2 || cgroup < 0) {
        fprintf(stderr, "usage: bpf_load OBJECT… (as root, with cgroup2 on /sys/fs/cgroup)\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        int one = 0;
        for (size_t n = 0; (one = load_one(argv[i], n, cgroup)) >= 0; n++)
            bad |= one;
    }
    close(cgroup);
    rmdir(dir);
    return bad;
}
