/* SPDX-License-Identifier: MIT
 * Runs a program to which the kernel refuses one system call with EPERM, as the seccomp profile of
 * a container engine would: deny_call bpf|clone3|setns|unshare PROGRAM [ARGUMENT...] */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
    {"bpf", SYS_bpf}, {"clone3", SYS_clone3}, {"setns", SYS_setns}, {"unshare", SYS_unshare}};

static int deny(unsigned number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(argv[1], calls[i].name) != 0)
            continue;
        if (deny(calls[i].number) < 0) {
            perror("deny_call");
            return 125;
        }
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        return 127;
    }
    fputs("usage: deny_call bpf|clone3|setns|unshare PROGRAM [ARGUMENT...]\n", stderr);
    return 125;
}
