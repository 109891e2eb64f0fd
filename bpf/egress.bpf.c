/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 * Everything that runs in the kernel, as one object: the parts share maps and settings, and are
 * loaded all or none. */
#include "bpf/common.h"

#include "bpf/flows_calls.h"
#include "bpf/flows_cgroup.h"
#include "bpf/guard.h"
#include "bpf/process.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
