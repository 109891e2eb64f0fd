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

/* Loads the program that is asked for, and attaches it. */
static int try_program(struct probe_bpf *skel, struct bpf_program *program, struct bpf_link **link)
{
    bpf_program__set_autoload(program, true);
    const int code = probe_bpf__load(skel);
    if (code)
        return code;
    *link = bpf_program__attach(program);
    return *link ? 0 : -errno;
}

static int try_way(enum attach_way way)
{
    struct hooks_quiet quiet;
    struct bpf_link *link = NULL;
    hooks_quiet_begin(&quiet);
    struct probe_bpf *skel = probe_bpf__open();
    int code = skel ? 0 : -errno;
    if (skel) {
        code = try_program(skel,
                           way == ATTACH_KPROBE ? skel->progs.probe_kprobe_send
                                                : skel->progs.probe_fentry_send,
                           &link);
        bpf_link__destroy(link);
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
        return "this kernel has no kprobes, or not of ip_send_skb";
    return "this kernel has no trampolines for programs, or not at ip_send_skb";
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
    struct bpf_link *link = NULL;
    bool answered = false;
    hooks_quiet_begin(&quiet);
    struct probe_bpf *skel = probe_bpf__open();
    if (skel) {
        if (!try_program(skel, skel->progs.probe_lsm, &link)) {
            skel->bss->asking = (uint32_t)gettid();
            CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            answered = fd >= 0 && __atomic_load_n(&skel->bss->answered, __ATOMIC_RELAXED);
        }
        bpf_link__destroy(link);
        probe_bpf__destroy(skel);
    }
    hooks_quiet_end(&quiet);
    return answered;
}
