/* SPDX-License-Identifier: MIT
 * Each way is tried as it will be used: load, attach, detach. What a kernel was built with or how
 * it was started says less: a lockdown refuses at load, a missing symbol at attach. */
#include "attribution/hooks_probe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "bpf/probe.skel.h"

/* libbpf's print function has no context argument, so this cannot be anywhere else. Of what it
 * prints the first warning says what is wrong; the verifier's log and the rest follow from it. */
static _Thread_local char warning[256];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
    PRINTF(2, 0);
static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
    if (level == LIBBPF_WARN && !warning[0]) {
        vsnprintf(warning, sizeof warning, format, args);
        warning[strcspn(warning, "\n")] = '\0';
    }
    return 0;
}

void hooks_quiet_begin(struct hooks_quiet *q)
{
    warning[0] = '\0';
    q->before = (void *)libbpf_set_print(keep_warning);
}

void hooks_quiet_end(struct hooks_quiet *q)
{
    libbpf_set_print((libbpf_print_fn_t)q->before);
}

int hooks_fail(struct error *error, int code, const char *what)
{
    if (warning[0])
        return error_set(error, code, "cannot %s (%s)", what, warning);
    return error_set(error, code, "cannot %s", what);
}

/* Loads those of the programs that are asked for, and attaches them. */
static int try_programs(struct probe_bpf *skel, struct bpf_program *const program[2],
                        struct bpf_link *link[2])
{
    for (size_t i = 0; i < 2 && program[i]; i++)
        bpf_program__set_autoload(program[i], true);
    int code = probe_bpf__load(skel);
    for (size_t i = 0; !code && i < 2 && program[i]; i++) {
        link[i] = bpf_program__attach(program[i]);
        code = link[i] ? 0 : -errno;
    }
    return code;
}

static int try_way(enum attach_way way)
{
    struct hooks_quiet quiet;
    struct bpf_link *link[2] = {NULL};
    hooks_quiet_begin(&quiet);
    struct probe_bpf *skel = probe_bpf__open();
    int code = skel ? 0 : -errno;
    if (skel) {
        struct bpf_program *const kprobes[] = {skel->progs.probe_kprobe_connect,
                                               skel->progs.probe_kprobe_send};
        struct bpf_program *const fentries[] = {skel->progs.probe_fentry_connect,
                                                skel->progs.probe_fentry_send};
        code = try_programs(skel, way == ATTACH_KPROBE ? kprobes : fentries, link);
        bpf_link__destroy(link[0]);
        bpf_link__destroy(link[1]);
        probe_bpf__destroy(skel);
    }
    hooks_quiet_end(&quiet);
    return code;
}

/* What the number means here. */
static const char *why(enum attach_way way, int code)
{
    if (code == -EPERM || code == -EACCES)
        return "this kernel is locked down, or its programs may not be attached";
    if (way == ATTACH_KPROBE)
        return "this kernel has no kprobes, or not of tcp_connect and ip_send_skb";
    return "this kernel has no trampolines for programs, or not at tcp_connect and ip_send_skb";
}

int hooks_probe(enum attach_way way, struct error *error)
{
    if (way != ATTACH_KPROBE && way != ATTACH_FENTRY)
        return 0; /* of every kernel that this program runs on */
    const int code = try_way(way);
    if (!code)
        return 0;
    return error_say(error, code, "%s (%s)", strerror(-code), why(way, code));
}

bool hooks_probe_lsm(void)
{
    struct hooks_quiet quiet;
    struct bpf_link *link[2] = {NULL};
    bool answered = false;
    hooks_quiet_begin(&quiet);
    struct probe_bpf *skel = probe_bpf__open();
    if (skel) {
        struct bpf_program *const program[] = {skel->progs.probe_lsm, NULL};
        if (!try_programs(skel, program, link)) {
            skel->bss->asking = (uint32_t)gettid();
            CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            answered = fd >= 0 && __atomic_load_n(&skel->bss->answered, __ATOMIC_RELAXED);
        }
        bpf_link__destroy(link[0]);
        probe_bpf__destroy(skel);
    }
    hooks_quiet_end(&quiet);
    return answered;
}
